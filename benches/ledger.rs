//! Speed of the real program, from outside: what a span costs from the socket to the table, and what an answer takes.
//!
//! `cargo bench` starts `outspan serve` as a child process for each section, sends it spans of invented agents over OTLP,
//! asks it questions over HTTP, and prints one table with the budgets of the design beside the figures. CPU time is the
//! child's own (`/proc/PID/stat`), so the load generator on the same cores costs it nothing but waiting. No figure is a
//! test; but a server that miscounts ends the bench.
#![expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a bench reads the clock, and prints figures"
)]

mod report;
mod send;
mod server;
mod spans;
mod words;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use clap::Parser;

use report::{Budget, Report};
use send::{Asker, Door, Sent};
use server::Server;
use spans::{Generator, Request, SPANS_A_TRACE};

/// As many spans as a batching exporter sends by default.
const EXPORT: usize = 512;
const CLIENTS: usize = 16;
const SEED: u64 = 2_026;
/// Requests are made this many spans at a time, so that a large load does not stand in memory.
const CHUNK: usize = 64 * 1_024;
const MB: f64 = 1e6;

/// Measures outspan.
#[derive(Debug, Parser)]
struct Options {
    /// Spans of each ingest section without content; a third as many with
    #[arg(long, default_value_t = 600_000)]
    spans: usize,
    /// Spans of the store that is asked
    #[arg(long, default_value_t = 400_000)]
    stored: usize,
    /// Sections to run, all by default: start, ingest, resent, acknowledge, ask
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// The program to measure
    #[arg(long, default_value = env!("CARGO_BIN_EXE_outspan"))]
    binary: PathBuf,
    /// Where data goes; on a disk whose sync is real
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    folder: PathBuf,
    /// Said by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Options {
    fn wants(&self, section: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == section)
    }
}

struct Bench {
    options: Options,
    report: Report,
    /// Holds every section's data; goes with the bench.
    folder: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let options = Options::parse();
    let folder = options.folder.join(format!("bench-{}", std::process::id()));
    fs::create_dir_all(&folder)?;
    let mut bench = Bench {
        options,
        report: Report::default(),
        folder,
    };
    let done = bench.run().await;
    if done.is_ok() {
        fs::remove_dir_all(&bench.folder)?;
    } else {
        eprintln!("data and logs are kept in {}", bench.folder.display());
    }
    println!("\n{}\n\n{}", machine(), bench.report);
    done
}

/// Says on what the figures were taken.
fn machine() -> String {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .unwrap_or(": unknown processor");
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(3).collect();
    format!(
        "{cores} cores,{}, load {} (the bench's own included)",
        model.trim_start_matches(['\t', ':']),
        load.join(" ")
    )
}

impl Bench {
    async fn run(&mut self) -> Result<()> {
        if self.options.wants("start") {
            self.start().await?;
        }
        for content in [false, true] {
            for door in [Door::Http, Door::Grpc] {
                if self.options.wants("ingest") {
                    self.ingest(door, content, 0).await?;
                }
            }
        }
        for resent in [1, 50] {
            if self.options.wants("resent") {
                self.ingest(Door::Http, false, resent).await?;
            }
        }
        if self.options.wants("acknowledge") {
            self.acknowledge().await?;
        }
        if self.options.wants("ask") {
            self.ask().await?;
        }
        Ok(())
    }

    /// A new server on a new folder.
    fn server(&self, name: &str) -> Result<(Server, PathBuf)> {
        eprintln!("{name} ...");
        let data = self.folder.join("store");
        Ok((Server::start(&self.options.binary, &data)?, data))
    }

    async fn start(&mut self) -> Result<()> {
        let (server, data) = self.server("start")?;
        self.report.section("start, empty store");
        self.report.row(
            "until all doors accept",
            server.started_in.as_secs_f64(),
            "s",
            Budget::AtMost(0.1),
        );
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.report.row(
            "memory, idle",
            server.memory()? / MB,
            "MB",
            Budget::AtMost(40.0),
        );
        server.stop()?;
        Ok(fs::remove_dir_all(data)?)
    }

    /// Sends spans as fast as they are acknowledged, then stops the server, which writes all to the tables.
    async fn ingest(&mut self, door: Door, content: bool, resent: usize) -> Result<()> {
        let with = if content {
            "with content"
        } else {
            "without content"
        };
        let again = if resent == 0 {
            String::new()
        } else {
            format!(", {resent} % sent before")
        };
        let name = format!("ingest over {door:?}, {with}{again}");
        let (server, data) = self.server(&name)?;
        let asker = Asker::new(&server.addresses)?;
        let spans = if content {
            self.options.spans / 3
        } else {
            self.options.spans
        };
        let ready = server.cpu_seconds()?;
        let mut load = Load::new(content);
        load.send(&server, door, spans, EXPORT, resent).await?;
        let acknowledged = server.cpu_seconds()?;
        let peak = server.memory_peak()?;
        load.check(&asker).await?;
        let timers = asker.timers().await?;
        let asking = server.cpu_seconds()? - acknowledged;
        let stored = server.stop()? - asking;

        self.report.section(format!(
            "{name}: {} spans of {:.0} B",
            load.spans,
            load.bytes / load.spans
        ));
        self.ingested(&mut load, acknowledged - ready, stored - ready, content);
        self.report
            .row("memory, most", peak / MB, "MB", Budget::AtMost(1_000.0));
        self.timers(&timers);
        if resent == 0 {
            self.disk(&data, load.new, content)?;
        }
        Ok(fs::remove_dir_all(data)?)
    }

    /// What it cost in CPU seconds to acknowledge the load, and to have it in its tables.
    fn ingested(&mut self, load: &mut Load, acknowledged: f64, stored: f64, content: bool) {
        let floor = Budget::AtLeast(if content { 39_000.0 } else { 150_000.0 });
        let wall = load.sent.wall.as_secs_f64();
        let mut row = |what, figure, unit, budget| self.report.row(what, figure, unit, budget);
        row(
            "durable",
            load.spans / acknowledged,
            "spans/CPU-s",
            Budget::None,
        );
        row(
            "durable and in its table",
            load.spans / stored,
            "spans/CPU-s",
            floor,
        );
        row(
            "durable and in its table",
            load.bytes / MB / stored,
            "MB/CPU-s",
            Budget::None,
        );
        row(
            "on the clock, until acknowledged",
            load.spans / wall,
            "spans/s",
            Budget::None,
        );
        row(
            "asked to come later",
            load.sent.refused as f64,
            "times",
            Budget::None,
        );
        let wait = format!("acknowledgement of {EXPORT} spans, {CLIENTS} clients");
        self.report
            .percentiles(&wait, &mut load.sent.waits, Budget::None, Budget::None);
    }

    /// Flushes and commits that happened while spans came in.
    fn timers(&mut self, timers: &[(String, f64, f64)]) {
        for (name, sum, count) in timers.iter().filter(|(_, _, count)| *count > 0.0) {
            let name = name
                .replace("outspan_", "")
                .replace("{table=\"", " of ")
                .replace("\"}", "");
            self.report.row(
                format!("{name}, mean of {count}"),
                sum / count * 1_000.0,
                "ms",
                Budget::None,
            );
        }
    }

    /// Bytes a span, by table.
    fn disk(&mut self, data: &Path, spans: f64, content: bool) -> Result<()> {
        let mut all = 0.0;
        let mut tables: Vec<PathBuf> = Vec::new();
        for entry in fs::read_dir(data.join("tables"))? {
            tables.push(entry?.path());
        }
        tables.sort();
        for table in tables {
            let (parquet, other) = server::table_bytes(&table)?;
            if parquet > 0.0 {
                let name = table.file_name().unwrap_or_default().to_string_lossy();
                self.report.row(
                    format!("on disk, {name}"),
                    parquet / spans,
                    "B/span",
                    Budget::None,
                );
                self.report.row(
                    format!("on disk, {name}, its Delta log"),
                    other / spans,
                    "B/span",
                    Budget::None,
                );
                all += parquet;
            }
        }
        let most = if content { 420.0 } else { 40.0 };
        self.report.row(
            "on disk, all tables",
            all / spans,
            "B/span",
            Budget::AtMost(most),
        );
        Ok(())
    }

    /// Small requests, so that the wait is the log's and not the decoder's.
    async fn acknowledge(&mut self) -> Result<()> {
        const SMALL: usize = 32;
        let (server, data) = self.server("acknowledge")?;
        let asker = Asker::new(&server.addresses)?;
        let mut load = Load::new(true);
        load.send(&server, Door::Http, 2_000 * SMALL, SMALL, 0)
            .await?;
        load.check(&asker).await?;
        server.stop()?;
        self.report.section(format!(
            "acknowledgement, which implies visible: {CLIENTS} clients, {SMALL} spans a request"
        ));
        let wait = "durable and visible";
        self.report.percentiles(
            wait,
            &mut load.sent.waits,
            Budget::None,
            Budget::AtMost(100.0),
        );
        Ok(fs::remove_dir_all(data)?)
    }

    async fn ask(&mut self) -> Result<()> {
        let (server, data) = self.server("ask")?;
        let mut load = Load::new(true);
        load.send(&server, Door::Http, self.options.stored, EXPORT, 0)
            .await?;
        server.stop()?;
        let server = Server::start(&self.options.binary, &data)?;
        let asker = Asker::new(&server.addresses)?;
        load.check(&asker).await?;
        self.report.section(format!(
            "a store of {} spans with content, all in tables",
            load.new
        ));
        self.report.row(
            "start after a clean stop",
            server.started_in.as_secs_f64(),
            "s",
            Budget::AtMost(2.0),
        );
        self.traces(&asker, &mut load).await?;
        self.report.section("ten scans, the best of three");
        for (name, sql) in SCANS {
            let mut best = Duration::MAX;
            for _ in 0..3 {
                let began = Instant::now();
                asker.rows(sql).await?;
                best = best.min(began.elapsed());
            }
            self.report
                .row(*name, report::millis(best), "ms", Budget::None);
        }
        self.report.row(
            "memory, most",
            server.memory_peak()? / MB,
            "MB",
            Budget::AtMost(1_000.0),
        );
        server.stop()?;
        Ok(fs::remove_dir_all(data)?)
    }

    async fn traces(&mut self, asker: &Asker, load: &mut Load) -> Result<()> {
        let mut waits = Vec::new();
        for round in 0..220 {
            let trace = load.generator.some_trace();
            let sql = format!(
                "select span_id, parent_span_id, name, kind, status, ts, duration_ns, tokens_input, tokens_output \
                 from spans where trace_id = '{trace}' order by start_unix_nano"
            );
            let began = Instant::now();
            let rows = asker.rows(&sql).await?;
            let wait = began.elapsed();
            // The load may end within a trace.
            ensure!(
                !rows.is_empty() && rows.len() <= SPANS_A_TRACE,
                "trace {trace} has {} spans",
                rows.len()
            );
            if round >= 20 {
                waits.push(wait);
            }
        }
        self.report.percentiles(
            "trace by id, warm",
            &mut waits,
            Budget::AtMost(50.0),
            Budget::None,
        );
        Ok(())
    }
}

/// Spans on their way to a server, and what came of them.
struct Load {
    generator: Generator,
    sent: Sent,
    spans: f64,
    new: f64,
    bytes: f64,
}

impl Load {
    fn new(content: bool) -> Self {
        let generator = Generator::new(SEED, content);
        Self {
            generator,
            sent: Sent::default(),
            spans: 0.0,
            new: 0.0,
            bytes: 0.0,
        }
    }

    async fn send(
        &mut self,
        to: &Server,
        door: Door,
        spans: usize,
        per_request: usize,
        resent: usize,
    ) -> Result<()> {
        let mut left = spans;
        while left > 0 {
            let now = left.min(CHUNK);
            left -= now;
            let requests = self.generator.requests(now, per_request, resent);
            self.spans += requests.iter().map(|request| request.spans).sum::<usize>() as f64;
            self.new += requests.iter().map(|request| request.new).sum::<usize>() as f64;
            self.bytes += requests.iter().map(Request::size).sum::<usize>() as f64;
            self.sent
                .extend(send::send(door, &to.addresses, requests, CLIENTS).await?);
        }
        Ok(())
    }

    /// A server that loses a span, or counts one twice, is not worth measuring.
    async fn check(&self, asker: &Asker) -> Result<()> {
        let counted = asker
            .count("spans")
            .await
            .context("cannot count the spans")?;
        ensure!(
            counted as f64 == self.new,
            "{} spans were sent, {counted} are counted",
            self.new
        );
        Ok(())
    }
}

/// Questions over raw spans, as people ask them before there is a named one.
const SCANS: &[(&str, &str)] = &[
    (
        "spans by kind",
        "select kind, count(*) from spans group by kind order by kind",
    ),
    (
        "tokens by model and day",
        "select date_trunc('day', ts) as day, model, sum(tokens_input), sum(tokens_output) from spans \
         where kind = 'llm' group by day, model order by day, model",
    ),
    (
        "tool calls: share of errors, p95",
        "select tool_name, count(*), avg(case when status = 'error' then 1.0 else 0.0 end), \
         approx_percentile_cont(0.95) within group (order by duration_ns) from spans where kind = 'tool' \
         group by tool_name order by tool_name",
    ),
    (
        "one hour of one service",
        "select count(*), sum(tokens_output) from spans where service_name = 'support-agent' \
         and ts >= timestamp '2026-09-01T01:00:00Z' and ts < timestamp '2026-09-01T02:00:00Z'",
    ),
    (
        "errors by class and service",
        "select service_name, error_class, count(*) from spans where status = 'error' \
         group by service_name, error_class order by service_name, error_class",
    ),
    (
        "the twenty traces with most tokens",
        "select trace_id, sum(tokens_input + tokens_output) as tokens from spans where kind = 'llm' \
         group by trace_id order by tokens desc, trace_id limit 20",
    ),
    (
        "distinct users and sessions",
        "select count(distinct user_id), count(distinct session_id) from spans",
    ),
    (
        "an attribute that has no column",
        "select count(*) from spans where attributes like '%\"server.address\":\"api.anthropic.com\"%'",
    ),
    (
        "a word in what models said",
        "select count(*) from span_content where slot = 'output_messages' and body like '%gearbox%'",
    ),
    (
        "content by model, joined",
        "select s.model, count(*), sum(c.bytes_in) from spans s join span_content c \
         on c.tenant = s.tenant and c.trace_id = s.trace_id and c.span_id = s.span_id \
         where c.slot = 'input_messages' group by s.model order by s.model",
    ),
];
