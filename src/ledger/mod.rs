//! The engine: strings the stages together, and keeps the promises that need more than one of them.
//!
//! [`Ledger`] is a cheap handle. A batch that `ingest` answers for is durable and visible; a row is in each answer exactly
//! once, whether it is in the buffer, on its way, or in its table. Nothing here knows a socket or a protocol.

mod config;
mod entry;
mod error;
mod flush;
mod ingest;
mod local;
mod recover;
mod state;
#[cfg(test)]
mod tests;
mod upkeep;
mod view;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::{Clock, Tasks};
use crate::model::Table;
use crate::normalise::Secrets;
use crate::query::{self, Answer, Query};
use crate::redact::Rules;
use crate::table::DeltaTable;
use crate::wal::{self, Wal};

pub use config::{Config, Retention};
pub use error::{Error, Kind};
pub use ingest::{Receipt, Sender};
pub use recover::Parts;
pub use upkeep::{Compacted, KEPT_AFTER_REPLACED, Vacuumed};

use state::State;
use view::View;

/// The open engine. Clones are the same engine.
#[derive(Clone)]
pub struct Ledger {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    clock: Clock,
    secrets: Secrets,
    rules: Rules,
    packers: entry::Packers,
    wal: Wal,
    tables: Vec<DeltaTable>,
    engine: query::Engine,
    /// Shared with the log's thread, which puts rows in once they are durable.
    state: Arc<Mutex<State>>,
    /// Held by the flush under way: there is one at a time.
    flushing: tokio::sync::Mutex<()>,
    /// Rung when the buffer has become large.
    large: Arc<Notify>,
    /// When the oldest row that no table holds went in, Unix nanoseconds; `i64::MAX` where there is none.
    oldest: Arc<AtomicI64>,
    /// Whether the log's disk was full since the last flush.
    disk_is_full: Arc<AtomicBool>,
    closed: AtomicBool,
}

/// Figures of the engine at one moment, for `/metrics`.
#[derive(Clone, Copy, Debug)]
pub struct Stats {
    /// Figures of the log.
    pub wal: wal::Stats,
    /// Records of the log that the tables do not hold yet.
    pub wal_lag_records: u64,
    /// Bytes of rows that no table holds yet.
    pub buffer_bytes: usize,
    /// How many they are.
    pub buffer_rows: usize,
    /// Keys that are recognised without a look into files.
    pub recent_keys: usize,
    /// Rows in files that a better version replaced and the next flush takes out.
    pub dead_rows: usize,
    /// Rows in files.
    pub stored_rows: u64,
    /// Bytes of files.
    pub stored_bytes: u64,
    /// Files.
    pub stored_files: usize,
}

impl Ledger {
    /// Starts one query over the tables as they are now; its tables are filled in here.
    ///
    /// # Errors
    /// See [`query::Error`]: nearly always something to change in the query.
    pub async fn query(&self, mut question: Query) -> Result<Answer, query::Error> {
        question.tables = View::of(&self.inner.state.lock()).providers();
        let asked = self.inner.clock.now();
        let answer = self.inner.engine.run(question).await;
        let seconds = seconds_since(asked, self.inner.clock.now());
        metrics::histogram!("outspan_query_plan_seconds").record(seconds);
        let outcome = answer.as_ref().err().map_or("started", query::Error::code);
        metrics::counter!("outspan_queries_total", "outcome" => outcome).increment(1);
        answer
    }

    /// Returns how many rows an answer may have.
    pub fn rows_max(&self) -> usize {
        self.inner.config.query.rows_max
    }

    /// Returns the figures.
    pub fn stats(&self) -> Stats {
        let state = self.inner.state.lock();
        let wal = self.inner.wal.stats();
        let flushed = state
            .snapshots
            .iter()
            .filter_map(|snapshot| snapshot.flushed_sequence())
            .max();
        Stats {
            wal,
            wal_lag_records: wal.durable_sequence.saturating_sub(flushed.unwrap_or(0)),
            buffer_bytes: state.buffer.bytes(),
            buffer_rows: state.buffer.num_rows(),
            recent_keys: state.recent.iter().map(crate::buffer::Recent::len).sum(),
            dead_rows: state.dead.iter().map(|dead| dead.len()).sum(),
            stored_rows: state.snapshots.iter().map(|snapshot| snapshot.rows()).sum(),
            stored_bytes: state
                .snapshots
                .iter()
                .map(|snapshot| snapshot.bytes())
                .sum(),
            stored_files: state
                .snapshots
                .iter()
                .map(|snapshot| snapshot.files().len())
                .sum(),
        }
    }

    /// Leaves a word, such as the server's address, that another process finds in the log's lock file.
    ///
    /// # Errors
    /// Where the lock file cannot be written.
    pub fn announce(&self, word: &str) -> Result<(), Error> {
        Ok(self.inner.wal.announce(word)?)
    }

    /// Starts the work that goes on by itself: flushes, upkeep, and the watch over the log.
    pub fn start(&self, tasks: &Tasks) {
        let ledger = self.clone();
        tasks.spawn("flush", |stop| ledger.flush_on_a_beat(stop));
        let ledger = self.clone();
        tasks.spawn("upkeep", |stop| ledger.tend_on_a_beat(stop));
        let failure = self.inner.wal.poisoned();
        tasks.spawn("log watch", |mut stop| async move {
            tokio::select! {
                () = stop.asked() => Ok(()),
                // Acknowledging nothing more, the server can only be started again.
                error = failure => Err(error),
            }
        });
    }

    /// Takes no more batches, writes what is buffered to the tables, and closes the log.
    ///
    /// # Errors
    /// Where a table or the log fails; the rows are in the log then, and are there when it is opened again.
    pub async fn close(&self) -> Result<(), Error> {
        self.stop_taking();
        let flushed = self.flush().await;
        let wal = Arc::clone(&self.inner);
        let closed = tokio::task::spawn_blocking(move || wal.wal.close()).await;
        flushed?;
        closed.map_err(|error| Error::Bug(error.to_string()))??;
        Ok(())
    }

    /// Returns whether batches are taken.
    pub fn is_ready(&self) -> bool {
        !self.inner.closed.load(Ordering::SeqCst) && !self.inner.wal.is_poisoned()
    }

    /// Takes no more batches; queries go on.
    pub fn stop_taking(&self) {
        self.inner.closed.store(true, Ordering::SeqCst);
    }
}

impl Inner {
    fn table(&self, table: Table) -> &DeltaTable {
        &self.tables[table.index()]
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ledger")
            .field("config", &self.inner.config)
            .finish_non_exhaustive()
    }
}

/// Returns the seconds between two moments; 0 where the clock went back.
fn seconds_since(from: crate::base::Timestamp, to: crate::base::Timestamp) -> f64 {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a metric; nanoseconds of a century fit well enough"
    )]
    let nanos = (to.0 - from.0).max(0) as f64;
    nanos / 1e9
}
