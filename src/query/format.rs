//! Writes answers as JSON, NDJSON, CSV, Arrow, Parquet, or a table for a terminal.
//!
//! [`Body`] is written as the batches come, in chunks of bounded size, and the query runs only as fast as it is read. An
//! error is the stream's last item; before the first bytes it is the only one, so that a door can still answer with a
//! status. In text, integers and decimals keep all their digits, times are RFC 3339 in UTC, bytes are base64, and NaN and
//! infinities, which JSON does not know, are null.

mod json;
mod text;

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv;
use datafusion::arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::ipc::writer::StreamWriter;
use datafusion::arrow::json::LineDelimitedWriter;
use datafusion::arrow::util::display::FormatOptions;
use datafusion::arrow::util::pretty::pretty_format_batches_with_options;
use datafusion::error::DataFusionError;
use datafusion::parquet::arrow::ArrowWriter;
use datafusion::parquet::basic::{Compression, ZstdLevel};
use datafusion::parquet::errors::ParquetError;
use datafusion::parquet::file::properties::WriterProperties;
use futures::{Stream, StreamExt};

use super::engine::Answer;
use super::error::{Error, Result};

pub use text::type_name;

/// Rows that are written into one chunk.
const CHUNK_ROWS: usize = 1_024;
/// Rows and encoded bytes after which a Parquet row group is written out.
const GROUP_ROWS: usize = 65_536;
const GROUP_BYTES: usize = 16 << 20;

/// In which form an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One object: `columns`, `rows` as arrays, `truncated`, `elapsed_ms`.
    Json,
    /// One object a row, one row a line.
    Ndjson,
    /// A header line, then one line a row; lists and structs as JSON.
    Csv,
    /// Arrow's IPC stream.
    Arrow,
    /// One Parquet file.
    Parquet,
}

impl Format {
    /// All formats, the default one first.
    pub const ALL: [Self; 5] = [
        Self::Json,
        Self::Ndjson,
        Self::Csv,
        Self::Arrow,
        Self::Parquet,
    ];

    /// Returns the name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
        }
    }

    /// Returns the media type of a body in this format.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The bytes of an answer, as they are made.
#[derive(Debug)]
pub struct Body {
    answer: Answer,
    /// Present until the last chunk.
    writer: Option<Writer>,
    /// The batch being written, and how many of its rows are.
    batch: Option<(RecordBatch, usize)>,
}

impl Body {
    /// Starts writing an answer.
    ///
    /// # Errors
    /// `Invalid` for a column whose type the format does not know.
    pub fn new(format: Format, answer: Answer) -> Result<Self> {
        let writer = Writer::new(format, &answer.schema())?;
        Ok(Self {
            answer,
            writer: Some(writer),
            batch: None,
        })
    }

    fn chunk(&mut self) -> Result<Bytes> {
        let (Some(writer), Some((batch, written))) = (&mut self.writer, &mut self.batch) else {
            return Ok(Bytes::new());
        };
        let rows = CHUNK_ROWS.min(batch.num_rows() - *written);
        let bytes = writer.write(&batch.slice(*written, rows))?;
        *written += rows;
        if *written == batch.num_rows() {
            self.batch = None;
        }
        Ok(bytes)
    }

    fn end(&mut self) -> Result<Bytes> {
        let Some(writer) = self.writer.take() else {
            return Ok(Bytes::new());
        };
        writer.finish(
            self.answer.truncated().unwrap_or(false),
            self.answer.elapsed(),
        )
    }
}

impl Stream for Body {
    type Item = Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while self.writer.is_some() {
            if self.batch.is_none() {
                match ready!(self.answer.poll_next_unpin(cx)) {
                    Some(Ok(batch)) => self.batch = Some((batch, 0)),
                    Some(Err(error)) => {
                        self.writer = None;
                        return Poll::Ready(Some(Err(error)));
                    }
                    None => return Poll::Ready(Some(self.end())),
                }
            }
            match self.chunk() {
                // Parquet keeps rows until a group is full.
                Ok(bytes) if bytes.is_empty() => {}
                Ok(bytes) => return Poll::Ready(Some(Ok(bytes))),
                Err(error) => {
                    self.writer = None;
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
        Poll::Ready(None)
    }
}

/// Turns batches into bytes, piece by piece.
#[derive(Debug)]
pub struct Writer(Kind);

enum Kind {
    Json(json::Rows),
    Ndjson(Box<LineDelimitedWriter<Vec<u8>>>),
    Csv {
        schema: SchemaRef,
        /// Whether the header is still to be written; Arrow's writer cannot give its bytes away, so each chunk has one.
        header: bool,
    },
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<ArrowWriter<Vec<u8>>>, SchemaRef),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Json(_) => "Json",
            Self::Ndjson(_) => "Ndjson",
            Self::Csv { .. } => "Csv",
            Self::Arrow(_) => "Arrow",
            Self::Parquet(..) => "Parquet",
        })
    }
}

impl Writer {
    /// Returns a writer for batches of `schema`.
    ///
    /// # Errors
    /// `Invalid` for a column whose type the format does not know.
    pub fn new(format: Format, schema: &SchemaRef) -> Result<Self> {
        if format != Format::Arrow {
            let fields = schema.flattened_fields();
            if let Some(field) = fields
                .iter()
                .find(|f| matches!(f.data_type(), DataType::Union(..)))
            {
                let message = format!(
                    "column '{}' has a type that {} has no word for",
                    field.name(),
                    format.name()
                );
                return Err(Error::invalid(message).with_hint("ask for arrow, or cast the column"));
            }
        }
        Ok(Self(match format {
            Format::Json => Kind::Json(json::Rows::new(schema)),
            Format::Ndjson => Kind::Ndjson(Box::new(json::lines())),
            Format::Csv => Kind::Csv {
                schema: text::plain_schema(schema),
                header: true,
            },
            Format::Arrow => Kind::Arrow(Box::new(
                StreamWriter::try_new(Vec::new(), schema).map_err(failed)?,
            )),
            Format::Parquet => {
                let schema = text::without_intervals(schema);
                let writer =
                    ArrowWriter::try_new(Vec::new(), SchemaRef::clone(&schema), Some(properties()));
                Kind::Parquet(Box::new(writer.map_err(failed_parquet)?), schema)
            }
        }))
    }

    /// Returns the bytes of a batch; none while a format gathers more.
    ///
    /// # Errors
    /// `Invalid` for values that the format does not know.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Bytes> {
        Ok(Bytes::from(match &mut self.0 {
            Kind::Json(rows) => rows.write(&text::in_utc(batch)?)?,
            Kind::Ndjson(writer) => {
                writer.write(&text::in_utc(batch)?).map_err(failed)?;
                std::mem::take(writer.get_mut())
            }
            Kind::Csv { schema, header } => {
                let plain = text::plain(&text::in_utc(batch)?, schema)?;
                csv_lines(&plain, std::mem::replace(header, false))?
            }
            Kind::Arrow(writer) => {
                writer.write(batch).map_err(failed)?;
                std::mem::take(writer.get_mut())
            }
            Kind::Parquet(writer, schema) => {
                writer
                    .write(&text::cast_to(batch, schema)?)
                    .map_err(failed_parquet)?;
                if writer.in_progress_size() >= GROUP_BYTES {
                    writer.flush().map_err(failed_parquet)?;
                }
                // The writer counts offsets by itself, so what is written may be taken away.
                writer
                    .sync()
                    .map_err(|error| Error::internal("cannot write parquet", error))?;
                std::mem::take(writer.inner_mut())
            }
        }))
    }

    /// Returns the last bytes.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub fn finish(self, truncated: bool, elapsed: Duration) -> Result<Bytes> {
        Ok(Bytes::from(match self.0 {
            Kind::Json(rows) => rows.finish(truncated, elapsed),
            Kind::Ndjson(mut writer) => {
                writer.finish().map_err(failed)?;
                writer.into_inner()
            }
            Kind::Csv {
                schema,
                header: true,
            } => csv_lines(&RecordBatch::new_empty(schema), true)?,
            Kind::Csv { .. } => Vec::new(),
            Kind::Arrow(mut writer) => {
                writer.finish().map_err(failed)?;
                std::mem::take(writer.get_mut())
            }
            Kind::Parquet(writer, _) => writer.into_inner().map_err(failed_parquet)?,
        }))
    }
}

fn csv_lines(batch: &RecordBatch, header: bool) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new()
        .with_header(header)
        .build(Vec::new());
    writer.write(batch).map_err(failed)?;
    Ok(writer.into_inner())
}

fn properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .build()
}

fn failed(error: ArrowError) -> Error {
    match error {
        ArrowError::JsonError(text) | ArrowError::CsvError(text) => {
            Error::invalid(super::error::one_line(&text))
        }
        other => DataFusionError::from(other).into(),
    }
}

fn failed_parquet(error: ParquetError) -> Error {
    match error {
        ParquetError::NYI(text) | ParquetError::ArrowError(text) => {
            Error::invalid(super::error::one_line(&text))
        }
        other => Error::internal("cannot write parquet", other),
    }
}

/// Returns batches as an aligned table, for people; all of it at once.
///
/// # Errors
/// `Invalid` for values that cannot be shown.
pub fn table(schema: &SchemaRef, batches: &[RecordBatch]) -> Result<String> {
    let mut shown = batches
        .iter()
        .map(text::in_utc)
        .collect::<Result<Vec<_>>>()?;
    if shown.is_empty() {
        shown.push(RecordBatch::new_empty(SchemaRef::clone(schema)));
    }
    let options = FormatOptions::default().with_null("NULL");
    let table = pretty_format_batches_with_options(&shown, &options).map_err(failed)?;
    Ok(table.to_string())
}

fn is_nested(data_type: &DataType) -> bool {
    data_type.is_nested()
        || matches!(data_type, DataType::Dictionary(_, value) if value.is_nested())
}

fn with_types(schema: &Schema, change: impl Fn(&DataType) -> DataType) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| {
        field
            .as_ref()
            .clone()
            .with_data_type(change(field.data_type()))
    });
    SchemaRef::new(Schema::new(fields.collect::<Vec<_>>()))
}

#[cfg(test)]
mod tests;
