//! One request as its sender meant it, whatever the encoding: the product of `otlp`, the food of `normalise`.
//!
//! Times are Unix nanoseconds as sent. Ids are checked (right length, not all zero); everything else is as it came.

use super::value::{Attributes, Value};

/// What one request brought: spans, log records and metric points below their resources and scopes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawBatch {
    /// In the order sent.
    pub resources: Vec<RawResource>,
}

/// A resource (a process, a service) and what it sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawResource {
    /// The resource's own attributes.
    pub attributes: Attributes,
    /// In the order sent.
    pub scopes: Vec<RawScope>,
}

/// An instrumentation scope and what it sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawScope {
    /// Name of the instrumentation library; may be empty.
    pub name: String,
    /// Its version; may be empty.
    pub version: String,
    /// Spans, in the order sent.
    pub spans: Vec<RawSpan>,
    /// Log records, in the order sent.
    pub logs: Vec<RawLog>,
    /// Metric points, in the order sent.
    pub points: Vec<RawPoint>,
}

/// A trace id: 16 bytes, not all zero.
pub type TraceId = [u8; 16];
/// A span id: 8 bytes, not all zero.
pub type SpanId = [u8; 8];

/// One span as sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawSpan {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its own id.
    pub span_id: SpanId,
    /// Its parent; `None` at a root.
    pub parent_span_id: Option<SpanId>,
    /// Name as sent.
    pub name: String,
    /// OTLP's number for the kind (0 unspecified, 1 internal, 2 server, 3 client, 4 producer, 5 consumer).
    pub kind: i32,
    /// Start, Unix nanoseconds.
    pub start_unix_nano: u64,
    /// End, Unix nanoseconds; 0 where it was not sent.
    pub end_unix_nano: u64,
    /// Attributes in the order sent.
    pub attributes: Attributes,
    /// At most [`crate::model::limits::EVENTS_MAX`]; more are counted in `dropped_count`.
    pub events: Vec<RawEvent>,
    /// At most [`crate::model::limits::LINKS_MAX`]; more are counted in `dropped_count`.
    pub links: Vec<RawLink>,
    /// OTLP's number for the status (0 unset, 1 ok, 2 error).
    pub status_code: i32,
    /// Status message; may be empty.
    pub status_message: String,
    /// W3C trace state; may be empty.
    pub trace_state: String,
    /// Attributes, events and links dropped by the sender's SDK or by our limits.
    pub dropped_count: u32,
}

/// One event of a span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawEvent {
    /// Unix nanoseconds.
    pub time_unix_nano: u64,
    /// Name as sent.
    pub name: String,
    /// Attributes in the order sent.
    pub attributes: Attributes,
}

/// One link from a span to another.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLink {
    /// The other trace; all zero where the sender left it out.
    pub trace_id: TraceId,
    /// The other span; all zero where the sender left it out.
    pub span_id: SpanId,
    /// Attributes in the order sent.
    pub attributes: Attributes,
}

/// One log record as sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawLog {
    /// When it happened, Unix nanoseconds; 0 where unknown.
    pub time_unix_nano: u64,
    /// When it was collected, Unix nanoseconds; 0 where unknown.
    pub observed_unix_nano: u64,
    /// OTLP's severity, 1 to 24; 0 where unknown.
    pub severity_number: i32,
    /// Name of the event; may be empty.
    pub event_name: String,
    /// The record's body.
    pub body: Value,
    /// Attributes in the order sent.
    pub attributes: Attributes,
    /// The trace it was written in, where there was one.
    pub trace_id: Option<TraceId>,
    /// The span it was written in, where there was one.
    pub span_id: Option<SpanId>,
    /// Attributes dropped by the sender's SDK.
    pub dropped_count: u32,
}

/// One point of a metric.
#[derive(Clone, Debug, PartialEq)]
pub struct RawPoint {
    /// Name of the metric.
    pub name: String,
    /// Its unit; may be empty.
    pub unit: String,
    /// What it measures, and what it measured.
    pub data: PointData,
    /// Start of the interval, Unix nanoseconds; 0 where there is none.
    pub start_unix_nano: u64,
    /// Time of the point, Unix nanoseconds.
    pub time_unix_nano: u64,
    /// Attributes in the order sent.
    pub attributes: Attributes,
}

/// What a metric point measured.
#[derive(Clone, Debug, PartialEq)]
pub enum PointData {
    /// A value at one moment.
    Gauge(Number),
    /// A sum since `start_unix_nano` (cumulative) or since the last point (delta).
    Sum {
        /// The sum.
        value: Number,
        /// OTLP's temporality (1 delta, 2 cumulative).
        temporality: i32,
        /// Whether it only grows.
        monotonic: bool,
    },
    /// Counts in buckets: explicit or exponential bounds, kept as JSON.
    Histogram {
        /// Values counted.
        count: u64,
        /// Their sum, where sent.
        sum: Option<f64>,
        /// The smallest, where sent.
        min: Option<f64>,
        /// The largest, where sent.
        max: Option<f64>,
        /// OTLP's temporality (1 delta, 2 cumulative); 0 for a summary.
        temporality: i32,
        /// Bounds and counts, or quantiles, as one JSON object.
        buckets_json: String,
        /// `histogram`, `exponential_histogram` or `summary`.
        form: &'static str,
    },
}

/// A number of a metric point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    /// A signed integer.
    Int(i64),
    /// A floating point number.
    Double(f64),
}
