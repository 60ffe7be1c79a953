//! One batch as bytes for the log, and back.
//!
//! ```text
//! | version: 1 byte | zstd frame of: ( table: 1 byte | length: u32 LE | Arrow IPC stream )* |
//! ```
//! A table's stream holds only the columns that have a value in this batch (a small batch of spans fills a third of
//! them), without the sequence number, which is the log's to give. Columns that are missing read as null: an entry
//! written before a column existed is replayed as it is.

use std::io::{Read, Write};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;

use crate::model::schema::SEQUENCE_COLUMN;
use crate::model::{Batch, Table};
use crate::redact::Redacted;

/// The format that is written; others are refused.
const VERSION: u8 = 1;
/// Fast, and already half the size: the entry lives for a minute.
const LEVEL: i32 = 1;

/// Why an entry of the log cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Written by another version of the program, or not by it at all.
    #[error("an entry of the log has format {0}, this program reads format {VERSION}")]
    Version(u8),
    /// It ends early, or names a table or column that does not exist.
    #[error("an entry of the log is malformed: {0}")]
    Malformed(&'static str),
    /// zstd or the stream itself.
    #[error("an entry of the log cannot be unpacked")]
    Unpack(#[from] std::io::Error),
    /// Arrow.
    #[error("rows in an entry of the log cannot be read")]
    Rows(#[from] arrow::error::ArrowError),
}

/// Returns the bytes of a batch. Only what went through redaction can be written.
pub(super) fn encode(clean: &Redacted) -> Result<Vec<u8>, Error> {
    let mut packed = zstd::Encoder::new(vec![VERSION], LEVEL)?;
    let mut stream = Vec::new();
    for (table, rows) in clean.batch().tables() {
        let rows = filled(rows)?;
        stream.clear();
        let mut writer = StreamWriter::try_new(&mut stream, rows.schema_ref())?;
        writer.write(&rows)?;
        writer.finish()?;
        drop(writer);
        let length = u32::try_from(stream.len()).map_err(|_| Error::Malformed("over 4 GiB"))?;
        packed.write_all(&[code(table)])?;
        packed.write_all(&length.to_le_bytes())?;
        packed.write_all(&stream)?;
    }
    Ok(packed.finish()?)
}

/// Returns the batch that [`encode`] wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<Batch, Error> {
    let (version, packed) = bytes.split_first().ok_or(Error::Malformed("empty"))?;
    if *version != VERSION {
        return Err(Error::Version(*version));
    }
    let mut unpacked = Vec::new();
    zstd::Decoder::new(packed)?.read_to_end(&mut unpacked)?;
    let mut batch = Batch::default();
    let mut rest = unpacked.as_slice();
    while !rest.is_empty() {
        let (head, tail) = rest
            .split_at_checked(5)
            .ok_or(Error::Malformed("cut in a header"))?;
        let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
        let (stream, tail) = tail
            .split_at_checked(length)
            .ok_or(Error::Malformed("cut in rows"))?;
        let table = table_of(head[0]).ok_or(Error::Malformed("unknown table"))?;
        let mut rows = StreamReader::try_new(stream, None)?;
        let rows = rows
            .next()
            .ok_or(Error::Malformed("a table without rows"))??;
        batch.set(table, complete(table, &rows)?);
        rest = tail;
    }
    Ok(batch)
}

/// Returns the columns that hold a value.
fn filled(rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = rows.schema_ref();
    let kept: Vec<usize> = (0..rows.num_columns())
        .filter(|at| rows.column(*at).null_count() < rows.num_rows())
        .filter(|at| schema.field(*at).name() != SEQUENCE_COLUMN)
        .collect();
    Ok(rows.project(&kept)?)
}

/// Returns the rows with all columns of the table.
fn complete(table: Table, rows: &RecordBatch) -> Result<RecordBatch, Error> {
    let schema = table.schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| match rows.column_by_name(field.name()) {
            Some(column) => Ok(Arc::clone(column)),
            None if field.name() == SEQUENCE_COLUMN => {
                Ok(Arc::new(Int64Array::from_value(0, rows.num_rows())) as ArrayRef)
            }
            None if field.is_nullable() => Ok(new_null_array(field.data_type(), rows.num_rows())),
            None => Err(Error::Malformed("a required column is missing")),
        });
    let columns = columns.collect::<Result<Vec<_>, Error>>()?;
    Ok(RecordBatch::try_new(schema, columns)?)
}

/// The number of a table in the log; never used again for another.
fn code(table: Table) -> u8 {
    match table {
        Table::Spans => 1,
        Table::SpanContent => 2,
        Table::SpanEvents => 3,
        Table::LogRecords => 4,
        Table::LogContent => 5,
        Table::MetricPoints => 6,
        Table::Evaluations => 7,
        Table::Outcomes => 8,
    }
}

fn table_of(number: u8) -> Option<Table> {
    Table::ALL.into_iter().find(|table| code(*table) == number)
}
