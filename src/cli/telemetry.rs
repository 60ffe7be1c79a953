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
            Ok(handle) => drop(RECORDER.set(handle)),
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

/// Starts logging to standard error; `RUST_LOG` sets the level, `info` where it says nothing.
pub(super) fn logs() {
    use tracing_subscriber::{EnvFilter, fmt};
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let started = fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .try_init();
    drop(started);
}

/// Returns the bytes that the process has allocated; 0 where the allocator cannot say.
pub(super) fn allocated_bytes() -> usize {
    #[cfg(not(target_env = "msvc"))]
    {
        let advanced = tikv_jemalloc_ctl::epoch::advance();
        advanced
            .and_then(|_| tikv_jemalloc_ctl::stats::allocated::read())
            .unwrap_or(0);
    }
    #[cfg(target_env = "msvc")]
    0
}
