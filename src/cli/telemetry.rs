//! What the program says of itself: structured logs without content, Prometheus metrics, bytes allocated.

use std::sync::{Arc, OnceLock};

use anyhow::anyhow;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets of every `..._seconds` histogram: from a tenth of a millisecond to ten seconds.
const SECONDS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];

/// The recorder is the process's: a second server in one process shares it.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Installs the metrics recorder and returns what renders it.
///
/// # Errors
/// Where another recorder is installed.
pub(super) fn metrics() -> anyhow::Result<Arc<dyn Fn() -> String + Send + Sync>> {
    if RECORDER.get().is_none() {
        let recorder = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
            .install_recorder();
        match recorder {
            Ok(handle) => {
                drop(RECORDER.set(handle));
                describe();
            }
            Err(error) if RECORDER.get().is_none() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let handle = RECORDER
        .get()
        .ok_or_else(|| anyhow!("no metrics recorder"))?
        .clone();
    Ok(Arc::new(move || handle.render()))
}

/// Starts logging to standard error, as text for a person at a terminal and as JSON elsewhere. `RUST_LOG` sets the level;
/// where it says nothing, ours is `info` and that of the libraries below `warn`.
pub(super) fn logs() {
    use std::io::IsTerminal;
    use tracing_subscriber::{EnvFilter, fmt};
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn,outspan=info"));
    let logs = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match std::io::stderr().is_terminal() {
        true => logs.with_target(false).try_init(),
        false => logs.json().flatten_event(true).try_init(),
    };
    // Logging that somebody else started is logging too.
    drop(started);
}

/// What the most asked-for metrics mean; the rest is named after what it counts.
const METRICS: [(&str, &str); 17] = [
    (
        "outspan_receive_requests_total",
        "requests by signal, transport, encoding and status",
    ),
    (
        "outspan_receive_items_total",
        "spans, log records, metric points and reports received",
    ),
    ("outspan_receive_rejected_total", "items refused, by reason"),
    (
        "outspan_receive_in_flight_bytes",
        "bytes of requests under way, inflated",
    ),
    (
        "outspan_rows_taken_total",
        "rows that were new or better than what was known",
    ),
    ("outspan_rows_repeated_total", "rows that had come before"),
    (
        "outspan_redactions_total",
        "values taken out before anything was stored, by class",
    ),
    ("outspan_wal_bytes", "bytes of the log"),
    (
        "outspan_wal_lag_records",
        "records of the log that no table holds yet",
    ),
    (
        "outspan_wal_refused_total",
        "appends to the log that were refused, by reason",
    ),
    (
        "outspan_buffer_bytes",
        "bytes of rows that no table holds yet",
    ),
    (
        "outspan_flush_seconds",
        "how long a flush of all tables took",
    ),
    (
        "outspan_flush_failures_total",
        "flushes that failed and are tried again",
    ),
    ("outspan_commit_seconds", "how long one table's commit took"),
    ("outspan_queries_total", "queries by how they began"),
    (
        "outspan_query_plan_seconds",
        "how long a query waited for its first batch to begin",
    ),
    ("outspan_table_files", "files of all tables"),
];

fn describe() {
    for (name, text) in METRICS {
        match name {
            name if name.ends_with("_total") => metrics::describe_counter!(name, text),
            name if name.ends_with("_seconds") => metrics::describe_histogram!(name, text),
            name => metrics::describe_gauge!(name, text),
        }
    }
}

/// Returns the bytes that the process has allocated; 0 where the allocator cannot say.
#[cfg(not(target_env = "msvc"))]
pub(super) fn allocated_bytes() -> usize {
    let advanced = tikv_jemalloc_ctl::epoch::advance();
    advanced
        .and_then(|_| tikv_jemalloc_ctl::stats::allocated::read())
        .unwrap_or(0)
}

/// Returns 0: this allocator cannot say how much it gave away.
#[cfg(target_env = "msvc")]
pub(super) fn allocated_bytes() -> usize {
    0
}
