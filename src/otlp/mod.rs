//! Protobuf and JSON bytes <-> [`RawBatch`].
//!
//! An envelope is read first, then each span, log record and metric point alone: what is wrong with one is counted in
//! [`Rejected`] with a sentence that names it, and the others are kept. Only a body without a readable envelope is a
//! [`DecodeError`]. Pure functions: no sockets, no clock. What is decoded is never much larger than what was sent:
//! lists end at their limits while they are read, and values that take next to no bytes are rationed.

mod allowance;
mod answer;
mod encode;
mod ids;
mod intake;
mod json;
mod metric;
mod proto;
mod refusal;
#[cfg(test)]
mod tests;
mod wire;

pub use answer::{Code, export_response, refused, status};
pub use encode::encode_traces;

use crate::model::{RawBatch, Rejected};
use refusal::Refusal;

/// How the bytes of a request, and of its answer, are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// OTLP's own JSON: ids in hexadecimal, 64-bit integers as text.
    Json,
}

impl Encoding {
    /// Returns the media type, as `Content-Type` says it.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Protobuf => PROTOBUF,
            Self::Json => JSON,
        }
    }

    /// Returns the encoding as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Protobuf => "protobuf",
            Self::Json => "json",
        }
    }
}

/// The media type of OTLP in protobuf.
pub const PROTOBUF: &str = "application/x-protobuf";
/// The media type of OTLP in JSON.
pub const JSON: &str = "application/json";

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signal {
    /// Spans.
    Traces,
    /// Log records.
    Logs,
    /// Metric points.
    Metrics,
}

impl Signal {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Logs, Self::Metrics];

    /// Returns the signal as the last part of its HTTP path, which is its label too.
    pub fn label(self) -> &'static str {
        match self {
            Self::Traces => "traces",
            Self::Logs => "logs",
            Self::Metrics => "metrics",
        }
    }
}

/// A body whose envelope cannot be read: nothing of it can be kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// Not a protobuf export request.
    #[error("body is not a protobuf export request: it {0}")]
    Protobuf(String),
    /// Not a JSON export request.
    #[error("body is not a JSON export request: {0}")]
    Json(String),
}

impl From<Refusal> for DecodeError {
    fn from(refusal: Refusal) -> Self {
        Self::Protobuf(refusal.what().to_owned())
    }
}

/// Decodes an `ExportTraceServiceRequest`; an empty protobuf body is an empty request.
///
/// # Errors
/// When the envelope cannot be read: the sender must not send it again.
pub fn traces(body: &[u8], encoding: Encoding) -> Result<(RawBatch, Rejected), DecodeError> {
    decode(Signal::Traces, body, encoding)
}

/// Decodes an `ExportLogsServiceRequest`; an empty protobuf body is an empty request.
///
/// # Errors
/// When the envelope cannot be read: the sender must not send it again.
pub fn logs(body: &[u8], encoding: Encoding) -> Result<(RawBatch, Rejected), DecodeError> {
    decode(Signal::Logs, body, encoding)
}

/// Decodes an `ExportMetricsServiceRequest`; an empty protobuf body is an empty request.
///
/// # Errors
/// When the envelope cannot be read: the sender must not send it again.
pub fn metrics(body: &[u8], encoding: Encoding) -> Result<(RawBatch, Rejected), DecodeError> {
    decode(Signal::Metrics, body, encoding)
}

/// Decodes a request of the given signal.
///
/// # Errors
/// When the envelope cannot be read: the sender must not send it again.
pub fn decode(
    signal: Signal,
    body: &[u8],
    encoding: Encoding,
) -> Result<(RawBatch, Rejected), DecodeError> {
    match encoding {
        Encoding::Protobuf => proto::read(signal, body),
        Encoding::Json => json::read(signal, body),
    }
}
