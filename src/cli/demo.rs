//! `outspan demo`: a fresh server, sample agents sent to it over real OTLP, first answers.

use std::time::Duration;

use anyhow::Context;
use clap::Args;
use serde_json::Value;

use crate::base::Clock;

use super::config::{Listen, Settings};
use super::serve::Server;
use super::{output, serve, sql, target};

/// Replay sample agents into a fresh server and show first answers; keeps serving until stopped.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Exit after the answers
    #[arg(long)]
    once: bool,
    /// How often the sample is replayed, each time as other runs
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    runs: u32,
}

/// One OTLP/JSON request a line; times count from [`SAMPLE_BASE_NANOS`].
const TRACES: &str = include_str!("sample/traces.jsonl");
/// One outcome report a line, in the same time.
const OUTCOMES: &str = include_str!("sample/outcomes.jsonl");
/// 2026-01-01T00:00:00Z: where the sample's time begins. It lasts an hour at most.
const SAMPLE_BASE_NANOS: i64 = 1_767_225_600_000_000_000;
const SAMPLE_LENGTH: Duration = Duration::from_secs(3600);

/// What is asked at the end: a title, a query.
const QUESTIONS: [(&str, &str); 5] = [
    (
        "what came in, by agent and kind of step",
        "select service_name, kind, count(*) as spans, count(*) filter (where status = 'error') as errors \
         from spans group by service_name, kind order by service_name, spans desc",
    ),
    (
        "tokens by model",
        "select model, count(*) as calls, sum(tokens_input) as input, sum(tokens_cache_read) as cached, \
         sum(tokens_output) as output from spans where kind = 'llm' group by model order by input desc",
    ),
    (
        "tools that fail",
        "select tool_name, count(*) as calls, count(*) filter (where status = 'error') as errors, \
         max(error_class) as class from spans where kind = 'tool' group by tool_name \
         having count(*) filter (where status = 'error') > 0 order by errors desc, tool_name",
    ),
    (
        "outcomes, the latest report of each run",
        "with latest as (select trace_id, outcome, row_number() over (partition by trace_id order by reported_at desc) as nth \
         from outcomes) select outcome, count(*) as runs from latest where nth = 1 group by outcome order by runs desc, outcome",
    ),
    (
        "personal data that was taken out before anything was stored",
        "select slot, count(*) as texts, sum(redactions) as values_removed from span_content \
         where redactions > 0 group by slot order by slot",
    ),
];

/// Runs the command.
///
/// # Errors
/// Where the server cannot start or does not take the sample.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("there is no room for a fresh store")?;
    // Whatever is configured here is somebody's real store: the demo has nothing to do with it.
    let data = dir.path().to_string_lossy().into_owned();
    let settings = Settings {
        data,
        listen: Listen::free(),
        ..Settings::default()
    };
    let server = Server::start(&settings).await?;
    let base = format!("http://{}", server.addresses.http);
    let target = target::Flags {
        server: Some(base.clone()),
        data: None,
    }
    .open(false)
    .await?;
    replay(&target, flags.runs).await?;
    for (title, query) in QUESTIONS {
        let answer = target
            .sql(query, "application/vnd.apache.arrow.stream")
            .await?;
        output::line(format_args!(
            "\n{title}\n{}",
            sql::table(&answer.bytes().await?)?
        ));
    }
    if !flags.once {
        output::line(format_args!(
            "\nserving on {base} until stopped; ask: outspan sql --server {base} \"select * from spans limit 5\""
        ));
        serve::signal().await;
    }
    server.stop().await
}

async fn replay(target: &target::Target, times: u32) -> anyhow::Result<()> {
    let now = Clock::system().now().0;
    let length = i64::try_from(SAMPLE_LENGTH.as_nanos())?;
    let (mut requests, mut reports) = (0, String::new());
    for round in 0..times {
        let shift = now - length - SAMPLE_BASE_NANOS;
        for line in TRACES.lines() {
            let mut request: Value = serde_json::from_str(line)?;
            moved(&mut request, shift, round);
            let body = serde_json::to_vec(&request)?.into();
            target
                .post("/v1/traces", "application/json", "application/json", body)
                .await?;
            requests += 1;
        }
        for line in OUTCOMES.lines() {
            let mut report: Value = serde_json::from_str(line)?;
            moved(&mut report, shift, round);
            reports.push_str(&report.to_string());
            reports.push('\n');
        }
    }
    target
        .post(
            "/api/v1/outcomes",
            "application/x-ndjson",
            "application/json",
            reports.into(),
        )
        .await?;
    output::line(format_args!(
        "replayed {requests} requests of sample agents over OTLP"
    ));
    Ok(())
}

/// Moves the times of a request by `shift` nanoseconds, and gives the traces of a later round ids of their own.
fn moved(value: &mut Value, shift: i64, round: u32) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| moved(item, shift, round)),
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match (name.as_str(), &field) {
                    (name, _) if name.ends_with("nixNano") || name.ends_with("unix_nano") => {
                        let nanos = field.as_i64().or_else(|| field.as_str()?.parse().ok());
                        if let Some(nanos) = nanos {
                            *field = (nanos + shift).to_string().into();
                        }
                    }
                    ("traceId" | "trace_id", Value::String(id)) => {
                        *field = id.get(8..).map(|rest| format!("{round:08x}{rest}")).into();
                    }
                    _ => moved(field, shift, round),
                }
            }
        }
        _ => {}
    }
}
