//! Compaction on a beat: few large files instead of many small ones.

use std::convert::Infallible;
use std::time::Duration;

use crate::base::Stop;
use crate::model::Table;

use super::{Error, Ledger};

/// How often the tables are looked over.
const BEAT: Duration = Duration::from_secs(300);

/// What a compaction did, over all tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files before.
    pub files_before: usize,
    /// Files after.
    pub files_after: usize,
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
                tracing::info!(
                    table = table.name(),
                    before = done.files_before,
                    after = done.files_after,
                    "compacted"
                );
            }
        }
        Ok(all)
    }

    pub(super) async fn tend_on_a_beat(self, mut stop: Stop) -> Result<(), Infallible> {
        let mut beat = tokio::time::interval(BEAT);
        // The first beat is at once; a server that just started has better things to do.
        beat.reset();
        loop {
            tokio::select! { biased;
                () = stop.asked() => return Ok(()),
                _ = beat.tick() => {}
            }
            let compacted = tokio::select! { biased;
                // What a compaction has not committed yet never happened.
                () = stop.asked() => return Ok(()),
                compacted = self.compact() => compacted,
            };
            if let Err(error) = compacted {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "compaction failed, will be tried again"
                );
            }
        }
    }
}
