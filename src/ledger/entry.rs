//! One batch as bytes for the log, and back.
//!
//! ```text
//! | version: 1 byte | zstd frame of: ( table: 1 byte | length: u32 LE | Arrow IPC stream )* |
//! ```
//! A table's stream holds only the columns that have a value in this batch (a small batch of spans fills a third of
//! them), without the sequence number, which is the log's to give. Columns that are missing read as null: an entry
//! written before a column existed is replayed as it is.

use std::io::Read;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, RecordBatch, new_null_array};
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use parking_lot::Mutex;

use crate::model::schema::SEQUENCE_COLUMN;
use crate::model::{Batch, Table};
use crate::redact::Redacted;

/// The format that is written; others are refused.
const VERSION: u8 = 1;
/// Fast, and already half the size: the entry lives for a minute.
const LEVEL: i32 = 1;
/// A buffer that a large batch has blown up further is not kept.
const KEPT_BYTES_MAX: usize = 8 << 20;

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

/// Turns batches into bytes. Compressors and buffers are used again: making them anew costs more than using them.
#[derive(Default)]
pub(super) struct Packers(Mutex<Vec<Packer>>);

impl Packers {
    /// Returns the bytes of a batch. Only what went through redaction can be written.
    pub(super) fn encode(&self, clean: &Redacted) -> Result<Vec<u8>, Error> {
        let free = self.0.lock().pop();
        let mut packer = free.map_or_else(Packer::new, Ok)?;
        let bytes = packer.pack(clean)?;
        if packer.plain.capacity() <= KEPT_BYTES_MAX {
            self.0.lock().push(packer);
        }
        Ok(bytes)
    }
}

struct Packer {
    compressor: zstd::bulk::Compressor<'static>,
    plain: Vec<u8>,
    packed: Vec<u8>,
}

impl Packer {
    fn new() -> Result<Self, Error> {
        let compressor = zstd::bulk::Compressor::new(LEVEL)?;
        Ok(Self {
            compressor,
            plain: Vec::new(),
            packed: Vec::new(),
        })
    }

    fn pack(&mut self, clean: &Redacted) -> Result<Vec<u8>, Error> {
        self.plain.clear();
        for (table, rows) in clean.batch().tables() {
            let rows = filled(rows)?;
            self.plain.extend_from_slice(&[code(table), 0, 0, 0, 0]);
            let start = self.plain.len();
            let mut writer = StreamWriter::try_new(&mut self.plain, rows.schema_ref())?;
            writer.write(&rows)?;
            writer.finish()?;
            drop(writer);
            let length = self.plain.len() - start;
            let length = u32::try_from(length).map_err(|_| Error::Malformed("over 4 GiB"))?;
            self.plain[start - 4..start].copy_from_slice(&length.to_le_bytes());
        }
        self.packed.clear();
        self.packed
            .reserve(zstd::zstd_safe::compress_bound(self.plain.len()));
        self.compressor
            .compress_to_buffer(&self.plain, &mut self.packed)?;
        let mut bytes = Vec::with_capacity(1 + self.packed.len());
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.packed);
        Ok(bytes)
    }
}

/// Returns the batch that [`Packers::encode`] wrote.
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
