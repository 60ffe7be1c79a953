//! Merges small files into few that are good to read.
//!
//! The rows of a day are cut into slices of time, each as large as a row group, so that a question about an hour reads
//! the row groups of that hour. Within a slice the rows of one trace stand together, traces in the order of their
//! start: one trace is one piece of one row group, and its ids and names are stored once. The memory it takes is that
//! of a few slices, whatever the day holds. The rows stay the same, dead ones too: the flush that brings their better
//! version takes them out.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::{Array, AsArray, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow::datatypes::TimestampMicrosecondType;
use futures::TryStreamExt;

use crate::model::Table;

use super::delta::{DeltaTable, Inner};
use super::error::{Error, Result};
use super::file::File;
use super::log::Change;
use super::read::{Filter, Reading, Wanted, aside, only};
use super::write::{Effort, ROW_GROUP_ROWS, file_schema, in_order};

/// A file is ended when it is this large.
const TARGET_BYTES: u64 = 192 << 20;
/// A file smaller than this, of a day that is over, is merged with others.
const SMALL_BYTES: u64 = TARGET_BYTES / 2;
/// Of a day that is not over, files of about the same size are merged when there are this many: so a row is written
/// again only a few times, and there are never many files.
const FILES_OF_A_SIZE_MAX: usize = 16;
/// Rows of a slice: a little less than a row group, so that its parts hardly ever make two.
const SLICE_ROWS: u64 = ROW_GROUP_ROWS as u64 * 7 / 8;
/// A slice of long rows is smaller.
const SLICE_BYTES: u64 = 64 << 20;
/// Of so many rows the time of one is looked at, to cut slices of equal size.
const SAMPLE_EVERY: usize = 64;

/// What merging did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Files that were merged.
    pub files_before: usize,
    /// Files that they became.
    pub files_after: usize,
    /// Bytes before.
    pub bytes_before: u64,
    /// Bytes after.
    pub bytes_after: u64,
    /// Rows, the same before and after.
    pub rows: u64,
}

impl DeltaTable {
    /// Merges small files where it is due; `today` is the day that is not over, since the epoch.
    ///
    /// # Errors
    /// [`Error::Conflict`] where a file that was being merged was taken out meanwhile: the next time will do.
    pub async fn compact(&self, today: i32) -> Result<Compacted> {
        let inner = Arc::clone(&self.inner);
        aside(async move { inner.compact(today).await }).await
    }
}

impl Inner {
    async fn compact(&self, today: i32) -> Result<Compacted> {
        let mut done = Compacted::default();
        let snapshot = self.snapshot();
        let sizes: Vec<_> = snapshot
            .files
            .iter()
            .map(|file| (file.day(), file.size()))
            .collect();
        for files in due(&sizes, today) {
            let files: Vec<_> = files
                .into_iter()
                .map(|file| Arc::clone(&snapshot.files[file]))
                .collect();
            let merged = self.merge(&files).await?;
            let rows = |files: &[Arc<File>]| files.iter().map(|file| file.rows()).sum::<u64>();
            if rows(&files) != rows(&merged) {
                let told = format!("{} rows became {}", rows(&files), rows(&merged));
                return Err(Error::at(
                    format!("the merged files of {}", self.table().name()),
                    told,
                ));
            }
            let change = Change {
                operation: "OPTIMIZE",
                added: &merged,
                removed: &files,
                same_rows: true,
                sequence: None,
            };
            self.change(&change).await?;
            done.count(&files, &merged);
        }
        Ok(done)
    }

    /// Writes the rows of files of one day to new files.
    async fn merge(&self, files: &[Arc<File>]) -> Result<Vec<Arc<File>>> {
        let mut inputs = Vec::with_capacity(files.len());
        for file in files {
            inputs.push(Reading::open(self.store(), file).await?);
        }
        let day = files.first().map_or(0, |file| file.day());
        let begin = || self.writer.begin(day, Effort::Compact);
        let (mut merged, mut output) = (Vec::new(), begin()?);
        for slice in self.slices(&inputs).await? {
            if output.bytes() >= TARGET_BYTES {
                merged.extend(std::mem::replace(&mut output, begin()?).finish().await?);
            }
            let rows = self.rows_between(&inputs, slice).await?;
            let places = places(self.table(), &rows);
            for rows in in_order(&rows, &places) {
                output
                    .write(&rows.map_err(|error| Error::at("rows to be merged", error))?)
                    .await?;
            }
            output.end_row_group().await?;
        }
        merged.extend(output.finish().await?);
        Ok(merged)
    }

    /// Cuts the time of the rows into slices that a row group can hold.
    async fn slices(&self, inputs: &[Reading]) -> Result<Vec<Range<i64>>> {
        let groups = || inputs.iter().flat_map(|input| input.file().groups());
        let rows: u64 = groups().map(|group| group.rows).sum();
        let bytes: u64 = groups().map(|group| group.bytes).sum();
        let pieces = rows.div_ceil(SLICE_ROWS).max(bytes.div_ceil(SLICE_BYTES));
        if pieces <= 1 {
            return Ok(cut(Vec::new(), 1));
        }
        let schema = only(&self.table().schema(), &[self.table().time_column()]);
        let (mut sample, mut seen) = (Vec::new(), 0_usize);
        for input in inputs {
            let mut rows = input.rows(&schema, Wanted::default());
            while let Some(rows) = rows.try_next().await? {
                let times = rows
                    .column(0)
                    .as_primitive::<TimestampMicrosecondType>()
                    .values();
                let skipped = (SAMPLE_EVERY - seen % SAMPLE_EVERY) % SAMPLE_EVERY;
                sample.extend(times.iter().skip(skipped).step_by(SAMPLE_EVERY));
                seen += times.len();
            }
        }
        Ok(cut(sample, usize::try_from(pieces).unwrap_or(usize::MAX)))
    }

    async fn rows_between(
        &self,
        inputs: &[Reading],
        times: Range<i64>,
    ) -> Result<Vec<RecordBatch>> {
        let schema = file_schema(self.table());
        let mut found = Vec::new();
        for input in inputs {
            let groups = input.file().groups().iter().enumerate();
            let overlap = groups.filter(|(_, group)| {
                *group.times.start() < times.end && *group.times.end() >= times.start
            });
            let row_groups: Vec<_> = overlap.map(|(index, _)| index).collect();
            if row_groups.is_empty() {
                continue;
            }
            let times = times.clone();
            let matches = move |column: &dyn Array| -> BooleanArray {
                let values = column.as_primitive::<TimestampMicrosecondType>().iter();
                values
                    .map(|value| Some(value.is_some_and(|value| times.contains(&value))))
                    .collect()
            };
            let filter = Filter {
                column: self.table().time_column(),
                matches: Box::new(matches),
            };
            let wanted = Wanted {
                row_groups: Some(row_groups),
                filter: Some(filter),
            };
            let mut rows = input.rows(&schema, wanted);
            while let Some(rows) = rows.try_next().await? {
                found.push(rows);
            }
        }
        Ok(found)
    }
}

impl Compacted {
    fn count(&mut self, before: &[Arc<File>], after: &[Arc<File>]) {
        self.files_before += before.len();
        self.files_after += after.len();
        self.bytes_before += before.iter().map(|file| file.size()).sum::<u64>();
        self.bytes_after += after.iter().map(|file| file.size()).sum::<u64>();
        self.rows += after.iter().map(|file| file.rows()).sum::<u64>();
    }
}

/// Returns which files are to be merged with each other, given the day and the size of each.
fn due(files: &[(i32, u64)], today: i32) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(i32, u32), Vec<usize>> = BTreeMap::new();
    for (index, (day, size)) in files.iter().enumerate() {
        if *size < SMALL_BYTES {
            let class = if *day < today { 0 } else { size_class(*size) };
            groups.entry((*day, class)).or_default().push(index);
        }
    }
    let enough = |day: i32| if day < today { 2 } else { FILES_OF_A_SIZE_MAX };
    groups
        .into_iter()
        .filter(|((day, _), files)| files.len() >= enough(*day))
        .map(|(_, files)| files)
        .collect()
}

/// Returns a number that is larger by one for a file of sixteen times the size.
fn size_class(bytes: u64) -> u32 {
    (bytes >> 16).max(1).ilog2() / 4
}

/// Cuts the line of time into pieces that hold about the same share of a sample.
fn cut(mut sample: Vec<i64>, pieces: usize) -> Vec<Range<i64>> {
    sample.sort_unstable();
    let mut ends: Vec<_> = (1..pieces)
        .filter_map(|piece| sample.get(sample.len() * piece / pieces).copied())
        .collect();
    ends.push(i64::MAX);
    ends.dedup();
    let starts = std::iter::once(i64::MIN).chain(ends.iter().copied());
    starts
        .zip(ends.iter().copied())
        .map(|(start, end)| start..end)
        .collect()
}

/// Returns the rows' places (batch, row) in the order in which they are best kept.
fn places(table: Table, rows: &[RecordBatch]) -> Vec<(usize, usize)> {
    let texts = |name: &str| -> Vec<&StringArray> {
        rows.iter().map(|rows| rows[name].as_string()).collect()
    };
    let (tenants, times) = (texts("tenant"), times(table, rows));
    let traces = if has_traces(table) {
        texts("trace_id")
    } else {
        Vec::new()
    };
    let mut starts: HashMap<&str, i64> = HashMap::new();
    for (traces, times) in traces.iter().zip(&times) {
        for (trace, time) in traces.iter().flatten().zip(times.values()) {
            starts
                .entry(trace)
                .and_modify(|start| *start = (*start).min(*time))
                .or_insert(*time);
        }
    }
    let trace = |(batch, row): (usize, usize)| {
        let trace = traces.get(batch).map(|traces| traces.value(row));
        (trace.and_then(|trace| starts.get(trace)), trace)
    };
    let key = |place: (usize, usize)| {
        let (batch, row) = place;
        (
            tenants[batch].value(row),
            trace(place),
            times[batch].value(row),
        )
    };
    let all = rows
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)));
    let mut places: Vec<_> = all.collect();
    places.sort_by(|a, b| key(*a).cmp(&key(*b)));
    places
}

fn times(table: Table, rows: &[RecordBatch]) -> Vec<&PrimitiveArray<TimestampMicrosecondType>> {
    rows.iter()
        .map(|rows| rows[table.time_column()].as_primitive())
        .collect()
}

/// Returns whether each row of a table belongs to a trace.
fn has_traces(table: Table) -> bool {
    table
        .columns()
        .iter()
        .any(|column| column.name == "trace_id" && !column.nullable)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TODAY: i32 = 10;

    #[test]
    fn small_files_of_a_day_that_is_over_are_merged_from_two_on() {
        assert_eq!(due(&[(9, 5)], TODAY), Vec::<Vec<usize>>::new());
        assert_eq!(due(&[(9, 5), (9, SMALL_BYTES - 1)], TODAY), [[0, 1]]);
        assert_eq!(
            due(&[(9, 5), (9, SMALL_BYTES)], TODAY),
            Vec::<Vec<usize>>::new()
        );
        assert_eq!(
            due(&[(9, 5), (8, 5), (9, 6), (8, 6)], TODAY),
            [[1, 3], [0, 2]]
        );
    }

    #[test]
    fn of_today_sixteen_files_of_a_size_are_merged() {
        let files = |count: usize, size: u64| vec![(TODAY, size); count];
        assert!(due(&files(15, 1 << 20), TODAY).is_empty());
        assert_eq!(due(&files(16, 1 << 20), TODAY)[0].len(), 16);
        let mixed: Vec<_> = files(15, 1 << 20)
            .into_iter()
            .chain(files(15, 20 << 20))
            .collect();
        assert!(
            due(&mixed, TODAY).is_empty(),
            "what was merged waits for others of its size"
        );
        assert!(due(&files(40, SMALL_BYTES), TODAY).is_empty());
    }

    #[test]
    fn a_day_of_flushes_ends_in_few_files_each_row_written_a_few_times() {
        let mut files: Vec<(i32, u64)> = Vec::new();
        let mut written = 0;
        for _ in 0..2_880 {
            files.push((TODAY, 100 << 10));
            while let Some(merge) = due(&files, TODAY).pop() {
                let size: u64 = merge.iter().map(|file| files[*file].1).sum();
                written += size;
                let mut index = 0;
                files.retain(|_| {
                    index += 1;
                    !merge.contains(&(index - 1))
                });
                files.push((TODAY, size));
            }
            assert!(files.len() <= 3 * FILES_OF_A_SIZE_MAX);
        }
        assert!(written <= 3 * (2_880 * (100 << 10)), "{written}");
    }

    #[test]
    fn slices_cover_all_of_time_once_and_share_the_rows() {
        assert_eq!(cut(vec![], 1), vec![i64::MIN..i64::MAX; 1]);
        assert_eq!(
            cut((0..100).rev().collect(), 4),
            [i64::MIN..25, 25..50, 50..75, 75..i64::MAX]
        );
        assert_eq!(cut(vec![7; 100], 3), [i64::MIN..7, 7..i64::MAX]);
    }
}
