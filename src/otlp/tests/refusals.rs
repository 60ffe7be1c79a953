//! One bad item is counted and named, and costs nobody else.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as AnyKind;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use prost::Message;

use super::*;
use crate::model::limits::{EVENTS_MAX, LINKS_MAX, VALUE_DEPTH_MAX};
use crate::model::{RawLog, Reason, Value};
use crate::otlp::{DecodeError, logs};

/// Sends a bad span between two good ones, as protobuf, and returns what was said about it.
fn refused(bad: Vec<u8>) -> (Reason, String) {
    let body = request_of_bytes(&[span(0).encode_to_vec(), bad, span(2).encode_to_vec()]);
    let (batch, rejected) = traces(&body, Encoding::Protobuf).unwrap();
    let names: Vec<_> = spans_of(batch).into_iter().map(|span| span.name).collect();
    assert_eq!(names, ["span 0", "span 2"]);
    assert_eq!(rejected.total(), 1);
    let (reason, _) = rejected.counts().next().unwrap();
    (reason, rejected.message().unwrap())
}

fn refused_span(change: impl FnOnce(&mut Span)) -> (Reason, String) {
    let mut span = span(1);
    change(&mut span);
    refused(span.encode_to_vec())
}

#[test]
fn a_name_that_is_not_utf8_costs_its_span_only() {
    let mut bad = field(1, &[2; 16]);
    bad.extend(field(2, &[2; 8]));
    bad.extend(field(5, b"caf\xe9"));
    let message = "span 1 (0202020202020202): name is not UTF-8";
    assert_eq!(refused(bad), (Reason::Malformed, message.into()));
}

#[test]
fn broken_wire_bytes_cost_their_span_only() {
    let (reason, message) = refused(vec![0x0a, 0x7f, 0x01]);
    assert_eq!(
        (reason, message.as_str()),
        (Reason::Malformed, "span 1: is cut short")
    );
    assert_eq!(refused(vec![0x0f]).0, Reason::Malformed);
    assert_eq!(refused(vec![0xff; 11]).0, Reason::Malformed);
    assert_eq!(
        refused(field(7, b"not a time")).1,
        "span 1: start_time_unix_nano has the wrong wire type"
    );
}

#[test]
fn ids_must_be_of_their_length_and_not_all_zero() {
    type Change = &'static dyn Fn(&mut Span);
    let cases: [(Change, Reason, &str); 7] = [
        (
            &|s| s.trace_id.clear(),
            Reason::TraceId,
            "span 1 (0202020202020202): trace_id is missing",
        ),
        (
            &|s| s.trace_id = vec![7; 15],
            Reason::TraceId,
            "span 1 (0202020202020202): trace_id is 15 bytes long instead of 16",
        ),
        (
            &|s| s.trace_id = vec![7; 17],
            Reason::TraceId,
            "span 1 (0202020202020202): trace_id is 17 bytes long instead of 16",
        ),
        (
            &|s| s.trace_id = vec![0; 16],
            Reason::TraceId,
            "span 1 (0202020202020202): trace_id is all zero",
        ),
        (
            &|s| s.span_id = vec![0; 8],
            Reason::SpanId,
            "span 1: span_id is all zero",
        ),
        (
            &|s| s.span_id = vec![7; 7],
            Reason::SpanId,
            "span 1: span_id is 7 bytes long instead of 8",
        ),
        (
            &|s| s.parent_span_id = vec![7; 9],
            Reason::SpanId,
            "span 1 (0202020202020202): parent_span_id is 9 bytes long instead of 8",
        ),
    ];
    for (change, reason, message) in cases {
        assert_eq!(refused_span(change), (reason, message.to_owned()));
    }
}

#[test]
fn an_absent_or_zero_parent_is_a_root() {
    for parent in [vec![], vec![0; 8]] {
        let (spans, rejected) = decoded(vec![Span {
            parent_span_id: parent,
            ..span(0)
        }]);
        assert_eq!((spans[0].parent_span_id, rejected.total()), (None, 0));
    }
}

#[test]
fn values_nest_as_deep_as_the_limit_and_no_deeper() {
    for nested in [in_lists, in_maps] {
        let within = Span {
            attributes: vec![attribute("deep", nested(VALUE_DEPTH_MAX))],
            ..span(0)
        };
        let in_event = Span {
            events: vec![Event {
                attributes: within.attributes.clone(),
                ..Event::default()
            }],
            ..span(1)
        };
        assert_eq!(decoded(vec![within, in_event]).1.total(), 0);

        // 33 is ours to refuse; prost alone would give up at about 50 lists.
        for depth in [VALUE_DEPTH_MAX + 1, 60, 1_000] {
            let (reason, message) =
                refused_span(|span| span.attributes = vec![attribute("deep", nested(depth))]);
            assert_eq!(reason, Reason::Depth);
            assert!(
                message.starts_with("span 1 (0202020202020202): attribute deep: "),
                "{message}"
            );
            assert!(message.ends_with("is nested deeper than 32"), "{message}");
        }
    }
}

#[test]
fn json_values_nest_as_deep_as_the_limit_and_no_deeper() {
    for nested in [in_lists, in_maps] {
        for (depth, kept, reason) in [
            (VALUE_DEPTH_MAX, 2, None),
            (VALUE_DEPTH_MAX + 1, 1, Some(Reason::Depth)),
        ] {
            let deep = Span {
                attributes: vec![attribute("deep", nested(depth))],
                ..span(1)
            };
            let body = serde_json::to_vec(&request(vec![span(0), deep])).unwrap();
            let (batch, rejected) = traces(&body, Encoding::Json).unwrap();
            assert_eq!(spans_of(batch).len(), kept);
            assert_eq!(rejected.counts().next().map(|(reason, _)| reason), reason);
        }
    }
}

#[test]
fn json_nested_without_end_costs_its_span_only() {
    let deep = format!(
        "{}1{}",
        r#"{"arrayValue":{"values":["#.repeat(20_000),
        "]}}".repeat(20_000)
    );
    let good = r#"{"traceId":"01010101010101010101010101010101","spanId":"0101010101010101"}"#;
    let body = format!(
        r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{good},
            {{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202",
              "attributes":[{{"key":"k","value":{deep}}}]}}]}}]}}]}}"#
    );
    let (batch, rejected) = traces(body.as_bytes(), Encoding::Json).unwrap();
    assert_eq!((spans_of(batch).len(), rejected.total()), (1, 1));
}

#[test]
fn events_and_links_over_their_limits_are_counted_as_dropped() {
    let with = |events, links| Span {
        attributes: vec![],
        events: vec![
            Event {
                name: "e".into(),
                time_unix_nano: 1,
                ..Event::default()
            };
            events
        ],
        links: vec![
            Link {
                trace_id: vec![1; 16],
                ..Link::default()
            };
            links
        ],
        dropped_events_count: 5,
        dropped_attributes_count: 1,
        ..span(0)
    };
    for (extra, dropped) in [(0, 6), (1, 8), (72, 150)] {
        let sent = with(EVENTS_MAX + extra, LINKS_MAX + extra);
        let json = serde_json::to_vec(&request(vec![sent.clone()])).unwrap();
        let (from_json, _) = traces(&json, Encoding::Json).unwrap();
        let (spans, rejected) = decoded(vec![sent]);
        assert_eq!(rejected.total(), 0);
        assert_eq!(
            (spans[0].events.len(), spans[0].links.len()),
            (EVENTS_MAX, LINKS_MAX)
        );
        assert_eq!(spans[0].dropped_count, dropped);
        assert_eq!(spans_of(from_json), spans);
    }
}

#[test]
fn what_the_sender_says_it_dropped_cannot_overflow() {
    let sent = Span {
        dropped_events_count: u32::MAX,
        dropped_links_count: 2,
        ..span(0)
    };
    assert_eq!(decoded(vec![sent]).0[0].dropped_count, u32::MAX);
}

#[test]
fn an_end_before_the_start_and_a_linked_span_without_ids_are_kept() {
    let (spans, rejected) = decoded(vec![Span {
        start_time_unix_nano: 9,
        end_time_unix_nano: 3,
        links: vec![Link {
            trace_id: vec![1; 3],
            span_id: vec![],
            ..Link::default()
        }],
        ..span(0)
    }]);
    assert_eq!(rejected.total(), 0);
    assert_eq!((spans[0].start_unix_nano, spans[0].end_unix_nano), (9, 3));
    assert_eq!(
        (spans[0].links[0].trace_id, spans[0].links[0].span_id),
        ([0; 16], [0; 8])
    );
}

#[test]
fn many_empty_values_are_refused_and_as_many_real_ones_are_kept() {
    let list = |element: AnyValue| {
        let list = any(AnyKind::ArrayValue(ArrayValue {
            values: vec![element; 10_000],
        }));
        Span {
            attributes: vec![attribute("list", list)],
            ..span(1)
        }
    };
    assert_eq!(
        decoded(vec![list(any(AnyKind::BoolValue(true)))]).1.total(),
        0
    );
    let (reason, message) = refused(list(AnyValue::default()).encode_to_vec());
    assert_eq!(reason, Reason::Field);
    assert!(message.contains("too many values"), "{message}");

    let empty = any(AnyKind::KvlistValue(KeyValueList {
        values: vec![KeyValue::default(); 10_000],
    }));
    let (reason, _) = refused_span(|span| span.attributes = vec![attribute("map", empty)]);
    assert_eq!(reason, Reason::Field);
}

#[test]
fn many_empty_items_are_refused() {
    let log_records = vec![LogRecord::default(); 10_000];
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    }];
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    };
    let (batch, rejected) = logs(&request.encode_to_vec(), Encoding::Protobuf).unwrap();
    let kept = batch.resources[0].scopes[0].logs.len() as u64;
    assert!(kept < 2_000, "{kept}");
    assert_eq!(kept + rejected.total(), 10_000);
}

#[test]
fn a_resource_that_cannot_be_read_takes_its_spans_along_and_no_others() {
    let mut request = request(vec![span(0), span(1)]);
    request.resource_spans[0].resource = Some(Resource {
        attributes: vec![attribute("deep", in_lists(VALUE_DEPTH_MAX + 1))],
        ..Resource::default()
    });
    request
        .resource_spans
        .extend(super::request(vec![span(2)]).resource_spans);
    for (body, encoding) in [
        (request.encode_to_vec(), Encoding::Protobuf),
        (serde_json::to_vec(&request).unwrap(), Encoding::Json),
    ] {
        let (batch, rejected) = traces(&body, encoding).unwrap();
        assert_eq!(spans_of(batch).len(), 1);
        assert_eq!(rejected.counts().collect::<Vec<_>>(), [(Reason::Depth, 2)]);
        let message = rejected.message().unwrap();
        assert!(message.starts_with("resource: attribute deep"), "{message}");
    }
}

#[test]
fn a_scope_whose_name_is_not_utf8_takes_its_spans_along() {
    let mut scope = field(1, &field(1, b"\xff"));
    scope.extend(field(2, &span(0).encode_to_vec()));
    let good = field(2, &field(2, &span(1).encode_to_vec()));
    let body = field(1, &[field(2, &scope), good].concat());
    let (batch, rejected) = traces(&body, Encoding::Protobuf).unwrap();
    assert_eq!(spans_of(batch).len(), 1);
    assert_eq!(rejected.message().unwrap(), "scope: name is not UTF-8");
}

#[test]
fn a_body_without_a_readable_envelope_is_an_error() {
    for body in [
        &b"\x0a\x7f\x01"[..],
        b"{}",
        b"\x08\xff",
        &field(1, b"\x12\x05\x12\x7f\x01"),
    ] {
        let error = traces(body, Encoding::Protobuf).unwrap_err();
        assert!(matches!(error, DecodeError::Protobuf(_)), "{error}");
    }
    for body in [
        &b""[..],
        b"[",
        b"\x0a\x00",
        b"[]",
        br#"{"resourceSpans":{}}"#,
        br#"{"resourceSpans":[1]}"#,
    ] {
        let error = traces(body, Encoding::Json).unwrap_err();
        assert!(matches!(error, DecodeError::Json(_)), "{error}");
    }
}

#[test]
fn a_log_record_is_kept_whatever_its_ids_are() {
    let record = |trace_id: Vec<u8>, span_id: Vec<u8>| LogRecord {
        trace_id,
        span_id,
        body: Some(any(AnyKind::StringValue("hello".into()))),
        ..LogRecord::default()
    };
    let log_records = vec![
        record(vec![], vec![]),
        record(vec![0; 16], vec![0; 8]),
        record(vec![1; 3], vec![1; 9]),
        record(vec![1; 16], vec![2; 8]),
    ];
    let scope_logs = vec![ScopeLogs {
        log_records,
        ..ScopeLogs::default()
    }];
    let request = ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            scope_logs,
            ..ResourceLogs::default()
        }],
    };
    for (body, encoding) in [
        (request.encode_to_vec(), Encoding::Protobuf),
        (serde_json::to_vec(&request).unwrap(), Encoding::Json),
    ] {
        let (batch, rejected) = logs(&body, encoding).unwrap();
        assert_eq!(rejected.total(), 0);
        let ids = |log: &RawLog| (log.trace_id, log.span_id);
        let logs = &batch.resources[0].scopes[0].logs;
        assert_eq!(
            logs.iter().map(ids).collect::<Vec<_>>(),
            [
                (None, None),
                (None, None),
                (None, None),
                (Some([1; 16]), Some([2; 8])),
            ]
        );
        assert_eq!(logs[0].body, Value::Str("hello".into()));
    }
}

#[test]
fn a_message_never_quotes_a_value() {
    let body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"alice@example.com","spanId":"0101010101010101"},
        {"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","kind":"alice@example.com"},
        {"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","name":["alice@example.com"]},
        {"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","events":"alice@example.com"}
    ]}]}]}"#;
    let text = String::from_utf8_lossy(body);
    for line in text.lines().filter(|line| line.contains("alice")) {
        let span = line.trim().trim_end_matches(',');
        let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{span}]}}]}}]}}"#);
        let (_, rejected) = traces(body.as_bytes(), Encoding::Json).unwrap();
        let message = rejected.message().unwrap();
        assert!(!message.contains("alice"), "{message}");
    }
}
