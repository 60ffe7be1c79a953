//! The same requests read by prost into opentelemetry-proto's own types: what our reader must agree with.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

use crate::model::{
    Attributes, RawBatch, RawEvent, RawLink, RawLog, RawResource, RawScope, RawSpan, Value,
};
use crate::otlp::ids::Id;

/// What prost reads; `None` where it reads nothing. Spans without valid ids are left out, as ours would.
pub(super) fn traces(body: &[u8]) -> Option<RawBatch> {
    let request = ExportTraceServiceRequest::decode(body).ok()?;
    let resources = request.resource_spans.into_iter().map(|group| {
        let scopes = group.scope_spans.into_iter().map(|group| RawScope {
            spans: group.spans.into_iter().filter_map(span).collect(),
            ..scope(group.scope)
        });
        resource(group.resource, scopes.collect())
    });
    Some(
        RawBatch {
            resources: resources.collect(),
        }
        .without_empty(),
    )
}

/// The same for log records.
pub(super) fn logs(body: &[u8]) -> Option<RawBatch> {
    let request = ExportLogsServiceRequest::decode(body).ok()?;
    let resources = request.resource_logs.into_iter().map(|group| {
        let scopes = group.scope_logs.into_iter().map(|group| RawScope {
            logs: group.log_records.into_iter().map(log).collect(),
            ..scope(group.scope)
        });
        resource(group.resource, scopes.collect())
    });
    Some(
        RawBatch {
            resources: resources.collect(),
        }
        .without_empty(),
    )
}

impl RawBatch {
    fn without_empty(mut self) -> Self {
        for resource in &mut self.resources {
            resource
                .scopes
                .retain(|scope| scope.spans.len() + scope.logs.len() > 0);
        }
        self.resources
            .retain(|resource| !resource.scopes.is_empty());
        self
    }
}

fn resource(resource: Option<Resource>, scopes: Vec<RawScope>) -> RawResource {
    RawResource {
        attributes: attributes(resource.unwrap_or_default().attributes),
        scopes,
    }
}

fn scope(scope: Option<InstrumentationScope>) -> RawScope {
    let InstrumentationScope { name, version, .. } = scope.unwrap_or_default();
    RawScope {
        name,
        version,
        ..RawScope::default()
    }
}

fn span(span: Span) -> Option<RawSpan> {
    let status = span.status.unwrap_or_default();
    Some(RawSpan {
        trace_id: Id::from_bytes(&span.trace_id).valid()?,
        span_id: Id::from_bytes(&span.span_id).valid()?,
        parent_span_id: Id::from_bytes(&span.parent_span_id)
            .optional("parent_span_id", crate::model::Reason::SpanId)
            .ok()?,
        name: span.name,
        kind: span.kind,
        start_unix_nano: span.start_time_unix_nano,
        end_unix_nano: span.end_time_unix_nano,
        attributes: attributes(span.attributes),
        events: span
            .events
            .into_iter()
            .map(|event| RawEvent {
                time_unix_nano: event.time_unix_nano,
                name: event.name,
                attributes: attributes(event.attributes),
            })
            .collect(),
        links: span
            .links
            .into_iter()
            .map(|link| RawLink {
                trace_id: Id::from_bytes(&link.trace_id).valid().unwrap_or_default(),
                span_id: Id::from_bytes(&link.span_id).valid().unwrap_or_default(),
                attributes: attributes(link.attributes),
            })
            .collect(),
        status_code: status.code,
        status_message: status.message,
        trace_state: span.trace_state,
        dropped_count: span
            .dropped_attributes_count
            .saturating_add(span.dropped_events_count)
            .saturating_add(span.dropped_links_count),
    })
}

fn log(log: LogRecord) -> RawLog {
    RawLog {
        time_unix_nano: log.time_unix_nano,
        observed_unix_nano: log.observed_time_unix_nano,
        severity_number: log.severity_number,
        event_name: log.event_name,
        body: log.body.map_or(Value::Null, value),
        attributes: attributes(log.attributes),
        trace_id: Id::from_bytes(&log.trace_id).valid(),
        span_id: Id::from_bytes(&log.span_id).valid(),
        dropped_count: log.dropped_attributes_count,
    }
}

fn attributes(list: Vec<KeyValue>) -> Attributes {
    list.into_iter()
        .map(|entry| (entry.key, entry.value.map_or(Value::Null, value)))
        .collect()
}

fn value(any: AnyValue) -> Value {
    match any.value {
        None | Some(AnyKind::StringValueStrindex(_)) => Value::Null,
        Some(AnyKind::StringValue(value)) => Value::Str(value),
        Some(AnyKind::BoolValue(value)) => Value::Bool(value),
        Some(AnyKind::IntValue(value)) => Value::Int(value),
        Some(AnyKind::DoubleValue(value)) => Value::Double(value),
        Some(AnyKind::BytesValue(value)) => Value::Bytes(value),
        Some(AnyKind::ArrayValue(list)) => {
            Value::Array(list.values.into_iter().map(value).collect())
        }
        Some(AnyKind::KvlistValue(list)) => Value::Map(attributes(list.values)),
    }
}
