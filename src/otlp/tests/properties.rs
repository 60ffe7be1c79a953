//! Laws: decoding undoes encoding, the two encodings agree, prost and we agree, nothing panics.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message;

use super::oracle;
use crate::model::{
    Attributes, RawBatch, RawEvent, RawLink, RawResource, RawScope, RawSpan, Rejected, Value,
};
use crate::otlp::{Encoding, Signal, decode, encode_traces, traces};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![4 => "[a-z_.]{0,12}", 1 => "\\PC{0,8}", 1 => Just("\u{0}\"\\\n\u{1F600}".to_owned())]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(Value::Int),
        // JSON has no numbers for the others; a test of its own covers them.
        any::<f64>()
            .prop_filter("finite", |value| value.is_finite())
            .prop_map(Value::Double),
        text().prop_map(Value::Str),
        vec(any::<u8>(), 0..20).prop_map(Value::Bytes),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::Array),
            vec((text(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    vec((text(), value()), 0..5)
}

fn id<const N: usize>() -> impl Strategy<Value = [u8; N]> {
    any::<[u8; N]>().prop_filter("not all zero", |id| *id != [0; N])
}

fn event() -> impl Strategy<Value = RawEvent> {
    (any::<u64>(), text(), attributes()).prop_map(|(time_unix_nano, name, attributes)| RawEvent {
        time_unix_nano,
        name,
        attributes,
    })
}

fn link() -> impl Strategy<Value = RawLink> {
    (id(), id(), attributes()).prop_map(|(trace_id, span_id, attributes)| RawLink {
        trace_id,
        span_id,
        attributes,
    })
}

fn span() -> impl Strategy<Value = RawSpan> {
    let head = (id(), id(), proptest::option::of(id()), text(), 0..6i32);
    let times = (any::<u64>(), any::<u64>());
    let tail = (
        vec(event(), 0..3),
        vec(link(), 0..3),
        0..3i32,
        text(),
        text(),
        any::<u32>(),
    );
    (head, times, attributes(), tail).prop_map(|(head, times, attributes, tail)| RawSpan {
        trace_id: head.0,
        span_id: head.1,
        parent_span_id: head.2,
        name: head.3,
        kind: head.4,
        start_unix_nano: times.0,
        end_unix_nano: times.1,
        attributes,
        events: tail.0,
        links: tail.1,
        status_code: tail.2,
        status_message: tail.3,
        trace_state: tail.4,
        dropped_count: tail.5,
    })
}

fn batch() -> impl Strategy<Value = RawBatch> {
    let scope = (text(), text(), vec(span(), 1..4)).prop_map(|(name, version, spans)| RawScope {
        name,
        version,
        spans,
        ..RawScope::default()
    });
    let resource = (attributes(), vec(scope, 1..3))
        .prop_map(|(attributes, scopes)| RawResource { attributes, scopes });
    vec(resource, 0..3).prop_map(|resources| RawBatch { resources })
}

/// Log records made of the spans: what the two kinds share is most of the work.
fn logs_of(body: &[u8]) -> ExportLogsServiceRequest {
    let request = ExportTraceServiceRequest::decode(body).unwrap();
    let resource_logs = request
        .resource_spans
        .into_iter()
        .map(|group| ResourceLogs {
            resource: group.resource,
            scope_logs: group
                .scope_spans
                .into_iter()
                .map(|group| ScopeLogs {
                    scope: group.scope,
                    log_records: group
                        .spans
                        .into_iter()
                        .map(|span| LogRecord {
                            time_unix_nano: span.start_time_unix_nano,
                            observed_time_unix_nano: span.end_time_unix_nano,
                            severity_number: span.kind,
                            body: span
                                .attributes
                                .first()
                                .and_then(|entry| entry.value.clone()),
                            attributes: span.attributes,
                            dropped_attributes_count: span.dropped_attributes_count,
                            trace_id: span.trace_id,
                            span_id: span.parent_span_id,
                            event_name: span.name,
                            ..LogRecord::default()
                        })
                        .collect(),
                    ..ScopeLogs::default()
                })
                .collect(),
            ..ResourceLogs::default()
        });
    ExportLogsServiceRequest {
        resource_logs: resource_logs.collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn decoding_undoes_encoding(batch in batch()) {
        let decoded = traces(&encode_traces(&batch), Encoding::Protobuf);
        prop_assert_eq!(decoded, Ok((batch, Rejected::default())));
    }

    #[test]
    fn json_and_protobuf_of_one_request_decode_to_the_same_spans(batch in batch()) {
        let body = encode_traces(&batch);
        let request = ExportTraceServiceRequest::decode(body.as_slice()).unwrap();
        let decoded = traces(&serde_json::to_vec(&request).unwrap(), Encoding::Json);
        prop_assert_eq!(decoded, Ok((batch, Rejected::default())));
    }

    #[test]
    fn log_records_decode_as_prost_reads_them_in_both_encodings(batch in batch()) {
        let request = logs_of(&encode_traces(&batch));
        let body = request.encode_to_vec();
        let expected = Ok((oracle::logs(&body).unwrap(), Rejected::default()));
        prop_assert_eq!(&decode(Signal::Logs, &body, Encoding::Protobuf), &expected);
        let json = serde_json::to_vec(&request).unwrap();
        prop_assert_eq!(&decode(Signal::Logs, &json, Encoding::Json), &expected);
    }

    /// Bytes changed, cut, doubled: wherever prost still reads a request, we read the same one.
    #[test]
    fn what_prost_reads_of_damaged_bytes_we_read_too(
        batch in batch(),
        damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4u8), 0..4),
    ) {
        let mut body = encode_traces(&batch);
        for (at, byte, kind) in damage {
            if body.is_empty() {
                break;
            }
            let at = at.index(body.len());
            match kind {
                0 => body[at] = byte,
                1 => body.truncate(at),
                2 => body.insert(at, byte),
                _ => drop(body.remove(at)),
            }
        }
        let ours = traces(&body, Encoding::Protobuf);
        if let Some(theirs) = oracle::traces(&body) {
            prop_assert_eq!(without_nan(&ours.unwrap().0), without_nan(&theirs));
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(body in vec(any::<u8>(), 0..400), signal in 0..3usize) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            let _answered = decode(Signal::ALL[signal], &body, encoding).is_ok();
        }
    }

    /// JSON cut and changed anywhere.
    #[test]
    fn damaged_json_never_panics(
        batch in batch(), at in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let request = ExportTraceServiceRequest::decode(encode_traces(&batch).as_slice()).unwrap();
        let mut body = serde_json::to_vec(&request).unwrap();
        let at = at.index(body.len());
        if cut { body.truncate(at) } else { body[at] = byte }
        let _answered = traces(&body, Encoding::Json).is_ok();
    }
}

/// NaN is no equal of itself: a damaged double may have become one.
fn without_nan(batch: &RawBatch) -> String {
    format!("{batch:?}")
}

#[test]
fn an_empty_protobuf_body_is_an_empty_request() {
    for signal in Signal::ALL {
        let decoded = decode(signal, b"", Encoding::Protobuf);
        assert_eq!(decoded, Ok((RawBatch::default(), Rejected::default())));
    }
}

#[test]
fn scopes_and_resources_without_items_are_left_out() {
    let mut request = super::request(vec![super::span(0)]);
    request.resource_spans[0]
        .scope_spans
        .push(super::ScopeSpans {
            scope: Some(InstrumentationScope {
                name: "idle".into(),
                ..Default::default()
            }),
            ..Default::default()
        });
    request.resource_spans.push(super::ResourceSpans::default());
    let (batch, _) = traces(&request.encode_to_vec(), Encoding::Protobuf).unwrap();
    assert_eq!(batch.resources.len(), 1);
    assert_eq!(batch.resources[0].scopes.len(), 1);
}
