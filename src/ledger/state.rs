//! What the engine knows at one moment, behind one lock: buffered rows, known keys, the tables' snapshots, and which rows
//! in files have been replaced.
//!
//! The lock is held for a few microseconds and never over an await. A query copies handles out of it; a batch goes in
//! under it; a flush swaps a snapshot for rows under it. So a query sees each row exactly once.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch};
use arrow::compute::filter_record_batch;

use crate::buffer::{Buffer, Dead, Recent, Ruling};
use crate::model::schema::Identity;
use crate::model::{Batch, Key, Table, Version, keys, versions};
use crate::table::Snapshot;

/// A batch with the keys and versions of its rows, computed once.
#[derive(Debug)]
pub(super) struct Keyed {
    pub batch: Batch,
    keys: [Vec<Key>; Table::ALL.len()],
    versions: [Vec<Version>; Table::ALL.len()],
}

impl Keyed {
    pub(super) fn new(batch: Batch) -> Self {
        let keys = Table::ALL.map(|table| {
            batch
                .table(table)
                .map(|rows| keys(table, rows))
                .unwrap_or_default()
        });
        let versions = Table::ALL.map(|table| match table.identity() {
            Identity::Owned => Vec::new(),
            _ => batch
                .table(table)
                .map(|rows| versions(table, rows))
                .unwrap_or_default(),
        });
        Self {
            batch,
            keys,
            versions,
        }
    }

    /// Returns the tables whose rows stand for themselves, with the keys of the rows.
    pub(super) fn owners(&self) -> impl Iterator<Item = (Table, &RecordBatch, &[Key])> {
        let owners = self
            .batch
            .tables()
            .filter(|(table, _)| table.identity() != Identity::Owned);
        owners.map(|(table, rows)| (table, rows, self.keys[table.index()].as_slice()))
    }
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Applied {
    /// Rows that were new or better than what was known.
    pub rows: usize,
    /// Rows that said nothing new.
    pub repeats: usize,
    /// Rows that took another's place.
    pub replaced: usize,
}

pub(super) struct State {
    pub buffer: Buffer,
    pub recent: [Recent; Table::ALL.len()],
    pub snapshots: [Arc<Snapshot>; Table::ALL.len()],
    /// Rows in files that a better version replaced since; the next flush takes them out.
    pub dead: [Arc<Dead>; Table::ALL.len()],
    /// The highest sequence number whose rows went in.
    pub sequence: u64,
}

impl State {
    pub(super) fn new(snapshots: [Arc<Snapshot>; Table::ALL.len()], recent_keys: usize) -> Self {
        // Spans are by far the most; the other tables share as much again.
        let recent = Table::ALL.map(|table| {
            Recent::new(if table == Table::Spans {
                recent_keys
            } else {
                recent_keys / 8
            })
        });
        Self {
            buffer: Buffer::default(),
            recent,
            snapshots,
            dead: Default::default(),
            sequence: 0,
        }
    }

    /// Puts the rows of one entry of the log in. Entries come in the order of their sequence numbers.
    ///
    /// Rows of a table that holds this sequence number already are left out: that is a replay.
    pub(super) fn apply(&mut self, keyed: &Keyed, sequence: u64) -> Applied {
        let mut applied = Applied::default();
        let mut repeats = HashSet::new();
        let mut replaced = Dead::new();
        for (table, rows) in keyed
            .batch
            .tables()
            .filter(|(table, _)| table.identity() != Identity::Owned)
        {
            if self.holds(table, sequence) {
                continue;
            }
            let at = table.index();
            let mut dead = Dead::new();
            let keep = keyed.keys[at]
                .iter()
                .zip(&keyed.versions[at])
                .map(|(key, version)| {
                    match self.recent[at].rule(*key, *version, as_column(sequence)) {
                        Ruling::New => true,
                        Ruling::Replaces(old) => dead.insert((*key, old)),
                        Ruling::Repeats => {
                            repeats.insert(*key);
                            applied.repeats += 1;
                            false
                        }
                    }
                });
            let keep: Vec<bool> = keep.collect();
            applied.replaced += dead.len();
            applied.rows += self.insert(table, rows, &keep, sequence);
            self.bury(table, &dead);
            replaced.extend(dead);
        }
        for (table, rows) in keyed
            .batch
            .tables()
            .filter(|(table, _)| table.identity() == Identity::Owned)
        {
            if !self.holds(table, sequence) {
                let owners = &keyed.keys[table.index()];
                let keep: Vec<bool> = owners
                    .iter()
                    .map(|owner| !repeats.contains(owner))
                    .collect();
                self.insert(table, rows, &keep, sequence);
            }
        }
        if !replaced.is_empty() {
            let owned = Table::ALL
                .into_iter()
                .filter(|table| table.identity() == Identity::Owned);
            owned.for_each(|table| self.bury(table, &replaced));
        }
        self.sequence = self.sequence.max(sequence);
        applied
    }

    /// Puts a table's newer snapshot in the place of the rows that it holds now.
    pub(super) fn flushed(
        &mut self,
        table: Table,
        snapshot: Arc<Snapshot>,
        sequence: u64,
        removed: &Dead,
    ) {
        let at = table.index();
        self.snapshots[at] = snapshot;
        self.buffer.release(table, sequence);
        if !removed.is_empty() {
            Arc::make_mut(&mut self.dead[at]).retain(|dead| !removed.contains(dead));
        }
        self.recent[at].turn();
    }

    /// Shows a snapshot with the same rows in other files.
    ///
    /// One that holds rows of a flush that has not swapped them out of the buffer yet would show them twice: that flush
    /// brings the files along when it does.
    pub(super) fn compacted(&mut self, table: Table, snapshot: Arc<Snapshot>) {
        let shown = &mut self.snapshots[table.index()];
        if snapshot.flushed_sequence() == shown.flushed_sequence()
            && snapshot.version() > shown.version()
        {
            *shown = snapshot;
        }
    }

    /// Returns whether the table has all rows that came with this sequence number.
    pub(super) fn holds(&self, table: Table, sequence: u64) -> bool {
        self.snapshots[table.index()]
            .flushed_sequence()
            .is_some_and(|flushed| sequence <= flushed)
    }

    fn insert(&mut self, table: Table, rows: &RecordBatch, keep: &[bool], sequence: u64) -> usize {
        let kept = keep.iter().filter(|keep| **keep).count();
        if kept == rows.num_rows() {
            self.buffer.insert(table, rows, sequence);
        } else if kept > 0 {
            let keep = BooleanArray::from(keep.to_vec());
            let rows = filter_record_batch(rows, &keep).expect("one flag a row");
            self.buffer.insert(table, &rows, sequence);
        }
        kept
    }

    /// Takes replaced rows out of the buffer, and hides them in files. A flush may be carrying one from here to there at
    /// this moment, so both are done; a name that fits no row hides nothing.
    fn bury(&mut self, table: Table, dead: &Dead) {
        if !dead.is_empty() {
            self.buffer.remove(table, dead);
            Arc::make_mut(&mut self.dead[table.index()]).extend(dead);
        }
    }
}

/// Returns a sequence number as the column holds it.
pub(super) fn as_column(sequence: u64) -> i64 {
    i64::try_from(sequence).unwrap_or(i64::MAX)
}
