//! Brings columns into types that the text formats write as promised.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef,
};
use datafusion::arrow::record_batch::RecordBatchOptions;

use super::{failed, is_nested, json, with_types};
use crate::query::error::Result;

/// UTC as an offset: names of time zones need tables.
const UTC: &str = "+00:00";

/// Returns the batch with all times in UTC; those without a zone are in UTC already.
pub(super) fn in_utc(batch: &RecordBatch) -> Result<RecordBatch> {
    cast_to(batch, &with_types(&batch.schema(), utc))
}

fn utc(data_type: &DataType) -> DataType {
    let inner = |field: &FieldRef| -> FieldRef {
        let changed = utc(field.data_type());
        Arc::new(Field::clone(field).with_data_type(changed))
    };
    match data_type {
        DataType::Timestamp(unit, _) => DataType::Timestamp(*unit, Some(UTC.into())),
        DataType::List(field) => DataType::List(inner(field)),
        DataType::LargeList(field) => DataType::LargeList(inner(field)),
        DataType::FixedSizeList(field, size) => DataType::FixedSizeList(inner(field), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(inner).collect::<Fields>()),
        other => other.clone(),
    }
}

/// Returns the batch with each column cast to its type in `schema`.
pub(super) fn cast_to(batch: &RecordBatch, schema: &SchemaRef) -> Result<RecordBatch> {
    let columns = batch
        .columns()
        .iter()
        .zip(schema.fields())
        .map(|(column, field)| {
            if column.data_type() == field.data_type() {
                return Ok(Arc::clone(column));
            }
            cast(column, field.data_type()).map_err(failed)
        });
    rebuilt(batch, schema, columns.collect::<Result<_>>()?)
}

fn rebuilt(batch: &RecordBatch, schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(failed)
}

/// Returns the schema with intervals as text, which Parquet has no type for.
pub(super) fn without_intervals(schema: &Schema) -> SchemaRef {
    with_types(schema, |data_type| match data_type {
        DataType::Interval(_) => DataType::Utf8,
        other => other.clone(),
    })
}

/// Returns the schema as CSV can hold it: nested values and bytes as text.
pub(super) fn plain_schema(schema: &Schema) -> SchemaRef {
    let times = with_types(schema, utc);
    with_types(&times, |data_type| {
        if is_nested(data_type) || is_bytes(data_type) {
            DataType::Utf8
        } else {
            data_type.clone()
        }
    })
}

/// Returns the batch in the schema that [`plain_schema`] made.
pub(super) fn plain(batch: &RecordBatch, plain: &SchemaRef) -> Result<RecordBatch> {
    let schema = batch.schema();
    let columns = schema
        .fields()
        .iter()
        .zip(batch.columns())
        .map(|(field, column)| {
            Ok::<ArrayRef, crate::query::Error>(match column.data_type() {
                nested if is_nested(nested) => Arc::new(json::texts(field, column)?),
                bytes if is_bytes(bytes) => Arc::new(base64(column)?),
                _ => Arc::clone(column),
            })
        });
    rebuilt(batch, plain, columns.collect::<Result<_>>()?)
}

fn base64(column: &ArrayRef) -> Result<StringArray> {
    let bytes = cast(column, &DataType::BinaryView).map_err(failed)?;
    Ok(bytes
        .as_binary_view()
        .iter()
        .map(|row| row.map(|bytes| STANDARD.encode(bytes)))
        .collect())
}

fn is_bytes(data_type: &DataType) -> bool {
    matches!(
        data_type,
        DataType::Binary
            | DataType::LargeBinary
            | DataType::BinaryView
            | DataType::FixedSizeBinary(_)
    )
}

/// Returns the SQL name of a type, as clients know it.
pub fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Null => "NULL".to_owned(),
        DataType::Boolean => "BOOLEAN".to_owned(),
        DataType::Int8 => "TINYINT".to_owned(),
        DataType::Int16 => "SMALLINT".to_owned(),
        DataType::Int32 => "INTEGER".to_owned(),
        DataType::Int64 => "BIGINT".to_owned(),
        DataType::UInt8 => "TINYINT UNSIGNED".to_owned(),
        DataType::UInt16 => "SMALLINT UNSIGNED".to_owned(),
        DataType::UInt32 => "INTEGER UNSIGNED".to_owned(),
        DataType::UInt64 => "BIGINT UNSIGNED".to_owned(),
        DataType::Float16 | DataType::Float32 => "REAL".to_owned(),
        DataType::Float64 => "DOUBLE".to_owned(),
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => format!("DECIMAL({precision},{scale})"),
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "VARCHAR".to_owned(),
        DataType::Date32 | DataType::Date64 => "DATE".to_owned(),
        DataType::Time32(_) | DataType::Time64(_) => "TIME".to_owned(),
        DataType::Timestamp(..) => "TIMESTAMP".to_owned(),
        DataType::Interval(
            IntervalUnit::YearMonth | IntervalUnit::DayTime | IntervalUnit::MonthDayNano,
        )
        | DataType::Duration(_) => "INTERVAL".to_owned(),
        DataType::List(field)
        | DataType::LargeList(field)
        | DataType::ListView(field)
        | DataType::LargeListView(field)
        | DataType::FixedSizeList(field, _) => format!("{}[]", type_name(field.data_type())),
        DataType::Struct(fields) => {
            let fields = fields
                .iter()
                .map(|field| format!("{} {}", field.name(), type_name(field.data_type())));
            format!("STRUCT({})", fields.collect::<Vec<_>>().join(", "))
        }
        DataType::Map(..) => "MAP".to_owned(),
        DataType::Dictionary(_, value) => type_name(value),
        DataType::RunEndEncoded(_, values) => type_name(values.data_type()),
        bytes if is_bytes(bytes) => "BYTEA".to_owned(),
        other => other.to_string().to_uppercase(),
    }
}
