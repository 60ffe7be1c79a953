//! Buffer -> table, then the log may forget.
//!
//! Tables are committed one by one, owners last (see [`Table::ALL`]); each swap of a snapshot for rows is one step under
//! the lock, so a query never sees a row twice or not at all. A flush that fails half-way leaves the rest in the buffer
//! and in the log; the next one goes on where it stopped, because a commit carries its sequence number.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::base::{Stop, Timestamp};
use crate::model::Table;
use crate::table::Commit;

use super::{Error, Inner, Ledger, local, seconds_since};

/// How often it is asked whether a flush is due; more often where rows may not wait that long.
const BEAT: Duration = Duration::from_secs(1);

impl Ledger {
    /// Writes all rows that came so far to their tables, and lets the log forget them.
    ///
    /// # Errors
    /// Where the store or the log fails; nothing is lost, and a later flush goes on.
    pub async fn flush(&self) -> Result<(), Error> {
        let started = self.inner.clock.now();
        let sequence = self.flush_tables().await?;
        let inner = Arc::clone(&self.inner);
        let forgotten = tokio::task::spawn_blocking(move || inner.forget(sequence)).await;
        forgotten.map_err(|error| Error::Bug(error.to_string()))??;
        metrics::histogram!("outspan_flush_seconds")
            .record(seconds_since(started, self.inner.clock.now()));
        Ok(())
    }

    /// Writes all rows that came so far to their tables; returns the sequence number up to which they have all. The log
    /// keeps everything: during a replay it is still being read.
    pub(super) async fn flush_tables(&self) -> Result<u64, Error> {
        let inner = &self.inner;
        let _one_at_a_time = inner.flushing.lock().await;
        // In this order: a row that comes between the two is flushed too early rather than forgotten.
        let oldest = inner.oldest.swap(i64::MAX, Ordering::SeqCst);
        let sequence = inner.state.lock().sequence;
        for table in Table::ALL {
            if let Err(error) = self.flush_table(table, sequence).await {
                inner.oldest.fetch_min(oldest, Ordering::SeqCst);
                metrics::counter!("outspan_flush_failures_total", "table" => table.name())
                    .increment(1);
                return Err(error);
            }
        }
        Ok(sequence)
    }

    async fn flush_table(&self, table: Table, sequence: u64) -> Result<(), Error> {
        let inner = &self.inner;
        let (rows, dead) = {
            let state = inner.state.lock();
            (
                state.buffer.rows_up_to(table, sequence),
                Arc::clone(&state.dead[table.index()]),
            )
        };
        if rows.is_empty() && dead.is_empty() {
            return Ok(());
        }
        let started = inner.clock.now();
        let count: usize = rows.iter().map(arrow::array::RecordBatch::num_rows).sum();
        let commit = Commit {
            rows,
            dead: Arc::clone(&dead),
            sequence,
        };
        let snapshot = inner.table(table).commit(commit).await?;
        inner.state.lock().flushed(table, snapshot, sequence, &dead);
        let seconds = seconds_since(started, inner.clock.now());
        metrics::histogram!("outspan_commit_seconds", "table" => table.name()).record(seconds);
        metrics::counter!("outspan_committed_rows_total", "table" => table.name())
            .increment(count as u64);
        tracing::debug!(
            table = table.name(),
            rows = count,
            sequence,
            seconds,
            "committed"
        );
        Ok(())
    }

    /// Flushes when rows are old enough, too many, or fill the log; until a stop is asked for.
    pub(super) async fn flush_on_a_beat(self, mut stop: Stop) -> Result<(), Infallible> {
        let mut beat = tokio::time::interval(self.beat());
        loop {
            tokio::select! { biased;
                () = stop.asked() => return Ok(()),
                () = self.inner.large.notified() => {}
                _ = beat.tick() => if !self.flush_is_due() { continue },
            }
            if let Err(error) = self.flush().await {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "flush failed, will be tried again"
                );
                beat.reset();
            }
        }
    }

    fn beat(&self) -> Duration {
        BEAT.min(Duration::from_millis(
            self.inner.config.flush_after_ms.max(10),
        ))
    }

    fn flush_is_due(&self) -> bool {
        let oldest = Timestamp(self.inner.oldest.load(Ordering::SeqCst));
        is_due(
            oldest,
            self.inner.clock.now(),
            self.inner.config.flush_after_ms,
        ) || self.inner.wal.over_soft_cap()
    }
}

impl Inner {
    /// Lets the log forget what the tables hold. On a full disk that takes room for a new segment first.
    fn forget(&self, sequence: u64) -> Result<(), Error> {
        let wal_dir = self.config.wal_dir();
        if self.disk_is_full.swap(false, Ordering::SeqCst) {
            local::release_reserve(&wal_dir);
        }
        let forgotten = self.wal.forget(sequence);
        local::keep_reserve(&wal_dir);
        Ok(forgotten?)
    }
}

/// Returns whether rows that wait since `oldest` (the end of time, where none do) have waited long enough.
fn is_due(oldest: Timestamp, now: Timestamp, after_ms: u64) -> bool {
    let waited = now.0.saturating_sub(oldest.0);
    u64::try_from(waited).is_ok_and(|waited| waited / 1_000_000 >= after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_is_due_when_the_oldest_row_is_old_enough_and_never_without_rows() {
        let now = Timestamp(100_000_000_000);
        assert!(is_due(Timestamp(70_000_000_000), now, 30_000));
        assert!(!is_due(Timestamp(70_000_000_001), now, 30_000));
        assert!(!is_due(Timestamp(i64::MAX), now, 30_000));
        assert!(
            !is_due(Timestamp(200_000_000_000), now, 30_000),
            "a clock that went back makes nothing due"
        );
    }
}
