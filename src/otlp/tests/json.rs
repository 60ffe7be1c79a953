//! What senders of JSON really write.

use super::*;
use crate::model::{RawEvent, RawScope, Reason, Value};
use crate::otlp::{logs, metrics};

const IDS: &str = r#""traceId":"0102030405060708090a0b0c0d0e0f10","spanId":"0102030405060708""#;

fn decode_span(fields: &str) -> (Vec<RawSpan>, Rejected) {
    let body = format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{fields}}}]}}]}}]}}"#);
    let (batch, rejected) = traces(body.as_bytes(), Encoding::Json).unwrap();
    (spans_of(batch), rejected)
}

fn kept(fields: &str) -> RawSpan {
    let (mut spans, rejected) = decode_span(fields);
    assert_eq!(rejected.message(), None);
    spans.remove(0)
}

fn value(json: &str) -> Value {
    let fields = format!(r#"{IDS},"attributes":[{{"key":"k","value":{json}}}]"#);
    kept(&fields).attributes.remove(0).1
}

fn refusal(fields: &str) -> (Reason, String) {
    let (spans, rejected) = decode_span(fields);
    assert_eq!((spans.len(), rejected.total()), (0, 1));
    (
        rejected.counts().next().unwrap().0,
        rejected.message().unwrap(),
    )
}

#[test]
fn ids_are_hexadecimal_in_any_case() {
    for digits in [
        "aabbccddeeff00112233445566778899",
        "AABBCCDDEEFF00112233445566778899",
        "aAbBcCdDeEfF00112233445566778899",
    ] {
        let span = kept(&format!(
            r#""traceId":"{digits}","spanId":"ABCDEFabcdef0123","parentSpanId":"" "#
        ));
        assert_eq!(span.trace_id[..3], [0xaa, 0xbb, 0xcc]);
        assert_eq!(
            span.span_id,
            [0xab, 0xcd, 0xef, 0xab, 0xcd, 0xef, 0x01, 0x23]
        );
        assert_eq!(span.parent_span_id, None);
    }
}

#[test]
fn ids_that_are_none_are_refused_by_name() {
    let with = |trace: &str| refusal(&format!(r#""spanId":"0102030405060708"{trace}"#));
    let cases = [
        ("", "trace_id is missing"),
        (r#","traceId":null"#, "trace_id is missing"),
        (
            r#","traceId":"00000000000000000000000000000000""#,
            "trace_id is all zero",
        ),
        (
            r#","traceId":"0102""#,
            "trace_id is 4 digits long instead of 32",
        ),
        (
            r#","traceId":"0102030405060708090a0b0c0d0e0f1""#,
            "trace_id is 31 digits long instead of 32",
        ),
        (
            r#","traceId":"AQIDBAUGBwgJCgsMDQ4PEA==""#,
            "trace_id is not hexadecimal",
        ),
        (
            r#","traceId":"zz02030405060708090a0b0c0d0e0f10""#,
            "trace_id is not hexadecimal",
        ),
    ];
    for (trace, what) in cases {
        assert_eq!(
            with(trace),
            (
                Reason::TraceId,
                format!("span 0 (0102030405060708): {what}")
            )
        );
    }
}

#[test]
fn integers_come_as_numbers_or_as_text() {
    assert_eq!(value(r#"{"intValue":"-12"}"#), Value::Int(-12));
    assert_eq!(value(r#"{"intValue":-12}"#), Value::Int(-12));
    assert_eq!(value(r#"{"intValue":1e3}"#), Value::Int(1000));
    assert_eq!(
        value(r#"{"intValue":"9223372036854775807"}"#),
        Value::Int(i64::MAX)
    );
    for time in ["\"1795336198255000001\"", "1795336198255000001"] {
        let span = kept(&format!(r#"{IDS},"startTimeUnixNano":{time}"#));
        assert_eq!(span.start_unix_nano, 1_795_336_198_255_000_001);
    }
    for wrong in [
        "\"9223372036854775808\"",
        "1.5",
        "\"\"",
        "\"ten\"",
        "true",
        "[]",
        "1e30",
    ] {
        let fields =
            format!(r#"{IDS},"attributes":[{{"key":"k","value":{{"intValue":{wrong}}}}}]"#);
        let (reason, message) = refusal(&fields);
        assert_eq!(reason, Reason::Malformed);
        assert_eq!(
            message,
            "span 0 (0102030405060708): attribute k: int_value is not an integer that fits"
        );
    }
    let (_, message) = refusal(&format!(r#"{IDS},"endTimeUnixNano":-1"#));
    assert_eq!(
        message,
        "span 0 (0102030405060708): end_time_unix_nano is not an integer that fits"
    );
}

#[test]
fn doubles_know_nan_and_infinity() {
    assert_eq!(value(r#"{"doubleValue":1.5}"#), Value::Double(1.5));
    assert_eq!(value(r#"{"doubleValue":"1.5"}"#), Value::Double(1.5));
    assert_eq!(value(r#"{"doubleValue":2}"#), Value::Double(2.0));
    assert_eq!(
        value(r#"{"doubleValue":"Infinity"}"#),
        Value::Double(f64::INFINITY)
    );
    assert_eq!(
        value(r#"{"doubleValue":"-Infinity"}"#),
        Value::Double(f64::NEG_INFINITY)
    );
    assert!(matches!(value(r#"{"doubleValue":"NaN"}"#), Value::Double(nan) if nan.is_nan()));
}

#[test]
fn values_of_every_kind_are_read() {
    assert_eq!(
        value(r#"{"stringValue":"a\"b\u00e9"}"#),
        Value::Str("a\"b\u{e9}".into())
    );
    assert_eq!(value(r#"{"boolValue":true}"#), Value::Bool(true));
    assert_eq!(value(r#"{"boolValue":"false"}"#), Value::Bool(false));
    for base64 in ["+/8=", "+/8", "-_8=", "-_8"] {
        assert_eq!(
            value(&format!(r#"{{"bytesValue":"{base64}"}}"#)),
            Value::Bytes(vec![0xfb, 0xff])
        );
    }
    assert_eq!(
        value(r#"{"arrayValue":{"values":[{"stringValue":"a"},{},null,{"intValue":1}]}}"#),
        Value::Array(vec![
            Value::Str("a".into()),
            Value::Null,
            Value::Null,
            Value::Int(1)
        ])
    );
    assert_eq!(
        value(r#"{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"1"}},{"key":"b"}]}}"#),
        Value::Map(vec![("a".into(), Value::Int(1)), ("b".into(), Value::Null)])
    );
    for empty in [
        "null",
        "{}",
        r#"{"stringValue":null}"#,
        r#"{"futureValue":1}"#,
    ] {
        assert_eq!(value(empty), Value::Null);
    }
    assert_eq!(value(r#"{"arrayValue":{}}"#), Value::Array(vec![]));
    assert_eq!(
        value(r#"{"kvlistValue":{"values":null}}"#),
        Value::Map(vec![])
    );
}

#[test]
fn enums_come_as_numbers_or_by_name() {
    for (kind, code) in [
        ("3", "2"),
        (r#""3""#, r#""2""#),
        (r#""SPAN_KIND_CLIENT""#, r#""STATUS_CODE_ERROR""#),
    ] {
        let span = kept(&format!(
            r#"{IDS},"kind":{kind},"status":{{"code":{code},"message":"no"}}"#
        ));
        assert_eq!(
            (span.kind, span.status_code, span.status_message.as_str()),
            (3, 2, "no")
        );
    }
    let (reason, message) = refusal(&format!(r#"{IDS},"kind":"SPAN_KIND_ODD""#));
    assert_eq!(
        (
            reason,
            message.ends_with("kind is not an integer that fits")
        ),
        (Reason::Malformed, true)
    );
}

#[test]
fn null_is_absent_and_unknown_fields_are_ignored() {
    let span = kept(&format!(
        r#"{IDS},"name":null,"kind":null,"startTimeUnixNano":null,"attributes":null,"events":null,"links":null,
           "status":null,"traceState":null,"parentSpanId":null,"droppedEventsCount":null,"flags":257,
           "somethingNew":{{"deep":[1,2,{{}}]}}"#
    ));
    assert_eq!(
        span,
        RawSpan {
            trace_id: span.trace_id,
            span_id: span.span_id,
            ..RawSpan::default()
        }
    );

    let empty = br#"{"resourceSpans":[{"resource":null,"scopeSpans":null},{"scopeSpans":[{"scope":null,"spans":null}]}],"x":1}"#;
    let (batch, rejected) = traces(empty, Encoding::Json).unwrap();
    assert_eq!((batch.resources.len(), rejected.total()), (0, 0));
    assert_eq!(
        traces(b"{}", Encoding::Json).unwrap().0,
        RawBatch::default()
    );
}

#[test]
fn snake_case_keys_are_read_too() {
    let body = br#"{"resource_spans":[{"resource":{"attributes":[{"key":"a","value":{"string_value":"b"}}]},
        "scope_spans":[{"scope":{"name":"lib","version":"1"},"spans":[{
            "trace_id":"0102030405060708090a0b0c0d0e0f10","span_id":"0102030405060708",
            "parent_span_id":"1112131415161718","trace_state":"x=y","name":"n","start_time_unix_nano":"5",
            "end_time_unix_nano":"6","dropped_attributes_count":2,
            "events":[{"time_unix_nano":"7","name":"e","attributes":[]}]}]}]}]}"#;
    let (batch, rejected) = traces(body, Encoding::Json).unwrap();
    assert_eq!(rejected.message(), None);
    let resource = &batch.resources[0];
    assert_eq!(
        resource.attributes,
        [("a".to_owned(), Value::Str("b".into()))]
    );
    let scope = &resource.scopes[0];
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("lib", "1"));
    let span = &scope.spans[0];
    assert_eq!(
        span.parent_span_id,
        Some([0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18])
    );
    assert_eq!(
        (span.start_unix_nano, span.end_unix_nano, span.dropped_count),
        (5, 6, 2)
    );
    assert_eq!(span.trace_state, "x=y");
    assert_eq!(
        span.events,
        [RawEvent {
            time_unix_nano: 7,
            name: "e".into(),
            attributes: vec![]
        }]
    );
}

#[test]
fn half_a_surrogate_pair_becomes_a_replacement_character() {
    // JavaScript writes this where it cuts a text in the middle of an emoji.
    assert_eq!(
        value(r#"{"stringValue":"cut \ud83d"}"#),
        Value::Str("cut \u{fffd}".into())
    );
    assert_eq!(
        value(r#"{"stringValue":"\\ud83d \ude00 \ud83d\ude00 \ud83d\n"}"#),
        Value::Str("\\ud83d \u{fffd} \u{1f600} \u{fffd}\n".into())
    );
    for not_json in [r#""\ud8"#, r#""\"#, r#""\u12"#] {
        let body = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{"name":{not_json}}}]}}]}}]}}"#
        );
        let _answered = traces(body.as_bytes(), Encoding::Json).is_ok();
    }
}

#[test]
fn bytes_that_are_not_utf8_cost_their_span_only() {
    let mut body = br#"{"resourceSpans":[{"scopeSpans":[{"spans":[
        {"traceId":"01010101010101010101010101010101","spanId":"0101010101010101","name":"caf"#
        .to_vec();
    body.push(0xe9);
    body.extend(br#""},{"traceId":"01010101010101010101010101010101","spanId":"0202020202020202","name":"tea"}]}]}]}"#);
    let (batch, rejected) = traces(&body, Encoding::Json).unwrap();
    assert_eq!(spans_of(batch)[0].name, "tea");
    assert_eq!(
        rejected.message().unwrap(),
        "span 0 (0101010101010101): holds bytes that are not UTF-8"
    );
}

#[test]
fn a_value_of_the_wrong_kind_costs_its_span_only() {
    for wrong in [
        r#""name":5"#,
        r#""attributes":{}"#,
        r#""attributes":[5]"#,
        r#""events":[[]]"#,
        r#""status":"x""#,
    ] {
        let body = format!(
            r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{{{IDS},{wrong}}},{{{IDS},"name":"ok"}},5]}}]}}]}}"#
        );
        let (batch, rejected) = traces(body.as_bytes(), Encoding::Json).unwrap();
        assert_eq!((spans_of(batch).len(), rejected.total()), (1, 2), "{wrong}");
    }
}

#[test]
fn other_signals_in_a_body_are_not_looked_at() {
    let body = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"x"},"severityNumber":"SEVERITY_NUMBER_WARN"}]}]}]}"#;
    assert_eq!(traces(body, Encoding::Json).unwrap().0, RawBatch::default());
    assert_eq!(
        metrics(body, Encoding::Json).unwrap().0,
        RawBatch::default()
    );
    let (batch, _) = logs(body, Encoding::Json).unwrap();
    let RawScope { logs, .. } = &batch.resources[0].scopes[0];
    assert_eq!(
        (logs[0].severity_number, &logs[0].body),
        (13, &Value::Str("x".into()))
    );
}
