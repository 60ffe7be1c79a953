//! Answers as opentelemetry-proto and any JSON reader see them.

use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTracePartialSuccess, ExportTraceServiceResponse,
};
use prost::Message;
use serde_json::{Value as Json, json};

use crate::model::{Reason, Rejected};
use crate::otlp::{Code, Encoding, Signal, export_response, refused, status};

fn rejected(count: usize) -> Rejected {
    let mut rejected = Rejected::default();
    (0..count).for_each(|number| rejected.add(Reason::Field, || format!("span {number}: is odd")));
    rejected
}

fn json(bytes: &[u8]) -> Json {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn a_full_success_says_nothing() {
    for signal in Signal::ALL {
        assert_eq!(
            export_response(signal, &rejected(0), Encoding::Protobuf),
            b""
        );
        assert_eq!(export_response(signal, &rejected(0), Encoding::Json), b"{}");
    }
}

#[test]
fn a_partial_success_counts_and_explains_in_protobuf() {
    let body = |signal| export_response(signal, &rejected(3), Encoding::Protobuf);
    let message = "span 0: is odd (and 2 more)";
    let traces = ExportTraceServiceResponse::decode(&*body(Signal::Traces)).unwrap();
    assert_eq!(
        traces.partial_success,
        Some(ExportTracePartialSuccess {
            rejected_spans: 3,
            error_message: message.into()
        })
    );
    let logs = ExportLogsServiceResponse::decode(&*body(Signal::Logs)).unwrap();
    assert_eq!(logs.partial_success.unwrap().rejected_log_records, 3);
    let metrics = ExportMetricsServiceResponse::decode(&*body(Signal::Metrics)).unwrap();
    assert_eq!(metrics.partial_success.unwrap().rejected_data_points, 3);
}

#[test]
fn a_partial_success_counts_and_explains_in_json() {
    for (signal, key) in [
        (Signal::Traces, "rejectedSpans"),
        (Signal::Logs, "rejectedLogRecords"),
        (Signal::Metrics, "rejectedDataPoints"),
    ] {
        let body = export_response(signal, &rejected(1), Encoding::Json);
        let expected = json!({ "partialSuccess": { key: "1", "errorMessage": "span 0: is odd" } });
        assert_eq!(json(&body), expected);
    }
}

#[test]
fn a_status_carries_code_message_and_delay() {
    let after = Some(Duration::from_millis(1500));
    let body = status(Code::Unavailable, "busy", after, Encoding::Json);
    assert_eq!(
        json(&body),
        json!({
            "code": 14,
            "message": "busy",
            "details": [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.5s" }],
        })
    );
    let plain = status(Code::InvalidArgument, "odd", None, Encoding::Json);
    assert_eq!(json(&plain), json!({ "code": 3, "message": "odd" }));

    // Bytes by hand: code 14, "busy", and an Any with RetryInfo{retry_delay{seconds: 1, nanos: 500_000_000}}.
    let body = status(Code::Unavailable, "busy", after, Encoding::Protobuf);
    let delay = [0x08, 0x01, 0x10, 0x80, 0xca, 0xb5, 0xee, 0x01];
    let info = super::field(1, &delay);
    let type_url = b"type.googleapis.com/google.rpc.RetryInfo";
    let any = [super::field(1, type_url), super::field(2, &info)].concat();
    let expected = [
        vec![0x08, 14],
        super::field(2, b"busy"),
        super::field(3, &any),
    ]
    .concat();
    assert_eq!(body, expected);
}

#[test]
fn an_answer_reads_back_as_it_was_written() {
    let body = export_response(Signal::Traces, &rejected(2), Encoding::Protobuf);
    assert_eq!(
        refused(&body),
        Some((2, Some("span 0: is odd (and 1 more)".into())))
    );
    assert_eq!(refused(b""), None);
    assert_eq!(refused(b"<html>"), None);
}
