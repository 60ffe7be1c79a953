//! Upkeep on a beat: few large files instead of many small ones, none that nobody needs, and no row past its retention.

use std::convert::Infallible;
use std::time::Duration;

use tokio::time::interval;

use crate::base::Stop;
use crate::model::Table;

use super::{Error, Ledger};

/// How often small files are looked for.
const COMPACT_EVERY: Duration = Duration::from_secs(300);
/// How often rows whose time is over, and files that nobody needs, are looked for.
const TIDY_EVERY: Duration = Duration::from_secs(3600);
/// How long a file stays after its rows stand in another one: a reader of an older version may still be at it.
pub const KEPT_AFTER_REPLACED: Duration = Duration::from_secs(24 * 3600);

/// What a compaction did, over all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files before.
    pub files_before: usize,
    /// Files after.
    pub files_after: usize,
}

/// What a vacuum deleted, over all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// How many files.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
}

impl Ledger {
    /// Puts the small files of each table together where there are enough of them.
    ///
    /// # Errors
    /// Where the store fails; nothing has changed then for the table at hand.
    pub async fn compact(&self) -> Result<Compacted, Error> {
        let inner = &self.inner;
        let mut all = Compacted::default();
        for table in Table::ALL {
            let today = inner.clock.now().day();
            let done = inner.table(table).compact(today).await?;
            // A flush may have gone on meanwhile, or be about to show its own: the newer snapshot stays.
            inner
                .state
                .lock()
                .compacted(table, inner.table(table).snapshot());
            all.files_before += done.files_before;
            all.files_after += done.files_after;
            if done.files_before > done.files_after {
                let (before, after) = (done.files_before, done.files_after);
                tracing::info!(table = table.name(), before, after, "compacted");
            }
        }
        Ok(all)
    }

    /// Takes out the rows whose retention is over; their files are gone with the first vacuum a day later. Returns how many
    /// rows that were.
    ///
    /// # Errors
    /// Where the store fails; nothing has changed then for the table at hand.
    pub async fn expire(&self) -> Result<u64, Error> {
        let inner = &self.inner;
        let (mut rows, today) = (0, inner.clock.now().day());
        for table in Table::ALL {
            let Some(first) = inner.config.retention.first_day(table, today) else {
                continue;
            };
            let gone = inner.table(table).expire(first).await?;
            inner
                .state
                .lock()
                .compacted(table, inner.table(table).snapshot());
            rows += gone.rows;
            if gone.rows > 0 {
                tracing::info!(table = table.name(), rows = gone.rows, "expired");
            }
        }
        Ok(rows)
    }

    /// Deletes the files whose rows have stood in others for longer than `kept`, and those that were never committed.
    ///
    /// # Errors
    /// Where the store fails; what was deleted until then was not needed.
    pub async fn vacuum(&self, kept: Duration) -> Result<Vacuumed, Error> {
        let mut all = Vacuumed::default();
        for table in Table::ALL {
            let gone = self.inner.table(table).vacuum(kept).await?;
            all.files += gone.files.len();
            all.bytes += gone.bytes;
            if !gone.files.is_empty() {
                tracing::info!(
                    table = table.name(),
                    files = gone.files.len(),
                    bytes = gone.bytes,
                    "vacuumed"
                );
            }
        }
        Ok(all)
    }

    async fn tidy(&self) -> Result<(), Error> {
        self.expire().await?;
        self.vacuum(KEPT_AFTER_REPLACED).await?;
        Ok(())
    }

    pub(super) async fn tend_on_a_beat(self, mut stop: Stop) -> Result<(), Infallible> {
        let (mut compact, mut tidy) = (interval(COMPACT_EVERY), interval(TIDY_EVERY));
        // The first beat is at once; a server that just started has better things to do.
        compact.reset();
        tidy.reset();
        loop {
            let tidying_is_due = tokio::select! { biased;
                () = stop.asked() => return Ok(()),
                _ = tidy.tick() => true,
                _ = compact.tick() => false,
            };
            let work = async {
                match tidying_is_due {
                    true => self.tidy().await,
                    false => self.compact().await.map(drop),
                }
            };
            let done = tokio::select! { biased;
                // What is not committed never happened, and what is deleted was not needed.
                () = stop.asked() => return Ok(()),
                done = work => done,
            };
            if let Err(error) = done {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "upkeep failed, will be tried again");
            }
        }
    }
}
