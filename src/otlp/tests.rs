//! Decoding held against prost, against JSON, and against what real senders sent.

mod answers;
mod captures;
mod json;
mod metrics;
mod oracle;
mod properties;
mod refusals;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;

use crate::model::{RawBatch, RawSpan, Rejected};
use crate::otlp::{Encoding, traces};

/// A span with all that is required of one.
fn span(number: u8) -> Span {
    Span {
        trace_id: vec![number + 1; 16],
        span_id: vec![number + 1; 8],
        name: format!("span {number}"),
        ..Span::default()
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            scope_spans,
            ..ResourceSpans::default()
        }],
    }
}

fn decoded(spans: Vec<Span>) -> (Vec<RawSpan>, Rejected) {
    let (batch, rejected) = traces(&request(spans).encode_to_vec(), Encoding::Protobuf).unwrap();
    (spans_of(batch), rejected)
}

fn spans_of(batch: RawBatch) -> Vec<RawSpan> {
    batch
        .resources
        .into_iter()
        .flat_map(|resource| resource.scopes)
        .flat_map(|scope| scope.spans)
        .collect()
}

/// Wraps bytes as a length-delimited field.
fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

/// A request around the bytes of spans that no encoder would write.
fn request_of_bytes(spans: &[Vec<u8>]) -> Vec<u8> {
    let spans: Vec<u8> = spans.iter().flat_map(|span| field(2, span)).collect();
    field(1, &field(2, &spans))
}

fn any(kind: AnyKind) -> AnyValue {
    AnyValue { value: Some(kind) }
}

fn attribute(key: &str, value: AnyValue) -> KeyValue {
    KeyValue {
        key: key.into(),
        value: Some(value),
        ..KeyValue::default()
    }
}

/// A value within this many lists.
fn in_lists(depth: usize) -> AnyValue {
    (0..depth).fold(any(AnyKind::IntValue(1)), |inner, _| {
        any(AnyKind::ArrayValue(ArrayValue {
            values: vec![inner],
        }))
    })
}

/// A value within this many maps.
fn in_maps(depth: usize) -> AnyValue {
    (0..depth).fold(any(AnyKind::IntValue(1)), |inner, _| {
        any(AnyKind::KvlistValue(KeyValueList {
            values: vec![attribute("k", inner)],
        }))
    })
}
