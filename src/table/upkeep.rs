//! Takes days out of a table, and from the store what no table needs any more.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;

use super::delta::{ATTEMPTS, DeltaTable};
use super::error::{Error, Result};
use super::file::File;
use super::log::{Change, folder};

/// What was taken out of a table; its files stay on the store until a vacuum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expired {
    /// Files.
    pub files: usize,
    /// Rows in them.
    pub rows: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What was deleted from the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacuumed {
    /// The files, as paths in the store.
    pub files: Vec<Path>,
    /// Their bytes.
    pub bytes: u64,
}

impl DeltaTable {
    /// Takes all rows out that were received before a day, since the epoch.
    ///
    /// # Errors
    /// When it fails, nothing has changed, and it may be tried again.
    pub async fn expire(&self, before_day: i32) -> Result<Expired> {
        for _ in 0..ATTEMPTS {
            let snapshot = self.snapshot();
            let old = snapshot
                .files()
                .iter()
                .filter(|file| file.day() < before_day);
            let old: Vec<_> = old.cloned().collect();
            if old.is_empty() {
                return Ok(Expired::default());
            }
            let change = Change {
                operation: "DELETE",
                removed: &old,
                ..Change::default()
            };
            match self.inner.change(&change).await {
                Ok(_) => return Ok(Expired::of(&old)),
                // One of them has just been merged with others.
                Err(Error::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Conflict {
            table: self.inner.table().name(),
            attempts: ATTEMPTS,
        })
    }

    /// Deletes the files in the table's folder that do not belong to it and that nobody needs: those that were taken
    /// out, or written and never committed, more than `retention` ago, and that no snapshot of this process holds.
    ///
    /// Other readers get an error when they still read an older version. Another process that writes to the table has
    /// to commit what it has written within `retention`.
    ///
    /// # Errors
    /// Where the store is away, or the log cannot be understood; what was deleted until then was not needed.
    pub async fn vacuum(&self, retention: Duration) -> Result<Vacuumed> {
        let inner = &self.inner;
        let folder = folder(inner.table());
        let failed = |error| Error::at(&folder, error);
        let retention = i64::try_from(retention.as_millis()).unwrap_or(i64::MAX);
        let cutoff = (inner.writer.clock.now().micros() / 1_000).saturating_sub(retention);
        // What is listed before the log is read cannot have been committed after that without being known.
        let listed: Vec<_> = inner
            .store()
            .list(Some(&folder))
            .try_collect()
            .await
            .map_err(failed)?;
        let snapshot = self.refresh().await?;
        let mut needed: HashSet<Path> =
            inner.log.removed_since(cutoff).await?.into_iter().collect();
        needed.extend(snapshot.files().iter().map(|file| file.path().clone()));
        let mut gone = Vacuumed::default();
        for object in listed {
            let path: Path = object
                .location
                .prefix_match(&folder)
                .into_iter()
                .flatten()
                .collect();
            let is_of_the_log = path
                .parts()
                .next()
                .is_some_and(|part| part.as_ref() == "_delta_log");
            let is_old = object.last_modified.timestamp_millis() < cutoff;
            if !is_of_the_log
                && is_old
                && !needed.contains(&path)
                && !inner.writer.claims.contain(&path)
            {
                gone.bytes += object.size;
                gone.files.push(object.location);
            }
        }
        let paths = futures::stream::iter(gone.files.clone()).map(Ok).boxed();
        let mut deleting = inner.store().delete_stream(paths);
        while let Some(deleted) = deleting.next().await {
            match deleted {
                // Somebody else was faster.
                Ok(_) | Err(object_store::Error::NotFound { .. }) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        Ok(gone)
    }
}

impl Expired {
    fn of(files: &[Arc<File>]) -> Self {
        Self {
            files: files.len(),
            rows: files.iter().map(|file| file.rows()).sum(),
            bytes: files.iter().map(|file| file.size()).sum(),
        }
    }
}
