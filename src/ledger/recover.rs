//! What opening does: lock the log, open the tables, and put in again what the log has and the tables have not.
//!
//! Until this is done the doors answer "not ready", so that the first answer is a complete one: a sender comes back, and
//! a reader never sees a table without its newest rows.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};

use futures::future::try_join_all;
use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::base::{Clock, store::Store};
use crate::model::Table;
use crate::normalise::Secrets;
use crate::query::{Engine, MemoryGate};
use crate::redact::Rules;
use crate::table::{DeltaTable, Snapshot, object_store_url};
use crate::wal::{self, Disk, LocalDisk, Replay, Wal};

use super::state::{Keyed, State};
use super::{Config, Error, Inner, Ledger, entry, local};

/// What a ledger is built from, beside its configuration; a test hands in its own.
#[derive(Clone)]
pub struct Parts {
    /// Tells the time.
    pub clock: Clock,
    /// The disk under the log.
    pub disk: Arc<dyn Disk>,
    /// The store, where it is not to be opened from the configuration.
    pub store: Option<Store>,
    /// Returns the bytes that the whole process has allocated: the last guard against a query that takes too much.
    pub allocated: Allocated,
}

/// Returns the bytes that a process has allocated.
type Allocated = Arc<dyn Fn() -> usize + Send + Sync>;

impl fmt::Debug for Parts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parts")
            .field("clock", &self.clock)
            .field("store", &self.store)
            .finish_non_exhaustive()
    }
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            clock: Clock::system(),
            disk: Arc::new(LocalDisk),
            store: None,
            allocated: Arc::new(|| 0),
        }
    }
}

impl Ledger {
    /// Opens the engine on its directory and store, and recovers what a crash left in the log.
    ///
    /// # Errors
    /// Where another process has the log, the log is damaged, or the store is away or not ours.
    pub async fn open(config: Config, parts: Parts) -> Result<Self, Error> {
        let wal_dir = config.wal_dir();
        let mut log = wal::Config::at(&wal_dir);
        log.hard_cap_bytes = config.wal_bytes_max.min(local::share_of_disk(&wal_dir));
        log.salvage = config.wal_salvage;
        let disk = Arc::clone(&parts.disk);
        let opened = tokio::task::spawn_blocking(move || Wal::open(log, disk)).await;
        let opened = opened.map_err(|error| Error::Bug(error.to_string()))?;
        let (wal, replay) = opened.map_err(Error::Open)?;
        let node = local::node_name(&wal_dir)?;
        let secrets = match &config.secret_key {
            Some(secret) => Secrets::new(secret.as_bytes()),
            None => Secrets::new(&local::master_secret(&config.secrets_dir())?),
        };
        let store = match parts.store {
            Some(store) => store,
            None => Store::open(&config.data, &config.store)?,
        };
        local::belongs(&config, store.url().as_str())?;
        let opening = Table::ALL.map(|table| DeltaTable::open(&store, table, &node, &parts.clock));
        let tables = try_join_all(opening).await?;
        let gate = MemoryGate {
            limit_bytes: config.memory_bytes,
            allocated: parts.allocated,
        };
        let engine = Engine::new(config.query())?.with_memory_gate(gate);
        engine.register_store(object_store_url().as_ref(), Arc::clone(store.objects()));
        let state = State::new(snapshots(&tables), config.recent_keys());
        let ledger = Self {
            inner: Arc::new(Inner {
                secrets,
                rules: Rules::builtin(),
                packers: entry::Packers::default(),
                wal,
                tables,
                engine,
                state: Arc::new(Mutex::new(state)),
                flushing: tokio::sync::Mutex::new(()),
                large: Arc::new(Notify::new()),
                oldest: Arc::new(AtomicI64::new(i64::MAX)),
                disk_is_full: Arc::default(),
                closed: AtomicBool::new(false),
                clock: parts.clock,
                config,
            }),
        };
        local::keep_reserve(&wal_dir);
        ledger.replay(replay).await?;
        Ok(ledger)
    }

    /// Puts in again what the log has and the tables have not, one entry at a time; flushes when the memory is used up.
    async fn replay(&self, replay: Replay) -> Result<(), Error> {
        let inner = &self.inner;
        let (mut entries, mut rows) = (0u64, 0);
        let mut replay = Some(replay.after(self.held_by_all()));
        while let Some((sequence, bytes)) = next(&mut replay).await? {
            let batch =
                entry::decode(&bytes).map_err(|source| Error::Entry { sequence, source })?;
            let keyed = Keyed::new(batch);
            inner.learn(&keyed, Some(sequence)).await?;
            let full = {
                let mut state = inner.state.lock();
                rows += state.apply(&keyed, sequence).rows;
                state.buffer.bytes() > inner.config.flush_bytes()
            };
            inner
                .oldest
                .fetch_min(inner.clock.now().0, std::sync::atomic::Ordering::SeqCst);
            entries += 1;
            if full {
                self.flush_tables().await?;
            }
        }
        if entries > 0 {
            tracing::info!(entries, rows, "recovered rows from the log");
        }
        Ok(())
    }

    /// Returns the sequence number up to which every table that ever held a row has all.
    fn held_by_all(&self) -> u64 {
        // A table without a commit holds nothing of this node; what it lacks is in the log, from the start.
        let state = self.inner.state.lock();
        state
            .snapshots
            .iter()
            .map(|snapshot| snapshot.flushed_sequence().unwrap_or(0))
            .min()
            .unwrap_or(0)
    }
}

fn snapshots(tables: &[DeltaTable]) -> [Arc<Snapshot>; Table::ALL.len()] {
    Table::ALL.map(|table| tables[table.index()].snapshot())
}

/// Reads the next entry where reading may block.
async fn next(replay: &mut Option<Replay>) -> Result<Option<(u64, Vec<u8>)>, Error> {
    let Some(mut reading) = replay.take() else {
        return Ok(None);
    };
    let read = tokio::task::spawn_blocking(move || {
        let entry = reading.next();
        (reading, entry)
    });
    let (reading, entry) = read.await.map_err(|error| Error::Bug(error.to_string()))?;
    *replay = Some(reading);
    Ok(entry.transpose()?)
}
