//! For tests: spans in few words, and values of every kind.

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int32Type, Int64Type};
use proptest::prelude::*;

use super::{Context, Secrets, TenantPolicy, normalise};
use crate::model::{
    Attributes, Batch, Micros, RawBatch, RawEvent, RawLog, RawResource, RawScope, RawSpan,
    Rejected, Table, Value,
};

/// Noon of the 24th of November 2026, in seconds.
pub(in crate::normalise) const NOON_S: i64 = 1_795_521_600;

/// A value from what tests write.
pub(in crate::normalise) trait Meant {
    fn meant(self) -> Value;
}
impl Meant for Value {
    fn meant(self) -> Value {
        self
    }
}
impl Meant for &str {
    fn meant(self) -> Value {
        Value::Str(self.to_owned())
    }
}
impl Meant for String {
    fn meant(self) -> Value {
        Value::Str(self)
    }
}
impl Meant for i64 {
    fn meant(self) -> Value {
        Value::Int(self)
    }
}
impl Meant for f64 {
    fn meant(self) -> Value {
        Value::Double(self)
    }
}
impl Meant for bool {
    fn meant(self) -> Value {
        Value::Bool(self)
    }
}

/// Attributes in few words: `attributes! { "gen_ai.system" => "openai" }`.
macro_rules! attributes {
    ($($name:expr => $value:expr),* $(,)?) => {
        vec![$(($name.to_string(), $crate::normalise::support::Meant::meant($value))),*]
    };
}
pub(in crate::normalise) use attributes;

/// A span of one second, named `span`.
pub(in crate::normalise) fn span(attributes: Attributes) -> RawSpan {
    let start = u64::try_from(NOON_S).unwrap() * 1_000_000_000;
    RawSpan {
        trace_id: [7; 16],
        span_id: [1; 8],
        parent_span_id: Some([9; 8]),
        name: "span".to_owned(),
        kind: 1,
        start_unix_nano: start,
        end_unix_nano: start + 1_000_000_000,
        attributes,
        ..RawSpan::default()
    }
}

/// An event half a second later.
pub(in crate::normalise) fn event(name: &str, attributes: Attributes) -> RawEvent {
    let time_unix_nano = u64::try_from(NOON_S).unwrap() * 1_000_000_000 + 500_000_000;
    RawEvent {
        time_unix_nano,
        name: name.to_owned(),
        attributes,
    }
}

/// A log record of that moment.
pub(in crate::normalise) fn log(
    event_name: &str,
    body: impl Meant,
    attributes: Attributes,
) -> RawLog {
    RawLog {
        time_unix_nano: u64::try_from(NOON_S).unwrap() * 1_000_000_000,
        event_name: event_name.to_owned(),
        body: body.meant(),
        attributes,
        ..RawLog::default()
    }
}

pub(in crate::normalise) fn context() -> Context {
    Context {
        received: Micros(NOON_S * 1_000_000),
        tenants: TenantPolicy::FromResource {
            default: "default".into(),
        },
        secrets: Secrets::new(b"test"),
    }
}

/// A request of one scope.
pub(in crate::normalise) fn request(scope: RawScope) -> RawBatch {
    let attributes = attributes! { "service.name" => "shop" };
    RawBatch {
        resources: vec![RawResource {
            attributes,
            scopes: vec![scope],
        }],
    }
}

pub(in crate::normalise) fn of_spans(spans: Vec<RawSpan>) -> (Batch, Rejected) {
    normalise(
        request(RawScope {
            spans,
            ..RawScope::default()
        }),
        &context(),
    )
}

/// Normalises one span of a scope.
pub(in crate::normalise) fn of_scope(scope: &str, span: RawSpan) -> Rows {
    let scope = RawScope {
        name: scope.to_owned(),
        spans: vec![span],
        ..RawScope::default()
    };
    Rows(normalise(request(scope), &context()).0)
}

/// Normalises the attributes of one span.
pub(in crate::normalise) fn of(attributes: Attributes) -> Rows {
    of_scope("", span(attributes))
}

/// Normalises one log record.
pub(in crate::normalise) fn of_log(log: RawLog) -> Rows {
    let scope = RawScope {
        logs: vec![log],
        ..RawScope::default()
    };
    Rows(normalise(request(scope), &context()).0)
}

/// What came out, asked cell by cell as text.
pub(in crate::normalise) struct Rows(pub(in crate::normalise) Batch);

impl Rows {
    /// Returns a cell of the first row of `spans`; empty for null.
    pub(in crate::normalise) fn span(&self, column: &str) -> String {
        self.cell(Table::Spans, 0, column)
    }

    pub(in crate::normalise) fn cell(&self, table: Table, row: usize, column: &str) -> String {
        cell(self.0.table(table).unwrap(), row, column)
    }

    pub(in crate::normalise) fn count(&self, table: Table) -> usize {
        self.0.table(table).map_or(0, RecordBatch::num_rows)
    }

    /// Returns slot, format and body of each piece of content.
    pub(in crate::normalise) fn content(&self) -> Vec<(String, String, String)> {
        let cell = |row, column| self.cell(Table::SpanContent, row, column);
        (0..self.count(Table::SpanContent))
            .map(|row| (cell(row, "slot"), cell(row, "format"), cell(row, "body")))
            .collect()
    }

    /// Returns the body in a slot; empty where there is none.
    pub(in crate::normalise) fn body(&self, slot: &str) -> String {
        self.content()
            .into_iter()
            .find(|(name, ..)| name == slot)
            .map(|(_, _, body)| body)
            .unwrap_or_default()
    }
}

pub(in crate::normalise) fn cell(rows: &RecordBatch, row: usize, column: &str) -> String {
    let values = rows
        .column_by_name(column)
        .unwrap_or_else(|| panic!("no column {column}"));
    if values.is_null(row) {
        return String::new();
    }
    match values.data_type() {
        DataType::Utf8 => values.as_string::<i32>().value(row).to_owned(),
        DataType::Int32 => values.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Int64 => values.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Float64 => values.as_primitive::<Float64Type>().value(row).to_string(),
        DataType::Boolean => values.as_boolean().value(row).to_string(),
        DataType::List(_) => {
            let list = values.as_list::<i32>().value(row);
            list.as_string::<i32>()
                .iter()
                .flatten()
                .collect::<Vec<_>>()
                .join(",")
        }
        _ => arrow::util::display::array_value_to_string(values, row).unwrap(),
    }
}

/// Values of every kind, nested a little.
pub(in crate::normalise) fn value() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        "[a-c]{1,2}",
        Just("$f".to_owned()),
        Just("$b".to_owned()),
        Just("$$f".to_owned())
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        (-1000i32..1000).prop_map(|whole| Value::Double(f64::from(whole))),
        ".{0,40}".prop_map(Value::Str),
        Just(Value::Str("NaN".to_owned())),
        proptest::collection::vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(3, 24, 4, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            proptest::collection::vec((key.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}
