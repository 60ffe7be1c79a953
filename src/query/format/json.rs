//! JSON: rows as arrays, and the values that Arrow's own encoder writes differently.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{Array, AsArray, RecordBatch, StringArray, StringBuilder};
use datafusion::arrow::datatypes::{DataType, FieldRef, SchemaRef};
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::writer::{
    Encoder, EncoderFactory, EncoderOptions, NullableEncoder, make_encoder,
};
use datafusion::arrow::json::{LineDelimitedWriter, WriterBuilder};

use super::{failed, type_name};
use crate::query::error::Result;

/// The rows of the JSON body.
#[derive(Debug)]
pub(super) struct Rows {
    head: Option<Vec<u8>>,
    first: bool,
    options: EncoderOptions,
}

impl Rows {
    pub(super) fn new(schema: &SchemaRef) -> Self {
        let columns = schema.fields().iter().map(|field| {
            serde_json::json!({ "name": field.name(), "type": type_name(field.data_type()) })
        });
        let columns = serde_json::Value::from_iter(columns);
        let head = format!("{{\"columns\":{columns},\"rows\":[").into_bytes();
        Self {
            head: Some(head),
            first: true,
            options: options(),
        }
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>> {
        let mut out = self.head.take().unwrap_or_default();
        let schema = batch.schema();
        let encoders = schema.fields().iter().zip(batch.columns());
        let mut encoders = encoders
            .map(|(field, array)| make_encoder(field, array, &self.options))
            .collect::<Result<Vec<_>, ArrowError>>()
            .map_err(failed)?;
        for row in 0..batch.num_rows() {
            out.extend_from_slice(if self.first { b"[" } else { b",[" });
            self.first = false;
            for (at, encoder) in encoders.iter_mut().enumerate() {
                if at > 0 {
                    out.push(b',');
                }
                encode(encoder, row, &mut out);
            }
            out.push(b']');
        }
        Ok(out)
    }

    pub(super) fn finish(mut self, truncated: bool, elapsed: Duration) -> Vec<u8> {
        let mut out = self.head.take().unwrap_or_default();
        let tail = format!(
            "],\"truncated\":{truncated},\"elapsed_ms\":{}}}",
            elapsed.as_millis()
        );
        out.extend_from_slice(tail.as_bytes());
        out
    }
}

fn encode(encoder: &mut NullableEncoder<'_>, row: usize, out: &mut Vec<u8>) {
    if encoder.is_null(row) {
        out.extend_from_slice(b"null");
    } else {
        encoder.encode(row, out);
    }
}

/// Returns a writer of one object a row.
pub(super) fn lines() -> LineDelimitedWriter<Vec<u8>> {
    let builder = WriterBuilder::new();
    builder
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Base64))
        .build(Vec::new())
}

/// Returns a column as the JSON text of its values.
pub(super) fn texts(field: &FieldRef, array: &dyn Array) -> Result<StringArray> {
    let options = options();
    let mut encoder = make_encoder(field, array, &options).map_err(failed)?;
    let mut texts = StringBuilder::with_capacity(array.len(), array.len() * 16);
    let mut out = Vec::new();
    for row in 0..array.len() {
        if encoder.is_null(row) {
            texts.append_null();
            continue;
        }
        out.clear();
        encoder.encode(row, &mut out);
        texts.append_value(String::from_utf8_lossy(&out));
    }
    Ok(texts.finish())
}

fn options() -> EncoderOptions {
    EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Base64))
}

/// Writes bytes as base64; Arrow writes them as hexadecimal.
#[derive(Debug)]
struct Base64;

impl EncoderFactory for Base64 {
    fn make_default_encoder<'a>(
        &self,
        _: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let bytes: Box<dyn Fn(usize) -> &'a [u8] + 'a> = match array.data_type() {
            DataType::Binary => Box::new(|row| array.as_binary::<i32>().value(row)),
            DataType::LargeBinary => Box::new(|row| array.as_binary::<i64>().value(row)),
            DataType::BinaryView => Box::new(|row| array.as_binary_view().value(row)),
            DataType::FixedSizeBinary(_) => Box::new(|row| array.as_fixed_size_binary().value(row)),
            _ => return Ok(None),
        };
        Ok(Some(NullableEncoder::new(
            Box::new(Bytes(bytes)),
            array.nulls().cloned(),
        )))
    }
}

struct Bytes<'a>(Box<dyn Fn(usize) -> &'a [u8] + 'a>);

impl Encoder for Bytes<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(STANDARD.encode((self.0)(row)).as_bytes());
        out.push(b'"');
    }
}
