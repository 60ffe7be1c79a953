//! One file of a table, and what is known about it without reading its rows.
//!
//! Row count, bounds and null counts come from the file's own footer, so they are exact where the log's are not, and
//! are the same whoever wrote the file. The bloom filters over the look-up column are held in memory: they answer in
//! nanoseconds which files cannot hold a trace.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::{Range, RangeInclusive};
use std::sync::Arc;

use arrow::array::Array;
use arrow::datatypes::{Schema, SchemaRef};
use datafusion::common::ScalarValue;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};
use parking_lot::Mutex;
use parquet::arrow::arrow_reader::statistics::StatisticsConverter;
use parquet::arrow::async_reader::AsyncFileReader;
use parquet::arrow::parquet_to_arrow_schema;
use parquet::bloom_filter::Sbbf;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};

use crate::model::Table;
use crate::model::schema::SEQUENCE_COLUMN;

use super::error::{Error, Result};
use super::log::{Listed, folder};
use super::read::FileReader;

/// So many files are asked for their footers at the same time.
const FOOTERS_AT_ONCE: usize = 32;

/// A file of a table.
pub struct File {
    listed: Listed,
    location: Path,
    rows: u64,
    columns: Vec<(&'static str, Bounds)>,
    groups: Vec<RowGroup>,
    /// Keeps `vacuum` away for as long as anybody in this process holds the file.
    _claim: Claim,
}

/// A part of a file that is read as one.
pub(super) struct RowGroup {
    /// Between which times its rows lie, in microseconds; all times where that is not known.
    pub(super) times: RangeInclusive<i64>,
    /// How many rows it has.
    pub(super) rows: u64,
    /// How many bytes they take when they are not compressed.
    pub(super) bytes: u64,
    /// The filter over the look-up column, where there is one.
    bloom: Option<Sbbf>,
}

impl RowGroup {
    /// Returns `false` where no row has this value in the look-up column.
    pub(super) fn maybe_contains(&self, value: &str) -> bool {
        self.bloom.as_ref().is_none_or(|bloom| bloom.check(value))
    }
}

/// What a column's values lie between.
#[derive(Clone, Debug, Default)]
pub struct Bounds {
    /// No value is smaller.
    pub min: Option<ScalarValue>,
    /// No value is larger.
    pub max: Option<ScalarValue>,
    /// Whether both bounds are values that occur.
    pub exact: bool,
    /// How many values are missing.
    pub nulls: Option<u64>,
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File")
            .field("path", &self.listed.path.as_ref())
            .field("size", &self.listed.size)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl File {
    /// Returns the path in the table's folder, as the log names it.
    pub fn path(&self) -> &Path {
        &self.listed.path
    }

    /// Returns the path in the store.
    pub fn location(&self) -> &Path {
        &self.location
    }

    /// Returns the size in bytes.
    pub fn size(&self) -> u64 {
        self.listed.size
    }

    /// Returns how many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Returns the day of receipt of all its rows, since the epoch.
    pub fn day(&self) -> i32 {
        self.listed.day
    }

    /// Returns what is known about one of the table's pruning columns; `None` for other columns.
    pub fn column(&self, name: &str) -> Option<&Bounds> {
        self.columns
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, bounds)| bounds)
    }

    /// Returns the first and the last sequence number that its rows may have.
    pub(super) fn sequences(&self) -> (i64, i64) {
        let bounds = self.column(SEQUENCE_COLUMN);
        let value = |bound: Option<&ScalarValue>| match bound {
            Some(ScalarValue::Int64(value)) => *value,
            _ => None,
        };
        (
            value(bounds.and_then(|bounds| bounds.min.as_ref())).unwrap_or(i64::MIN),
            value(bounds.and_then(|bounds| bounds.max.as_ref())).unwrap_or(i64::MAX),
        )
    }

    /// Returns `false` where no row has this value in the look-up column.
    pub fn maybe_contains(&self, value: &str) -> bool {
        self.groups.iter().any(|group| group.maybe_contains(value))
    }

    /// Returns how many bytes the filters take in memory.
    pub fn filter_bytes(&self) -> usize {
        let blooms = self.groups.iter().filter_map(|group| group.bloom.as_ref());
        blooms.map(|bloom| bloom.num_blocks() * 32).sum()
    }

    /// Returns the row groups.
    pub(super) fn groups(&self) -> &[RowGroup] {
        &self.groups
    }

    pub(super) fn modified_ms(&self) -> i64 {
        self.listed.modified_ms
    }

    /// Returns the object as a reader wants it described.
    pub(super) fn object(&self) -> ObjectMeta {
        ObjectMeta {
            location: self.location.clone(),
            last_modified: chrono::DateTime::from_timestamp_millis(self.listed.modified_ms)
                .unwrap_or_default(),
            size: self.listed.size,
            e_tag: None,
            version: None,
        }
    }

    pub(super) fn reader(&self, store: &Arc<dyn ObjectStore>) -> FileReader {
        FileReader::new(store, &self.location, self.listed.size)
    }

    /// Reads what is to be known of a file.
    pub(super) async fn open(
        store: &Arc<dyn ObjectStore>,
        table: Table,
        listed: Listed,
        claim: Claim,
    ) -> Result<Arc<Self>> {
        let location = Path::from_iter(folder(table).parts().chain(listed.path.parts()));
        let damaged = |error| Error::at(&location, error);
        let footer = FileReader::new(store, &location, listed.size)
            .get_metadata(None)
            .await;
        let footer = footer.map_err(damaged)?;
        let columns = bounds(table, &footer).map_err(damaged)?;
        let blooms = blooms(store, &location, &footer, table.lookup_column()).await?;
        let groups = groups(table, &footer, blooms).map_err(damaged)?;
        let rows = groups.iter().map(|group| group.rows).sum();
        Ok(Arc::new(Self {
            listed,
            location,
            rows,
            columns,
            groups,
            _claim: claim,
        }))
    }

    /// Reads what is to be known of many files, in their order.
    pub(super) async fn open_all(
        store: &Arc<dyn ObjectStore>,
        table: Table,
        listed: impl IntoIterator<Item = Listed>,
        claims: &Claims,
    ) -> Result<Vec<Arc<Self>>> {
        let open = |listed: Listed| {
            let claim = claims.claim(&listed.path);
            Self::open(store, table, listed, claim)
        };
        let opening: Vec<_> = listed.into_iter().map(open).collect();
        futures::stream::iter(opening)
            .buffered(FOOTERS_AT_ONCE)
            .try_collect()
            .await
    }
}

/// Which files somebody in this process holds: in a snapshot, or because they are being written.
#[derive(Clone, Debug, Default)]
pub(super) struct Claims(Arc<Mutex<HashMap<Path, usize>>>);

/// Ends when it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    path: Path,
}

impl Claims {
    pub(super) fn claim(&self, path: &Path) -> Claim {
        *self.0.lock().entry(path.clone()).or_default() += 1;
        Claim {
            claims: self.clone(),
            path: path.clone(),
        }
    }

    pub(super) fn contain(&self, path: &Path) -> bool {
        self.0.lock().contains_key(path)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Entry::Occupied(mut claims) = self.claims.0.lock().entry(self.path.clone()) {
            *claims.get_mut() -= 1;
            if *claims.get() == 0 {
                claims.remove();
            }
        }
    }
}

/// Returns the Arrow schema of what a Parquet file holds.
pub(super) fn arrow_schema(footer: &ParquetMetaData) -> parquet::errors::Result<SchemaRef> {
    let file = footer.file_metadata();
    Ok(Arc::new(parquet_to_arrow_schema(
        file.schema_descr(),
        None,
    )?))
}

fn bounds(
    table: Table,
    footer: &ParquetMetaData,
) -> parquet::errors::Result<Vec<(&'static str, Bounds)>> {
    let schema = arrow_schema(footer)?;
    table
        .pruning_columns()
        .iter()
        .map(|name| {
            Ok((
                *name,
                column_bounds(name, &schema, footer, footer.row_groups())?,
            ))
        })
        .collect()
}

fn column_bounds(
    name: &str,
    schema: &Schema,
    footer: &ParquetMetaData,
    groups: &[RowGroupMetaData],
) -> parquet::errors::Result<Bounds> {
    if schema.index_of(name).is_err() {
        let nulls = u64::try_from(footer.file_metadata().num_rows()).ok();
        return Ok(Bounds {
            nulls,
            ..Bounds::default()
        });
    }
    let parquet_schema = footer.file_metadata().schema_descr();
    let statistics = StatisticsConverter::try_new(name, schema, parquet_schema)?;
    let (mins, maxes) = (
        statistics.row_group_mins(groups)?,
        statistics.row_group_maxes(groups)?,
    );
    let nulls = statistics.row_group_null_counts(groups)?;
    let exact = [
        statistics.row_group_is_min_value_exact(groups)?,
        statistics.row_group_is_max_value_exact(groups)?,
    ];
    Ok(Bounds {
        min: extreme(&mins, |value, known| value < known),
        max: extreme(&maxes, |value, known| value > known),
        exact: exact.iter().flatten().all(|exact| exact == Some(true)),
        nulls: (nulls.null_count() == 0).then(|| nulls.iter().flatten().sum()),
    })
}

/// Returns the smallest or largest of what the row groups say; `None` where one says nothing.
fn extreme(
    values: &dyn Array,
    better: fn(&ScalarValue, &ScalarValue) -> bool,
) -> Option<ScalarValue> {
    let mut best: Option<ScalarValue> = None;
    for group in 0..values.len() {
        let value = ScalarValue::try_from_array(values, group)
            .ok()
            .filter(|value| !value.is_null())?;
        if best.as_ref().is_none_or(|best| better(&value, best)) {
            best = Some(value);
        }
    }
    best
}

fn groups(
    table: Table,
    footer: &ParquetMetaData,
    blooms: Vec<Option<Sbbf>>,
) -> parquet::errors::Result<Vec<RowGroup>> {
    let schema = arrow_schema(footer)?;
    let times = footer
        .row_groups()
        .iter()
        .zip(blooms)
        .map(|(group, bloom)| {
            let times = column_bounds(
                table.time_column(),
                &schema,
                footer,
                std::slice::from_ref(group),
            )?;
            let time = |bound: Option<ScalarValue>| match bound {
                Some(ScalarValue::TimestampMicrosecond(value, _)) => value,
                _ => None,
            };
            Ok(RowGroup {
                times: time(times.min).unwrap_or(i64::MIN)..=time(times.max).unwrap_or(i64::MAX),
                rows: u64::try_from(group.num_rows()).unwrap_or_default(),
                bytes: u64::try_from(group.total_byte_size()).unwrap_or_default(),
                bloom,
            })
        });
    times.collect()
}

async fn blooms(
    store: &Arc<dyn ObjectStore>,
    location: &Path,
    footer: &ParquetMetaData,
    column: &str,
) -> Result<Vec<Option<Sbbf>>> {
    let groups = footer.row_groups().iter();
    let ranges: Vec<_> = groups
        .map(|group| bloom_range(group.columns(), column))
        .collect();
    let wanted: Vec<_> = ranges.iter().flatten().cloned().collect();
    let filters = store.get_ranges(location, &wanted).await;
    let mut filters = filters
        .map_err(|error| Error::at(location, error))?
        .into_iter();
    let filters = ranges
        .into_iter()
        .map(|range| match range.and_then(|_| filters.next()) {
            Some(bytes) => Sbbf::from_bytes(&bytes).map(Some),
            None => Ok(None),
        });
    filters
        .collect::<Result<_, _>>()
        .map_err(|error| Error::at(location, error))
}

fn bloom_range(columns: &[ColumnChunkMetaData], name: &str) -> Option<Range<u64>> {
    let column = columns
        .iter()
        .find(|column| column.column_path().parts() == [name])?;
    let start = u64::try_from(column.bloom_filter_offset()?).ok()?;
    let length = u64::try_from(column.bloom_filter_length()?).ok()?;
    Some(start..start.checked_add(length)?)
}
