//! Finds what the table already holds of rows that are about to enter.
//!
//! Nearly every row is new, so the question is answered from memory: the times of a row group, then its filter over the
//! look-up column. Only what is left is read, and of it only the rows with the right ids and the columns that make a
//! version.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::{StreamExt, TryStreamExt};

use crate::model::schema::SEQUENCE_COLUMN;
use crate::model::{Key, Micros, Version, keys, version_columns, versions};

use super::error::Result;
use super::file::{File, RowGroup};
use super::read::{Filter, Reading, Wanted, aside, only};
use super::snapshot::Snapshot;
use super::write::file_schema;

/// So many files are read at the same time.
const FILES_AT_ONCE: usize = 8;
/// So far a row's time may be from that of another version of it, in microseconds: senders correct it now and then.
const TIME_SLACK: i64 = 5 * 60 * 1_000_000;

/// A row that is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Sought<'a> {
    /// Its key.
    pub key: Key,
    /// What it has in the table's look-up column.
    pub value: &'a str,
    /// Its time; versions of the row more than five minutes away are not found. `None` finds all, and takes longer.
    pub time: Option<Micros>,
}

/// The versions of rows that a table holds, each with the sequence number it came with.
pub type Found = HashMap<Key, Vec<(Version, i64)>>;

impl Snapshot {
    /// Returns the versions that the table holds of rows; rows of which it holds none are not among them.
    ///
    /// # Errors
    /// Where the store is away or a file cannot be understood.
    pub async fn lookup(&self, sought: &[Sought<'_>]) -> Result<Found> {
        let suspects = self.files.iter().filter_map(|file| suspect(file, sought));
        let suspects: Vec<_> = suspects.collect();
        if suspects.is_empty() {
            return Ok(Found::new());
        }
        let (snapshot, keys) = (self.clone(), sought.iter().map(|row| row.key).collect());
        aside(async move { snapshot.read_versions(suspects, keys).await }).await
    }

    async fn read_versions(&self, suspects: Vec<Suspect>, keys: HashSet<Key>) -> Result<Found> {
        let reading = suspects.into_iter().map(|suspect| self.rows_of(suspect));
        let mut reading = futures::stream::iter(reading).buffer_unordered(FILES_AT_ONCE);
        let mut found = Found::new();
        while let Some(batches) = reading.try_next().await? {
            batches
                .iter()
                .for_each(|rows| self.collect(rows, &keys, &mut found));
        }
        Ok(found)
    }

    async fn rows_of(&self, suspect: Suspect) -> Result<Vec<RecordBatch>> {
        let schema = only(&file_schema(self.table), &version_columns(self.table));
        let reading = Reading::open_for_few(&self.store, &suspect.file).await?;
        let values = suspect.values;
        let matches = move |column: &dyn Array| -> BooleanArray {
            let texts = column.as_string::<i32>().iter();
            texts
                .map(|text| Some(text.is_some_and(|text| values.contains(text))))
                .collect()
        };
        let wanted = Wanted {
            row_groups: Some(suspect.groups),
            filter: Some(Filter {
                column: self.table.lookup_column(),
                matches: Box::new(matches),
            }),
        };
        reading.rows(&schema, wanted).try_collect().await
    }

    fn collect(&self, rows: &RecordBatch, wanted: &HashSet<Key>, found: &mut Found) {
        let sequences = rows[SEQUENCE_COLUMN].as_primitive::<Int64Type>().values();
        let versions = versions(self.table, rows).into_iter().zip(sequences);
        for (key, (version, sequence)) in keys(self.table, rows).into_iter().zip(versions) {
            if wanted.contains(&key) {
                found.entry(key).or_default().push((version, *sequence));
            }
        }
    }
}

/// A file that may hold some of the rows.
struct Suspect {
    file: Arc<File>,
    groups: Vec<usize>,
    values: HashSet<String>,
}

fn suspect(file: &Arc<File>, sought: &[Sought<'_>]) -> Option<Suspect> {
    let mut values = HashSet::new();
    let mut groups = Vec::new();
    for (index, group) in file.groups().iter().enumerate() {
        let mut known = None;
        for row in sought.iter().filter(|row| covers(group, row.time)) {
            // Rows of one trace stand together: its filter is asked once.
            if known == Some(row.value) {
                continue;
            }
            known = Some(row.value);
            if group.maybe_contains(row.value) {
                values.insert(row.value.to_owned());
                groups.push(index);
            }
        }
        groups.dedup();
    }
    (!groups.is_empty()).then(|| Suspect {
        file: Arc::clone(file),
        groups,
        values,
    })
}

fn covers(group: &RowGroup, time: Option<Micros>) -> bool {
    time.is_none_or(|Micros(time)| {
        let (first, last) = (group.times.start(), group.times.end());
        time >= first.saturating_sub(TIME_SLACK) && time <= last.saturating_add(TIME_SLACK)
    })
}
