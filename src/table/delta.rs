//! The handle of one stored table, and how rows get into it.
//!
//! A commit is one entry of the log: new files, the files it takes out, and the sequence number it reaches. The entry
//! is written for the version after the one it was made from, so nothing can have come between; who loses the race
//! looks again, and a commit whose sequence number the table has reached already is done. So a commit may be tried
//! as often as one likes, by a restarted process too, and its rows are there once. What is written before the entry
//! is orphaned when it fails; `vacuum` finds it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;
use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt};
use object_store::ObjectStore;
use tokio::sync::Mutex;

use crate::base::Clock;
use crate::base::store::Store;
use crate::model::schema::SEQUENCE_COLUMN;
use crate::model::{Key, Table, keys};

use super::error::{Error, Result};
use super::file::{Claims, File};
use super::log::{Appended, CHECKPOINT_EVERY, Change, Loaded, Log};
use super::read::{Reading, Wanted, aside, only};
use super::snapshot::Snapshot;
use super::write::{Effort, ROW_GROUP_ROWS, Writer, file_schema};

/// So often a change looks again when others were faster.
pub(super) const ATTEMPTS: usize = 10;

/// Rows by key and sequence number: each names one delivery of a row exactly.
pub type Rows = HashSet<(Key, i64)>;

/// A stored table. Cheap to clone; clones are the same handle.
#[derive(Clone, Debug)]
pub struct DeltaTable {
    pub(super) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) log: Log,
    pub(super) writer: Writer,
    current: ArcSwap<Snapshot>,
    /// Held by whoever appends to the log, so that our own changes do not race each other.
    turn: Mutex<()>,
}

/// What a flush puts into a table.
#[derive(Clone, Debug)]
pub struct Commit {
    /// The rows, in the schema of the table.
    pub rows: Vec<RecordBatch>,
    /// Rows in the table that these replace.
    pub dead: Arc<Rows>,
    /// The highest sequence number among the rows: with this commit, the table holds all up to it.
    pub sequence: u64,
}

impl DeltaTable {
    /// Opens a table of a store, for the node whose sequence numbers it will hold; makes it where there is none, and
    /// adds columns that a table of an older version lacks.
    ///
    /// # Errors
    /// Where the store is away, or the table there cannot be understood or used.
    pub async fn open(store: &Store, table: Table, node: &str, clock: &Clock) -> Result<Self> {
        let log = Log::new(store, table, node, clock)?;
        let store = Arc::clone(store.objects());
        let claims = Claims::default();
        let loaded = log.open().await?;
        let snapshot = snapshot(&store, table, loaded, &[], &claims).await?;
        let writer = Writer {
            store,
            table,
            clock: clock.clone(),
            claims,
        };
        let (current, turn) = (ArcSwap::from_pointee(snapshot), Mutex::new(()));
        Ok(Self {
            inner: Arc::new(Inner {
                log,
                writer,
                current,
                turn,
            }),
        })
    }

    /// Returns the newest version that this handle knows.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.inner.current.load_full()
    }

    /// Looks whether others have changed the table, and returns the newest version.
    ///
    /// # Errors
    /// Where the store is away or what it holds cannot be understood.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>> {
        let _turn = self.inner.turn.lock().await;
        self.inner.reload().await
    }

    /// Puts rows into the table and takes dead ones out, in one step; does nothing where the table holds this sequence
    /// number already.
    ///
    /// # Errors
    /// When it fails, nothing of it is visible, and it may be tried again.
    pub async fn commit(&self, commit: Commit) -> Result<Arc<Snapshot>> {
        let inner = Arc::clone(&self.inner);
        aside(async move { inner.commit(&commit).await }).await
    }
}

impl Inner {
    pub(super) fn table(&self) -> Table {
        self.writer.table
    }

    pub(super) fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.writer.store
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    async fn commit(&self, commit: &Commit) -> Result<Arc<Snapshot>> {
        let _turn = self.turn.lock().await;
        let mut fresh: Option<Vec<Arc<File>>> = None;
        for _ in 0..ATTEMPTS {
            let base = self.snapshot();
            if base.sequence >= Some(commit.sequence) {
                return Ok(base);
            }
            let fresh = match &fresh {
                Some(fresh) => fresh,
                None => fresh.insert(self.writer.write_flush(&commit.rows).await?),
            };
            let (removed, rewritten) = self.without(&base, &commit.dead).await?;
            let added: Vec<_> = fresh.iter().chain(&rewritten).cloned().collect();
            let change = Change {
                operation: "WRITE",
                added: &added,
                removed: &removed,
                same_rows: false,
                sequence: Some(commit.sequence),
            };
            if let Some(snapshot) = self.append(&base, &change).await? {
                return Ok(snapshot);
            }
            self.reload().await?;
        }
        Err(Error::Conflict {
            table: self.table().name(),
            attempts: ATTEMPTS,
        })
    }

    /// Makes a change to `base` the newest version; `None` where others were faster. The caller has the turn.
    async fn append(&self, base: &Snapshot, change: &Change<'_>) -> Result<Option<Arc<Snapshot>>> {
        let version = base.version + 1;
        if self.log.append(version, change).await? == Appended::Taken {
            return Ok(None);
        }
        let gone: HashSet<_> = change.removed.iter().map(|file| file.path()).collect();
        let kept = base.files.iter().filter(|file| !gone.contains(file.path()));
        let snapshot = Arc::new(Snapshot {
            version,
            sequence: base.sequence.max(change.sequence),
            files: kept.chain(change.added).cloned().collect(),
            ..base.clone()
        });
        self.current.store(Arc::clone(&snapshot));
        if version.is_multiple_of(CHECKPOINT_EVERY) {
            self.log.checkpoint(version).await;
        }
        Ok(Some(snapshot))
    }

    /// Makes a change that does not depend on what else is in the table, as long as the files it takes out still are.
    pub(super) async fn change(&self, change: &Change<'_>) -> Result<Arc<Snapshot>> {
        let _turn = self.turn.lock().await;
        for attempts in 1..=ATTEMPTS {
            let base = self.snapshot();
            let present: HashSet<_> = base.files.iter().map(|file| file.path()).collect();
            if !change
                .removed
                .iter()
                .all(|file| present.contains(file.path()))
            {
                return Err(Error::Conflict {
                    table: self.table().name(),
                    attempts,
                });
            }
            if let Some(snapshot) = self.append(&base, change).await? {
                return Ok(snapshot);
            }
            self.reload().await?;
        }
        Err(Error::Conflict {
            table: self.table().name(),
            attempts: ATTEMPTS,
        })
    }

    async fn reload(&self) -> Result<Arc<Snapshot>> {
        let loaded = self.log.open().await?;
        let known = self.snapshot();
        if loaded.version == known.version {
            return Ok(known);
        }
        let snapshot = Arc::new(
            snapshot(
                self.store(),
                self.table(),
                loaded,
                &known.files,
                &self.writer.claims,
            )
            .await?,
        );
        self.current.store(Arc::clone(&snapshot));
        Ok(snapshot)
    }

    /// Writes the files that hold dead rows again without them; returns those to take out and those to put in.
    async fn without(
        &self,
        base: &Snapshot,
        dead: &Rows,
    ) -> Result<(Vec<Arc<File>>, Vec<Arc<File>>)> {
        let (mut removed, mut rewritten) = (Vec::new(), Vec::new());
        for file in base.files_that_may_hold(dead) {
            let reading = Reading::open(self.store(), file).await?;
            if !self.holds(&reading, dead).await? {
                continue;
            }
            let large = file.rows() > ROW_GROUP_ROWS as u64;
            let effort = if large {
                Effort::Compact
            } else {
                Effort::Flush
            };
            let alive = reading
                .rows(&file_schema(self.table()), Wanted::default())
                .and_then(|rows| std::future::ready(alive(self.table(), &rows, dead)))
                .boxed();
            rewritten.extend(self.writer.write(file.day(), effort, alive).await?);
            removed.push(Arc::clone(file));
        }
        Ok((removed, rewritten))
    }

    /// Returns whether one of the rows is in the file; reads no more columns than it takes to know.
    async fn holds(&self, reading: &Reading, rows: &Rows) -> Result<bool> {
        let schema = only(&self.table().schema(), &key_columns(self.table()));
        let mut found = reading.rows(&schema, Wanted::default());
        while let Some(batch) = found.try_next().await? {
            if is_in(self.table(), &batch, rows).true_count() > 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

async fn snapshot(
    store: &Arc<dyn ObjectStore>,
    table: Table,
    loaded: Loaded,
    known: &[Arc<File>],
    claims: &Claims,
) -> Result<Snapshot> {
    let known: HashMap<_, _> = known.iter().map(|file| (file.path(), file)).collect();
    let new = loaded
        .files
        .iter()
        .filter(|listed| !known.contains_key(&listed.path))
        .cloned();
    let mut files = File::open_all(store, table, new, claims).await?;
    files.extend(
        loaded
            .files
            .iter()
            .filter_map(|listed| known.get(&listed.path).map(|file| Arc::clone(file))),
    );
    files.sort_by(|a, b| (a.day(), a.path()).cmp(&(b.day(), b.path())));
    Ok(Snapshot {
        store: Arc::clone(store),
        table,
        version: loaded.version,
        sequence: loaded.sequence,
        files,
    })
}

/// The columns that say which delivery of which row this is.
pub(super) fn key_columns(table: Table) -> Vec<&'static str> {
    let all = [
        "tenant",
        "trace_id",
        "span_id",
        table.lookup_column(),
        "log_id",
        SEQUENCE_COLUMN,
    ];
    table
        .columns()
        .iter()
        .map(|column| column.name)
        .filter(|name| all.contains(name))
        .collect()
}

/// Returns for each row whether it is one of `rows`. Needs the columns of [`key_columns`].
pub(super) fn is_in(table: Table, batch: &RecordBatch, rows: &Rows) -> BooleanArray {
    let sequences = batch[SEQUENCE_COLUMN].as_primitive::<Int64Type>().values();
    keys(table, batch)
        .into_iter()
        .zip(sequences)
        .map(|(key, sequence)| Some(rows.contains(&(key, *sequence))))
        .collect()
}

fn alive(table: Table, batch: &RecordBatch, dead: &Rows) -> Result<RecordBatch> {
    let dead = is_in(table, batch, dead);
    let alive = arrow::compute::not(&dead).and_then(|alive| filter_record_batch(batch, &alive));
    alive.map_err(|error| Error::at("rows of a file", error))
}

impl Snapshot {
    /// Returns the files that may hold one of these rows: by sequence number, then by filter.
    pub(super) fn files_that_may_hold<'a>(
        &'a self,
        rows: &Rows,
    ) -> impl Iterator<Item = &'a Arc<File>> {
        let mut rows: Vec<_> = rows.iter().collect();
        rows.sort_unstable_by_key(|(_, sequence)| *sequence);
        let wanted: Vec<_> = rows
            .into_iter()
            .map(|(key, sequence)| (*sequence, key.lookup_value(self.table)))
            .collect();
        self.files.iter().filter(move |file| {
            let (first, last) = file.sequences();
            let start = wanted.partition_point(|(sequence, _)| *sequence < first);
            wanted[start..]
                .iter()
                .take_while(|(sequence, _)| *sequence <= last)
                .any(|(_, value)| {
                    value
                        .as_ref()
                        .is_none_or(|value| file.maybe_contains(value))
                })
        })
    }
}
