//! One batch down the whole way, and its acknowledgement.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use crate::buffer::Known;
use crate::model::{Key, Micros, RawBatch, RawOutcome, Rejected, Table};
use crate::normalise::{Context, TenantPolicy, normalise, outcomes};
use crate::redact::{Redacted, redact};
use crate::table::{Snapshot, Sought};
use crate::wal::{self, Durable};
use arrow::array::{AsArray, RecordBatch};

use super::state::{Applied, Keyed};
use super::{Error, Inner, Ledger};

/// Who sent a batch, as far as the doors know.
#[derive(Clone, Debug, Default)]
pub struct Sender {
    /// The tenant that the sender may write to; `None` where the data may say it.
    pub tenant: Option<Arc<str>>,
}

/// What became of a batch that is durable and visible now.
#[derive(Debug)]
#[must_use = "the sender has to be told what was refused"]
pub struct Receipt {
    /// Rows taken, in all tables that stand for themselves.
    pub rows: usize,
    /// Rows that had come before.
    pub repeats: usize,
    /// What was refused, and why.
    pub rejected: Rejected,
}

/// Whose data it is where nobody says.
const DEFAULT_TENANT: &str = "default";

/// A batch that is ready for the log: clean, keyed, and as bytes.
struct Prepared {
    keyed: Keyed,
    bytes: Vec<u8>,
    rejected: Rejected,
}

impl Ledger {
    /// Takes a batch in. When this returns, its rows are synced to the log and visible to queries.
    ///
    /// # Errors
    /// Nothing of the batch was acknowledged; [`Error::kind`] says whether it should be sent again.
    pub async fn ingest(&self, raw: RawBatch, sender: Sender) -> Result<Receipt, Error> {
        self.take(sender, move |context| normalise(raw, context))
            .await
    }

    /// Takes reports of outcomes in, with the same promise.
    ///
    /// # Errors
    /// As [`Ledger::ingest`].
    pub async fn report(&self, reports: Vec<RawOutcome>, sender: Sender) -> Result<Receipt, Error> {
        self.take(sender, move |context| outcomes(reports, context))
            .await
    }

    /// The product in five lines. The order is the promise: redacted before it is bytes, synced before it is visible,
    /// visible before it is acknowledged.
    async fn take<F>(&self, sender: Sender, normalised: F) -> Result<Receipt, Error>
    where
        F: FnOnce(&Context) -> (crate::model::Batch, Rejected) + Send + 'static,
    {
        self.inner.has_room()?;
        let Prepared {
            keyed,
            bytes,
            rejected,
        } = self.inner.prepare(sender, normalised).await?;
        if keyed.batch.is_empty() {
            return Ok(Receipt {
                rows: 0,
                repeats: 0,
                rejected,
            });
        }
        self.inner.learn(&keyed, None).await?;
        let (_proof, applied) = self.inner.append(keyed, bytes).await?;
        Ok(Receipt {
            rows: applied.rows,
            repeats: applied.repeats,
            rejected,
        })
    }
}

impl Inner {
    /// Refuses early what could not be kept.
    fn has_room(&self) -> Result<(), Error> {
        if self.closed.load(Ordering::SeqCst) {
            return Err(Error::Closed);
        }
        let (bytes, limit) = (
            self.state.lock().buffer.bytes(),
            self.config.buffer_bytes_max(),
        );
        if bytes > limit {
            self.large.notify_one();
            return Err(Error::BufferFull { bytes, limit });
        }
        Ok(())
    }

    fn context(&self, sender: Sender) -> Context {
        let tenants = match sender.tenant {
            Some(tenant) => TenantPolicy::Fixed(tenant),
            None if self.config.tenant_from_resource => TenantPolicy::FromResource {
                default: Arc::from(DEFAULT_TENANT),
            },
            None => TenantPolicy::Fixed(Arc::from(DEFAULT_TENANT)),
        };
        Context {
            received: Micros(self.clock.now().micros()),
            tenants,
            secrets: self.secrets.clone(),
        }
    }

    /// Normalises, redacts, keys and packs, on a thread where that may take a while.
    async fn prepare<F>(self: &Arc<Self>, sender: Sender, normalised: F) -> Result<Prepared, Error>
    where
        F: FnOnce(&Context) -> (crate::model::Batch, Rejected) + Send + 'static,
    {
        let inner = Arc::clone(self);
        let work = move || {
            let (batch, rejected) = normalised(&inner.context(sender));
            let clean: Redacted = redact(batch, &inner.rules);
            count_redactions(&clean);
            let bytes = inner
                .packers
                .encode(&clean)
                .map_err(|error| Error::Bug(error.to_string()))?;
            Ok(Prepared {
                keyed: Keyed::new(clean.into_batch()),
                bytes,
                rejected,
            })
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|error| Error::Bug(format!("a batch could not be prepared: {error}")))?
    }

    /// Looks up in files what is known of keys that did not come lately, so that the rows can be judged in memory when
    /// they are durable.
    ///
    /// An entry that is `replayed` asks nothing about tables that hold it already.
    pub(super) async fn learn(&self, keyed: &Keyed, replayed: Option<u64>) -> Result<(), Error> {
        for (table, rows, keys) in keyed.owners() {
            let (strangers, snapshot) = {
                let state = self.state.lock();
                if replayed.is_some_and(|sequence| state.holds(table, sequence)) {
                    continue;
                }
                let recent = &state.recent[table.index()];
                let unknown = keys
                    .iter()
                    .enumerate()
                    .filter(|(_, key)| !recent.contains(key));
                let unknown: Vec<(usize, Key)> = unknown.map(|(row, key)| (row, *key)).collect();
                (unknown, Arc::clone(&state.snapshots[table.index()]))
            };
            let suspects = suspects(table, rows, &strangers, &snapshot);
            if suspects.is_empty() {
                continue;
            }
            metrics::counter!("outspan_lookups_total", "table" => table.name())
                .increment(suspects.len() as u64);
            let found = snapshot.lookup(&suspects).await?;
            let mut state = self.state.lock();
            for (key, versions) in found {
                let best = versions.into_iter().max_by_key(|(version, _)| *version);
                if let Some((version, sequence)) = best {
                    state.recent[table.index()].learn(key, Known { version, sequence });
                }
            }
        }
        Ok(())
    }

    /// Appends to the log; once synced, the rows go into the buffer on the log's own thread, in the order of the log.
    async fn append(&self, keyed: Keyed, bytes: Vec<u8>) -> Result<(Durable, Applied), Error> {
        let (answer, answered) = oneshot::channel();
        let (state, large, oldest) = (
            Arc::clone(&self.state),
            Arc::clone(&self.large),
            Arc::clone(&self.oldest),
        );
        let disk_is_full = Arc::clone(&self.disk_is_full);
        let (now, flush_bytes) = (self.clock.now(), self.config.flush_bytes());
        self.wal.append(bytes, move |durable| {
            if matches!(durable, Err(wal::Error::Full { .. })) {
                // A flush lets the log forget, which is the only room that we can make.
                disk_is_full.store(true, Ordering::SeqCst);
                large.notify_one();
            }
            let applied = durable.map(|proof| {
                let mut state = state.lock();
                let applied = state.apply(&keyed, proof.sequence());
                oldest.fetch_min(now.0, Ordering::SeqCst);
                if state.buffer.bytes() > flush_bytes {
                    large.notify_one();
                }
                (proof, applied)
            });
            // A sender that went away is not an error: its batch is in.
            let _gone = answer.send(applied).is_err();
        })?;
        Ok(answered.await.map_err(|_| Error::Closed)??)
    }
}

/// Returns the keys that a file may hold, with the value by which files are looked up.
fn suspects<'a>(
    table: Table,
    rows: &'a RecordBatch,
    strangers: &[(usize, Key)],
    snapshot: &Snapshot,
) -> Vec<Sought<'a>> {
    let values = rows[table.lookup_column()].as_string::<i32>();
    // The spans of a trace stand together: most answers are the one before.
    let mut last = ("", false);
    let mut maybe = |value: &'a str| {
        if last.0 != value {
            last = (
                value,
                snapshot
                    .files()
                    .iter()
                    .any(|file| file.maybe_contains(value)),
            );
        }
        last.1
    };
    let sought = strangers.iter().map(|(row, key)| Sought {
        key: *key,
        value: values.value(*row),
        time: None,
    });
    sought.filter(|sought| maybe(sought.value)).collect()
}

fn count_redactions(clean: &Redacted) {
    for (class, count) in clean.counts().iter() {
        metrics::counter!("outspan_redactions_total", "class" => class.name()).increment(count);
    }
}
