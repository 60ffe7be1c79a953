//! `outspan serve`: opens the engine, then the doors, and closes them in the opposite order.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tokio::net::TcpListener;

use crate::base::{Stop, Tasks};
use crate::ledger::{self, Ledger, Parts};
use crate::{receive, serve, wal};

use super::config::Settings;
use super::output;

/// Run the server: OTLP in, tables out, SQL on top.
#[derive(Args, Clone, Debug, Default)]
pub(super) struct Flags {
    /// Directory or URL of the tables (s3://, gs://, az://, file://) [default: ./outspan-data]
    #[arg(long, value_name = "DIR_OR_URL")]
    pub data: Option<String>,
    /// Directory of the log, always on a local disk; needed where --data is a bucket
    #[arg(long, value_name = "DIR")]
    pub wal: Option<PathBuf>,
    /// Configuration file [default: outspan.toml, where there is one]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Your own prices; may repeat
    #[arg(long, value_name = "FILE")]
    pub prices: Vec<PathBuf>,
    /// What this process does
    #[arg(long, value_delimiter = ',', default_values = ["ingest", "query", "maintain"], value_parser = ["ingest", "query", "maintain"])]
    pub roles: Vec<String>,
    /// OTLP over gRPC [default: 127.0.0.1:4317]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen_grpc: Option<String>,
    /// OTLP over HTTP [default: 127.0.0.1:4318]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen_otlp: Option<String>,
    /// UI and API [default: 127.0.0.1:7317]
    #[arg(long, value_name = "HOST:PORT")]
    pub listen_http: Option<String>,
    /// PostgreSQL wire [default: 127.0.0.1:5433]; this door is not built yet
    #[arg(long, value_name = "HOST:PORT")]
    pub listen_pg: Option<String>,
    /// Arrow Flight SQL [default: 127.0.0.1:7318]; this door is not built yet
    #[arg(long, value_name = "HOST:PORT")]
    pub listen_flight: Option<String>,
    /// Write the addresses as JSON to this file once all doors accept
    #[arg(long, value_name = "FILE")]
    pub addr_file: Option<PathBuf>,
    /// Listen on other addresses than loopback although there are no API keys
    #[arg(long)]
    pub insecure: bool,
    /// Move damage in the log aside (into wal/quarantine) instead of refusing to start
    #[arg(long)]
    pub wal_salvage: bool,
    /// All memory that the server may use, in MiB [default: 1024]
    #[arg(long, value_name = "MIB")]
    pub memory: Option<usize>,
}

impl Flags {
    /// Returns the settings: defaults, file, environment, these flags.
    ///
    /// # Errors
    /// See [`Settings::read`].
    pub(super) fn settings(&self) -> anyhow::Result<Settings> {
        let doors = [
            ("grpc", &self.listen_grpc),
            ("otlp", &self.listen_otlp),
            ("http", &self.listen_http),
            ("pg", &self.listen_pg),
            ("flight", &self.listen_flight),
        ];
        let mut said = serde_json::Map::new();
        let mut listen = serde_json::Map::new();
        for (door, address) in doors {
            if let Some(address) = address {
                listen.insert(door.to_owned(), resolved(address)?.into());
            }
        }
        if !listen.is_empty() {
            said.insert("listen".to_owned(), listen.into());
        }
        let flags = [
            ("data", self.data.clone().map(Into::into)),
            (
                "wal",
                self.wal
                    .clone()
                    .map(|path| path.to_string_lossy().into_owned().into()),
            ),
            ("insecure", self.insecure.then_some(true.into())),
            ("wal_salvage", self.wal_salvage.then_some(true.into())),
            ("memory_mib", self.memory.map(Into::into)),
        ];
        said.extend(
            flags
                .into_iter()
                .filter_map(|(name, value)| Some((name.to_owned(), value?))),
        );
        Settings::read(self.config.as_deref(), said)
    }
}

/// Returns `HOST:PORT` as an address; a name such as `localhost` is looked up.
fn resolved(address: &str) -> anyhow::Result<String> {
    use std::net::ToSocketAddrs;
    let mut found = address.to_socket_addrs().with_context(|| {
        format!("{address} is no address\nhint: write HOST:PORT, such as 127.0.0.1:7317")
    })?;
    Ok(found
        .next()
        .with_context(|| format!("{address} is no address"))?
        .to_string())
}

/// Where the doors are, as `--addr-file` and the lock file say it.
#[derive(Clone, Debug, Serialize)]
pub struct Addresses {
    /// OTLP over gRPC.
    pub otlp_grpc: String,
    /// OTLP over HTTP.
    pub otlp_http: String,
    /// UI and API.
    pub http: String,
}

/// A server with open doors.
#[derive(Debug)]
pub struct Server {
    /// Where they are.
    pub addresses: Addresses,
    /// The engine behind them.
    pub ledger: Ledger,
    doors: Tasks,
    work: Tasks,
}

/// How long the doors have to finish what is under way, and the engine to write its buffer: ten seconds together.
const DOORS_DEADLINE: Duration = Duration::from_secs(3);
const WORK_DEADLINE: Duration = Duration::from_secs(1);
const CLOSE_DEADLINE: Duration = Duration::from_secs(6);

impl Server {
    /// Opens the doors, which answer that the server is alive but not ready, and then the engine behind them.
    ///
    /// # Errors
    /// Where the log is another process's, the store is away, or an address is taken.
    pub async fn start(settings: &Settings) -> anyhow::Result<Self> {
        let grpc = bind("OTLP gRPC", settings.listen.grpc).await?;
        let otlp = bind("OTLP HTTP", settings.listen.otlp).await?;
        let http = bind("HTTP", settings.listen.http).await?;
        let addresses = Addresses {
            otlp_grpc: grpc.local_addr()?.to_string(),
            otlp_http: otlp.local_addr()?.to_string(),
            http: http.local_addr()?.to_string(),
        };
        let engine = Arc::new(OnceLock::new());
        let receiver = receive::Receiver::new(settings.receive.clone(), Arc::clone(&engine))?;
        let metrics = super::telemetry::metrics()?;
        let api = serve::router(serve::Doors {
            ledger: Arc::clone(&engine),
            metrics,
        })
        .merge(receiver.outcomes_router())
        .merge(receiver.http_router());
        let otlp_routes = receiver.http_router();
        let (doors, work) = (Tasks::default(), Tasks::default());
        doors.spawn("otlp grpc", |stop| receiver.serve_grpc(grpc, stop));
        doors.spawn("otlp http", |stop| {
            receive::serve_http(otlp, otlp_routes, stop)
        });
        doors.spawn("http", |stop| receive::serve_http(http, api, stop));
        let parts = Parts {
            allocated: Arc::new(super::telemetry::allocated_bytes),
            ..Parts::default()
        };
        let ledger = match Ledger::open(settings.ledger(), parts).await {
            Ok(ledger) => ledger,
            Err(error) => {
                doors.ask_to_stop();
                return Err(explained(error));
            }
        };
        ledger.start(&work);
        ledger.announce(&serde_json::to_string(&addresses)?)?;
        engine.get_or_init(|| ledger.clone());
        Ok(Self {
            addresses,
            ledger,
            doors,
            work,
        })
    }

    /// Returns the signals that something of the server has failed.
    pub fn failed(&self) -> (Stop, Stop) {
        (self.doors.stop(), self.work.stop())
    }

    /// Closes the doors, then the engine, within ten seconds. What is not written then is in the log.
    ///
    /// # Errors
    /// Where the engine could not write its buffer; nothing is lost.
    pub async fn stop(self) -> anyhow::Result<()> {
        let mut late = self.doors.stop_within(DOORS_DEADLINE).await;
        self.ledger.stop_taking();
        late.extend(self.work.stop_within(WORK_DEADLINE).await);
        if !late.is_empty() {
            tracing::warn!(tasks = late.join(", "), "did not end in time");
        }
        let closed = tokio::time::timeout(CLOSE_DEADLINE, self.ledger.close()).await;
        closed.context("the buffer was not written in time; its rows are in the log")??;
        Ok(())
    }
}

/// Says what a person can do about an engine that does not open.
pub(super) fn explained(error: ledger::Error) -> anyhow::Error {
    let hint = match &error {
        ledger::Error::Open(wal::Error::Locked { .. }) => {
            "a server has this directory: ask it (--server URL), or stop it first"
        }
        ledger::Error::Open(wal::Error::Damaged { .. }) => {
            "keep a copy of the log, then start with --wal-salvage: it moves what is damaged aside and says how much"
        }
        ledger::Error::OtherTables { .. } => {
            "name the log's own tables with --data; if they were moved there, remove the file `tables` in the log"
        }
        ledger::Error::Store(_) | ledger::Error::Table(_) => {
            "is the store there, and may we read and write it?"
        }
        _ => return error.into(),
    };
    anyhow::Error::from(error).context(format!("cannot start\nhint: {hint}"))
}

async fn bind(door: &str, address: std::net::SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("cannot listen on {address} for {door}\nhint: another server may have it; port 0 picks a free one")
    })
}

/// Runs until a signal or a failure.
///
/// # Errors
/// Where the server cannot start, or something of it failed.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    super::telemetry::logs();
    if !flags.prices.is_empty() {
        anyhow::bail!(
            "--prices is not built yet: costs come with a later version\nhint: leave the flag out"
        );
    }
    anyhow::ensure!(
        flags.roles.len() == 3,
        "one process has all roles so far\nhint: leave --roles out"
    );
    let settings = flags.settings()?;
    let server = Server::start(&settings).await?;
    if let Some(file) = &flags.addr_file {
        let text = serde_json::to_string(&server.addresses)?;
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    welcome(&settings, &server.addresses);
    let failed = wait(&server).await;
    output::note("stopping: writing what is buffered");
    let stopped = tokio::select! {
        stopped = server.stop() => stopped,
        // Somebody who asks twice means now; the log has what is not written.
        () = signal() => anyhow::bail!("stopped at once, the buffer was not written; its rows are in the log"),
    };
    anyhow::ensure!(
        !failed,
        "a part of the server failed, the log above says which"
    );
    stopped
}

fn welcome(settings: &Settings, at: &Addresses) {
    output::line(format_args!(
        "outspan {} on {}",
        env!("CARGO_PKG_VERSION"),
        settings.data
    ));
    output::line(format_args!("  OTLP gRPC  {}", at.otlp_grpc));
    output::line(format_args!("  OTLP HTTP  http://{}", at.otlp_http));
    output::line(format_args!("  SQL, API   http://{}", at.http));
    output::line(format_args!(
        "next step: OTEL_EXPORTER_OTLP_ENDPOINT=http://{} your-agent; then: outspan sql \"select * from spans limit 5\"",
        at.otlp_http
    ));
}

/// Waits for a signal or a failure; returns whether it was a failure.
async fn wait(server: &Server) -> bool {
    let (mut doors, mut work) = server.failed();
    tokio::select! {
        () = signal() => false,
        () = doors.asked() => true,
        () = work.asked() => true,
    }
}

#[cfg(unix)]
pub(super) async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(error) => {
            tracing::warn!(%error, "cannot listen for SIGTERM");
            let _done = tokio::signal::ctrl_c().await.is_ok();
        }
    }
}

#[cfg(not(unix))]
pub(super) async fn signal() {
    let _done = tokio::signal::ctrl_c().await.is_ok();
}
