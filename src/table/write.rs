//! Writes Parquet files: how each kind of column is kept, and in which order rows lie.
//!
//! Whole numbers and times are delta-packed, texts of few values get a dictionary, ids and long texts none. A file that
//! was written is read back, footer and filters, before anybody commits it.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, RecordBatch, UInt32Array};
use arrow::compute::{SortColumn, concat, interleave_record_batch, lexsort_to_indices};
use arrow::datatypes::{DataType, Date32Type, SchemaRef};
use arrow::error::ArrowError;
use futures::stream::{BoxStream, StreamExt};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use parquet::arrow::AsyncArrowWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{BloomFilterPosition, EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use uuid::Uuid;

use crate::base::Clock;
use crate::model::Table;
use crate::model::column::Column;
use crate::model::schema::PARTITION_COLUMN;

use super::error::{Error, Result};
use super::file::{Claim, Claims, File};
use super::log::{Listed, day_text, folder};

/// Rows in a row group: what is read, sorted and pruned as one.
pub(super) const ROW_GROUP_ROWS: usize = 131_072;
/// A row group of long texts ends earlier, at this size.
const ROW_GROUP_BYTES: usize = 128 << 20;
/// Rows that are put together at once: so few that their longest texts fit.
const CHUNK_ROWS: usize = 4_096;
/// False positives of the filter over the look-up column: each costs a read for every span that is new.
const LOOKUP_FPP: f64 = 1e-5;
/// False positives of filters that help people's questions.
const QUESTION_FPP: f64 = 0.01;

/// zstd's levels.
const FAST: i32 = 1;
const SMALL: i32 = 3;

/// How hard to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effort {
    /// Fast: these rows are written again soon.
    Flush,
    /// Small: these rows stay.
    Compact,
}

/// Where and how the files of one table are written.
#[derive(Clone, Debug)]
pub(super) struct Writer {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) table: Table,
    pub(super) clock: Clock,
    pub(super) claims: Claims,
}

/// A file that is being written. Dropping it leaves an orphan, which is harmless.
pub(super) struct Output<'a> {
    writer: &'a Writer,
    parquet: AsyncArrowWriter<BufWriter>,
    location: Path,
    day: i32,
    path: Path,
    rows: usize,
    claim: Claim,
}

impl Writer {
    /// Begins a file of rows that were received on one day.
    pub(super) fn begin(&self, day: i32, effort: Effort) -> Result<Output<'_>> {
        let name = Uuid::now_v7();
        let path = Path::from(format!(
            "{PARTITION_COLUMN}={}/{name}.parquet",
            day_text(day)
        ));
        let location = Path::from_iter(folder(self.table).parts().chain(path.parts()));
        let object = BufWriter::new(Arc::clone(&self.store), location.clone());
        let options = ArrowWriterOptions::new()
            .with_properties(properties(self.table, effort))
            .with_skip_arrow_metadata(true);
        let schema = file_schema(self.table);
        let parquet = AsyncArrowWriter::try_new_with_options(object, schema, options)
            .map_err(|error| Error::at(&location, error))?;
        let claim = self.claims.claim(&path);
        Ok(Output {
            writer: self,
            parquet,
            location,
            day,
            path,
            rows: 0,
            claim,
        })
    }

    /// Writes rows that were received on one day, in their order, to a new file; `None` where there are none.
    ///
    /// What is written is durable but belongs to the table only when it is committed.
    pub(super) async fn write(
        &self,
        day: i32,
        effort: Effort,
        mut rows: BoxStream<'_, Result<RecordBatch>>,
    ) -> Result<Option<Arc<File>>> {
        let mut output = self.begin(day, effort)?;
        while let Some(batch) = rows.next().await {
            output.write(&batch?).await?;
        }
        output.finish().await
    }

    /// Writes rows as they come from a flush: sorted, one file for each day of receipt.
    pub(super) async fn write_flush(&self, rows: &[RecordBatch]) -> Result<Vec<Arc<File>>> {
        let failed = |error| Error::at("rows to be sorted", error);
        let mut files = Vec::new();
        for (day, rows) in by_day(rows) {
            let places = order(self.table, &rows).map_err(failed)?;
            let rows = in_order(&rows, &places).map(|rows| rows.map_err(failed));
            let rows = futures::stream::iter(rows).boxed();
            files.extend(self.write(day, Effort::Flush, rows).await?);
        }
        Ok(files)
    }
}

impl Output<'_> {
    pub(super) async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        self.rows += rows.num_rows();
        self.parquet
            .write(rows)
            .await
            .map_err(|error| Error::at(&self.location, error))
    }

    /// Ends the row group.
    pub(super) async fn end_row_group(&mut self) -> Result<()> {
        self.parquet
            .flush()
            .await
            .map_err(|error| Error::at(&self.location, error))
    }

    /// Returns how many bytes are written; a row group counts when it has ended.
    pub(super) fn bytes(&self) -> u64 {
        self.parquet.bytes_written() as u64
    }

    /// Ends the file; `None` where it has no rows.
    pub(super) async fn finish(mut self) -> Result<Option<Arc<File>>> {
        if self.rows == 0 {
            return Ok(None);
        }
        self.parquet
            .finish()
            .await
            .map_err(|error| Error::at(&self.location, error))?;
        let size = self.bytes();
        let modified_ms = self.writer.clock.now().micros() / 1_000;
        let listed = Listed {
            path: self.path,
            size,
            day: self.day,
            modified_ms,
        };
        File::open(&self.writer.store, self.writer.table, listed, self.claim)
            .await
            .map(Some)
    }
}

/// Returns the schema of the table's files: the partition column lives in the log alone.
pub(super) fn file_schema(table: Table) -> SchemaRef {
    let schema = table.schema();
    let kept: Vec<_> = (0..schema.fields().len())
        .filter(|i| schema.field(*i).name() != PARTITION_COLUMN)
        .collect();
    Arc::new(
        schema
            .project(&kept)
            .expect("the indices are the schema's own"),
    )
}

/// Splits rows by day of receipt and drops the column.
fn by_day(rows: &[RecordBatch]) -> Vec<(i32, Vec<RecordBatch>)> {
    let mut days: Vec<(i32, Vec<RecordBatch>)> = Vec::new();
    for batch in rows.iter().filter(|batch| batch.num_rows() > 0) {
        let index = batch
            .schema()
            .index_of(PARTITION_COLUMN)
            .expect("every table has the partition column");
        let mut stored = batch.clone();
        let column = stored.remove_column(index);
        let received = column.as_primitive::<Date32Type>().values();
        let mut start = 0;
        for run in received.chunk_by(|a, b| a == b) {
            let slice = stored.slice(start, run.len());
            start += run.len();
            match days.iter_mut().find(|(day, _)| *day == run[0]) {
                Some((_, slices)) => slices.push(slice),
                None => days.push((run[0], vec![slice])),
            }
        }
    }
    days
}

/// Returns the rows' places (batch, row) in the order of tenant and time; equal ones keep theirs.
fn order(table: Table, rows: &[RecordBatch]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let whole = |name: &str| -> Result<ArrayRef, ArrowError> {
        let parts: Vec<_> = rows.iter().map(|batch| batch[name].as_ref()).collect();
        concat(&parts)
    };
    let places: Vec<_> = rows
        .iter()
        .enumerate()
        .flat_map(|(batch, rows)| (0..rows.num_rows()).map(move |row| (batch, row)))
        .collect();
    let count = u32::try_from(places.len())
        .map_err(|error| ArrowError::from_external_error(error.into()))?;
    let positions: ArrayRef = Arc::new(UInt32Array::from_iter_values(0..count));
    let columns = [whole("tenant")?, whole(table.time_column())?, positions];
    let columns = columns.map(|values| SortColumn {
        values,
        options: None,
    });
    let sorted = lexsort_to_indices(&columns, None)?;
    Ok(sorted
        .values()
        .iter()
        .map(|position| places[*position as usize])
        .collect())
}

/// Returns rows in the order of `places`, a chunk at a time.
pub(super) fn in_order<'a>(
    rows: &'a [RecordBatch],
    places: &'a [(usize, usize)],
) -> impl Iterator<Item = Result<RecordBatch, ArrowError>> + 'a {
    let batches: Vec<_> = rows.iter().collect();
    let mut waiting: Vec<&[(usize, usize)]> = places.chunks(CHUNK_ROWS).rev().collect();
    std::iter::from_fn(move || {
        loop {
            let chunk = waiting.pop()?;
            match interleave_record_batch(&batches, chunk) {
                // The texts of so many rows do not fit into one array.
                Err(ArrowError::OffsetOverflowError(_)) if chunk.len() > 1 => {
                    let (first, second) = chunk.split_at(chunk.len() / 2);
                    waiting.extend([second, first]);
                }
                rows => return Some(rows),
            }
        }
    })
}

/// Columns of hex digits that hardly repeat: a dictionary is waste, and so is looking for repetition.
const HEX: [&str; 10] = [
    "span_id",
    "log_id",
    "point_id",
    "evaluation_id",
    "outcome_id",
    "tool_args_hash",
    "tool_args_shape_hash",
    "tool_result_hash",
    "output_hash",
    "body_hash",
];
/// Columns of ids that senders make: they differ, but most begin alike.
const NAMED_IDS: [&str; 3] = ["response_id", "tool_call_id", "idempotency_key"];
/// Long texts: no dictionary, and bounds of them would help nobody.
const LONG: [&str; 6] = ["attributes", "body", "links", "metadata", "buckets", "note"];
/// Columns of spans that people look for by value, besides the look-up column.
const ASKED_FOR: [&str; 2] = ["session_id", "task_id"];

fn properties(table: Table, effort: Effort) -> WriterProperties {
    let level = match effort {
        Effort::Flush => FAST,
        Effort::Compact => SMALL,
    };
    let mut properties = WriterProperties::builder()
        .set_created_by(concat!("outspan version ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_compression(zstd(level))
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_max_row_group_bytes(Some(ROW_GROUP_BYTES))
        .set_statistics_enabled(EnabledStatistics::Page)
        // Filters stand together before the footer, so that opening a file reads one piece of it.
        .set_bloom_filter_position(BloomFilterPosition::End);
    for column in table.columns() {
        properties = column_properties(properties, table, column);
    }
    properties.build()
}

fn zstd(level: i32) -> Compression {
    Compression::ZSTD(ZstdLevel::try_new(level).expect("zstd has the levels 1 to 22"))
}

fn column_properties(
    properties: parquet::file::properties::WriterPropertiesBuilder,
    table: Table,
    column: &Column,
) -> parquet::file::properties::WriterPropertiesBuilder {
    let path = || ColumnPath::from(column.name);
    let whole_number = matches!(
        column.data_type,
        DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::Date32
            | DataType::Timestamp(..)
    );
    if whole_number {
        return properties
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_BINARY_PACKED);
    }
    if LONG.contains(&column.name) {
        return properties
            .set_column_dictionary_enabled(path(), false)
            .set_column_statistics_enabled(path(), EnabledStatistics::None);
    }
    let mut properties = properties;
    if HEX.contains(&column.name) {
        properties = properties
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
            .set_column_compression(path(), zstd(FAST));
    } else if NAMED_IDS.contains(&column.name) {
        properties = properties
            .set_column_dictionary_enabled(path(), false)
            .set_column_encoding(path(), Encoding::DELTA_BYTE_ARRAY);
    }
    let false_positives = if column.name == table.lookup_column() {
        Some(LOOKUP_FPP)
    } else {
        (table == Table::Spans && ASKED_FOR.contains(&column.name)).then_some(QUESTION_FPP)
    };
    match false_positives {
        Some(rate) => properties
            .set_column_bloom_filter_enabled(path(), true)
            .set_column_bloom_filter_fpp(path(), rate),
        None => properties,
    }
}
