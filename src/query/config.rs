//! How much a query may cost, as plain data.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of an [`Engine`](super::Engine); what the text of a query may hold is fixed in `gate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Worker threads that run queries. More than there are cores, so that one stubborn query leaves some to the others.
    pub threads: usize,
    /// Into how many partitions one query is split.
    pub partitions: usize,
    /// Queries that may run at once; one more is refused as busy.
    pub queries_max: usize,
    /// Plans that may be made at once, those given up on but not yet ended included.
    pub planning_threads: usize,
    /// Memory that the operators of all queries share; beyond it they spill or fail.
    pub memory_bytes: usize,
    /// Where operators spill; the system's temporary directory where absent.
    pub spill_dir: Option<PathBuf>,
    /// Disk that all spills share; 0 turns spilling off.
    pub spill_bytes_max: u64,
    /// How long a query may take from its arrival to its last row; a query may ask for less.
    pub deadline_ms: u64,
    /// How long the planning of a query may take, inside `deadline_ms`.
    pub planning_deadline_ms: u64,
    /// Rows of one answer; the rest is cut off and the answer marked as truncated.
    pub rows_max: usize,
    /// Bytes of one answer in Arrow's layout; beyond it the query fails.
    pub result_bytes_max: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            threads: std::thread::available_parallelism()
                .map_or(4, usize::from)
                .max(2)
                * 2,
            partitions: 2,
            queries_max: 32,
            planning_threads: 4,
            memory_bytes: 256 << 20,
            spill_dir: None,
            spill_bytes_max: 4 << 30,
            deadline_ms: 60_000,
            planning_deadline_ms: 5_000,
            rows_max: 100_000,
            result_bytes_max: 256 << 20,
        }
    }
}

impl Config {
    pub(super) fn deadline(&self) -> Duration {
        Duration::from_millis(self.deadline_ms)
    }

    pub(super) fn planning_deadline(&self) -> Duration {
        Duration::from_millis(self.planning_deadline_ms)
    }
}
