//! One version of a table: which files belong to it, and what is known of each.
//!
//! A snapshot never changes and costs nothing to hold; the files stay on the store for as long as `vacuum` is told.

use std::sync::Arc;

use object_store::ObjectStore;

use crate::model::Table;

use super::file::File;

/// A version of a table.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) table: Table,
    pub(super) version: u64,
    pub(super) sequence: Option<u64>,
    pub(super) files: Vec<Arc<File>>,
}

impl Snapshot {
    /// Returns which table this is of.
    pub fn table(&self) -> Table {
        self.table
    }

    /// Returns the version in the table's log.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Returns the last sequence number of our node whose rows are in the table; `None` before the first.
    pub fn flushed_sequence(&self) -> Option<u64> {
        self.sequence
    }

    /// Returns the files.
    pub fn files(&self) -> &[Arc<File>] {
        &self.files
    }

    /// Returns how many rows the files hold, dead ones included.
    pub fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows()).sum()
    }

    /// Returns how many bytes the files take on the store.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size()).sum()
    }
}
