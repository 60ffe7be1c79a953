//! The way back: a [`RawBatch`]'s spans as protobuf, for senders of our own.

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{
    AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;

use crate::model::{RawBatch, RawEvent, RawLink, RawResource, RawScope, RawSpan, Value};

/// Encodes the spans of a batch as an `ExportTraceServiceRequest`; log records and metric points are left out.
///
/// Decoding it gives the same spans again.
pub fn encode_traces(batch: &RawBatch) -> Vec<u8> {
    let resource_spans = batch.resources.iter().map(resource).collect();
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

fn resource(raw: &RawResource) -> ResourceSpans {
    ResourceSpans {
        resource: Some(Resource {
            attributes: attributes(&raw.attributes),
            ..Resource::default()
        }),
        scope_spans: raw.scopes.iter().map(scope).collect(),
        schema_url: String::new(),
    }
}

fn scope(raw: &RawScope) -> ScopeSpans {
    ScopeSpans {
        scope: Some(InstrumentationScope {
            name: raw.name.clone(),
            version: raw.version.clone(),
            ..InstrumentationScope::default()
        }),
        spans: raw.spans.iter().map(span).collect(),
        schema_url: String::new(),
    }
}

fn span(raw: &RawSpan) -> Span {
    let status = Status {
        message: raw.status_message.clone(),
        code: raw.status_code,
    };
    Span {
        trace_id: raw.trace_id.to_vec(),
        span_id: raw.span_id.to_vec(),
        trace_state: raw.trace_state.clone(),
        parent_span_id: raw.parent_span_id.map_or_else(Vec::new, |id| id.to_vec()),
        name: raw.name.clone(),
        kind: raw.kind,
        start_time_unix_nano: raw.start_unix_nano,
        end_time_unix_nano: raw.end_unix_nano,
        attributes: attributes(&raw.attributes),
        // One number on our side; the sum of the three is what a reader gets back.
        dropped_attributes_count: raw.dropped_count,
        events: raw.events.iter().map(event).collect(),
        links: raw.links.iter().map(link).collect(),
        status: Some(status).filter(|status| *status != Status::default()),
        ..Span::default()
    }
}

fn event(raw: &RawEvent) -> Event {
    Event {
        time_unix_nano: raw.time_unix_nano,
        name: raw.name.clone(),
        attributes: attributes(&raw.attributes),
        dropped_attributes_count: 0,
    }
}

fn link(raw: &RawLink) -> Link {
    Link {
        trace_id: raw.trace_id.to_vec(),
        span_id: raw.span_id.to_vec(),
        attributes: attributes(&raw.attributes),
        ..Link::default()
    }
}

fn attributes(raw: &[(String, Value)]) -> Vec<KeyValue> {
    raw.iter()
        .map(|(key, value)| KeyValue {
            key: key.clone(),
            value: Some(any(value)),
            ..KeyValue::default()
        })
        .collect()
}

fn any(raw: &Value) -> AnyValue {
    let value = match raw {
        Value::Null => None,
        Value::Bool(value) => Some(AnyKind::BoolValue(*value)),
        Value::Int(value) => Some(AnyKind::IntValue(*value)),
        Value::Double(value) => Some(AnyKind::DoubleValue(*value)),
        Value::Str(value) => Some(AnyKind::StringValue(value.clone())),
        Value::Bytes(value) => Some(AnyKind::BytesValue(value.clone())),
        Value::Array(values) => Some(AnyKind::ArrayValue(ArrayValue {
            values: values.iter().map(any).collect(),
        })),
        Value::Map(values) => Some(AnyKind::KvlistValue(KeyValueList {
            values: attributes(values),
        })),
    };
    AnyValue { value }
}
