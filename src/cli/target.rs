//! Where a command finds its data: a server, or a directory that it serves itself for the moment.
//!
//! There is one way to ask and one way to import: HTTP. A directory that no server holds is opened by a server of our
//! own on a free port, which ends with the command.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use backon::{ExponentialBuilder, Retryable};
use bytes::Bytes;
use clap::Args;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use serde::Deserialize;

use crate::wal::{self, LocalDisk};

use super::config::{Listen, Settings};
use super::serve::Server;

/// The server that is asked where nothing is named.
const SERVER: &str = "http://127.0.0.1:7317";
/// How often a request that the server asks to send again is sent again.
const RETRIES: usize = 20;

/// Where to look.
#[derive(Args, Clone, Debug, Default)]
#[group(id = "target")]
pub(super) struct Flags {
    /// A running server [default: the one that holds ./outspan-data, else http://127.0.0.1:7317]
    #[arg(long, value_name = "URL", conflicts_with = "data")]
    pub server: Option<String>,
    /// A data directory; the server that holds it is asked, where one runs
    #[arg(long, value_name = "DIR")]
    pub data: Option<String>,
}

/// A server that can be asked, ours or another.
#[derive(Debug)]
pub(super) struct Target {
    client: reqwest::Client,
    base: String,
    /// The tenant of what is sent, where the data is not to say it.
    pub(super) tenant: Option<String>,
    /// The server that we run for this command.
    own: Option<Server>,
}

#[derive(Deserialize)]
struct Announced {
    http: String,
}

impl Flags {
    /// Finds the server, or starts one on the directory.
    ///
    /// # Errors
    /// Where there is neither; the hint says how to get one.
    pub(super) async fn open(&self, make: bool) -> anyhow::Result<Target> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(300))
            .build()?;
        if let Some(server) = &self.server {
            return Ok(Target {
                client,
                base: server.trim_end_matches('/').to_owned(),
                tenant: None,
                own: None,
            });
        }
        let settings = self.settings()?;
        // A server that was killed leaves its address behind.
        if let Some(base) = holder(&settings)
            && is_alive(&client, &base).await
        {
            return Ok(Target {
                client,
                base,
                tenant: None,
                own: None,
            });
        }
        let there = settings.data.contains("://") || Path::new(&settings.data).is_dir();
        let may_make = make && self.data.is_some();
        if there || may_make {
            let own = Server::start(&settings).await?;
            return Ok(Target {
                client,
                base: format!("http://{}", own.addresses.http),
                tenant: None,
                own: Some(own),
            });
        }
        if self.data.is_none() && is_alive(&client, SERVER).await {
            return Ok(Target {
                client,
                base: SERVER.to_owned(),
                tenant: None,
                own: None,
            });
        }
        let asked = if self.data.is_none() {
            format!(" and no server at {SERVER}")
        } else {
            String::new()
        };
        bail!(
            "there is no directory {}{asked}\nhint: start a server with `outspan serve`, or name one with --server or --data",
            settings.data
        )
    }

    /// Returns the settings of a server of our own: a directory that is named is taken with the log in it, whatever the
    /// configuration says of another one.
    fn settings(&self) -> anyhow::Result<Settings> {
        let mut settings = Settings::read(None, serde_json::json!({}))?;
        if let Some(data) = &self.data {
            settings.data.clone_from(data);
            settings.wal = None;
        }
        settings.listen = Listen::free();
        Ok(settings)
    }
}

/// Returns the address of the server that holds a directory.
fn holder(settings: &Settings) -> Option<String> {
    let said = wal::announced(&LocalDisk, &settings.ledger().wal_dir())?;
    let announced: Announced = serde_json::from_str(&said).ok()?;
    Some(format!("http://{}", announced.http))
}

async fn is_alive(client: &reqwest::Client, base: &str) -> bool {
    let asked = client
        .get(format!("{base}/healthz"))
        .timeout(Duration::from_secs(1))
        .send()
        .await;
    asked.is_ok_and(|answer| answer.status().is_success())
}

/// A request that may be sent again.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the server is busy: {0}")]
    Busy(String, Option<Duration>),
    #[error("{0}")]
    Final(String),
    #[error("the server cannot be reached")]
    Unreached(#[source] reqwest::Error),
}

impl Target {
    /// Asks a query; the answer comes in the format that `accept` names.
    ///
    /// # Errors
    /// What the server says is wrong with the query, or that it cannot be reached.
    pub(super) async fn sql(&self, sql: &str, accept: &str) -> anyhow::Result<reqwest::Response> {
        let body = Bytes::from(serde_json::to_vec(&serde_json::json!({ "sql": sql }))?);
        self.post("/api/v1/sql", "application/json", accept, body)
            .await
    }

    /// Posts a body; one that the server is too busy for is sent again after a while.
    ///
    /// # Errors
    /// What the server says, or that it cannot be reached.
    pub(super) async fn post(
        &self,
        path: &str,
        media: &str,
        accept: &str,
        body: Bytes,
    ) -> anyhow::Result<reqwest::Response> {
        let once = || self.post_once(path, media, accept, body.clone());
        let patient = ExponentialBuilder::default()
            .with_max_times(RETRIES)
            .with_jitter();
        once.retry(patient)
            .when(|trouble| matches!(trouble, Trouble::Busy(..)))
            .adjust(|trouble, wait| match trouble {
                Trouble::Busy(_, asked) => wait.map(|wait| asked.unwrap_or(wait)),
                _ => wait,
            })
            .await
            .with_context(|| format!("asked {}", self.base))
    }

    async fn post_once(
        &self,
        path: &str,
        media: &str,
        accept: &str,
        body: Bytes,
    ) -> Result<reqwest::Response, Trouble> {
        let request = self.client.post(format!("{}{path}", self.base));
        let request = match &self.tenant {
            Some(tenant) => request.header("x-outspan-tenant", tenant),
            None => request,
        };
        let request = request
            .header(CONTENT_TYPE, media)
            .header(ACCEPT, accept)
            .body(body);
        let answer = request.send().await.map_err(Trouble::Unreached)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let seconds = answer
            .headers()
            .get(RETRY_AFTER)
            .and_then(|wait| wait.to_str().ok()?.parse().ok());
        let text = answer.text().await.unwrap_or_default();
        let said = said(&text).unwrap_or_else(|| format!("{status} {text}"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                Err(Trouble::Busy(said, seconds.map(Duration::from_secs)))
            }
            _ => Err(Trouble::Final(said)),
        }
    }

    /// Writes what our own server has buffered, and ends it.
    ///
    /// # Errors
    /// Where the tables cannot be written; the rows are in the log then.
    pub(super) async fn finish(self) -> anyhow::Result<()> {
        match self.own {
            Some(server) => server.stop().await,
            None => Ok(()),
        }
    }
}

/// Returns what the body of an error says, with its hint on a line of its own.
fn said(body: &str) -> Option<String> {
    let body: serde_json::Value = serde_json::from_str(body).ok()?;
    let error = body.get("error")?;
    let message = error.get("message")?.as_str()?;
    // Where many items were refused, the first one says what is wrong with them.
    let first = body
        .get("errors")
        .and_then(|all| all.get(0)?.get("message")?.as_str());
    let message = first.map_or_else(|| message.to_owned(), |first| format!("{message}: {first}"));
    let hint = error.get("hint").and_then(serde_json::Value::as_str);
    Some(hint.map_or_else(
        || message.clone(),
        |hint| format!("{message}\nhint: {hint}"),
    ))
}
