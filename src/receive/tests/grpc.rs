//! OTLP over gRPC, rule by rule.

use std::time::Duration;

use axum::body::Body;
use axum::http::{self, HeaderMap};
use bytes::Bytes;
use prost::Message;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::support::*;
use crate::model::limits::GRPC_MESSAGE_BYTES_MAX;
use crate::model::{Reason, Rejected};
use crate::receive::{IngestError, Receipt, grpc};

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(message, required, tag = "2")]
    value: RetryInfo,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, required, tag = "1")]
    retry_delay: Delay,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// Returns the delay of a status' RetryInfo; its details must agree with it.
pub(super) fn retry_after(status: &Status) -> Option<Duration> {
    let details = RpcStatus::decode(status.details()).unwrap();
    assert_eq!(
        (details.code, details.message.as_str()),
        (status.code() as i32, status.message())
    );
    let info = details.details.first()?;
    assert_eq!(info.type_url, "type.googleapis.com/google.rpc.RetryInfo");
    let Delay { seconds, nanos } = info.value.retry_delay;
    Some(Duration::new(
        seconds.cast_unsigned(),
        nanos.cast_unsigned(),
    ))
}

#[tokio::test]
async fn every_service_takes_its_signal() {
    let house = House::open().await;
    let log = b"\x0a\x0b\x12\x09\x12\x07\x2a\x05\x0a\x03abc";
    let metric = b"\x0a\x14\x12\x12\x12\x10\x0a\x01m\x2a\x0b\x0a\x09\x31\0\0\0\0\0\0\0\x01";
    for (path, message) in [(TRACES, &traces(2)[..]), (LOGS, log), (METRICS, metric)] {
        let answer = house.call(path, None, message.to_vec()).await.unwrap();
        assert_eq!(answer.get_ref().len(), 0, "{path}");
    }
    let batches = house.engine.batches.lock().clone();
    let scope = |batch: usize| &batches[batch].resources[0].scopes[0];
    assert_eq!(
        (
            scope(0).spans.len(),
            scope(1).logs.len(),
            scope(2).points.len()
        ),
        (2, 1, 1)
    );
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn compressed_messages_are_taken() {
    let house = House::open().await;
    for compression in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
        house
            .call(TRACES, Some(compression), traces(2))
            .await
            .unwrap();
    }
    assert_eq!(house.engine.spans(), 4);
}

#[tokio::test]
async fn an_empty_message_is_a_success_that_the_engine_never_hears_of() {
    let house = House::open().await;
    house.call_traces(Bytes::new()).await.unwrap();
    assert_eq!(house.engine.batches.lock().len(), 0);
}

#[tokio::test]
async fn a_partial_success_counts_and_explains() {
    let house = House::open().await;
    let mut rejected = Rejected::default();
    rejected.add(Reason::Time, || "odd time".into());
    *house.engine.answer.lock() = Ok(Receipt { rejected });
    let answer = house.call_traces(traces_with_a_bad_one()).await.unwrap();
    let (count, message) = crate::otlp::refused(answer.get_ref()).unwrap();
    let expected = "span 1 (0202020202020202): trace_id is missing (and 1 more)";
    assert_eq!((count, message.as_deref()), (2, Some(expected)));
}

#[tokio::test]
async fn the_size_limit_holds_after_decompression_on_both_sides() {
    let house = House::open().await;
    for compression in [
        None,
        Some(CompressionEncoding::Gzip),
        Some(CompressionEncoding::Zstd),
    ] {
        let fits = traces_of(GRPC_MESSAGE_BYTES_MAX);
        house.call(TRACES, compression, fits).await.unwrap();
        let larger = traces_of(GRPC_MESSAGE_BYTES_MAX + 1);
        let status = house.call(TRACES, compression, larger).await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        // Without a time to come back, OTLP's senders drop what is too large.
        assert_eq!(retry_after(&status), None);
    }
    assert_eq!(house.engine.spans(), 3);
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    let house = House::open().await;
    let status = house
        .call(TRACES, Some(CompressionEncoding::Zstd), vec![0; 200 << 20])
        .await
        .unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert_eq!(
        status.message(),
        "body is larger than 16777216 bytes after decompression"
    );
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_never_to_be_sent_again() {
    let house = House::open().await;
    let status = house.call_traces(&b"\x0a\x7f\x01"[..]).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(
        status.message(),
        "body is not a protobuf export request: it is cut short"
    );
    assert_eq!(retry_after(&status), None);
}

#[tokio::test]
async fn what_the_engine_says_becomes_a_code_and_a_time_to_come_back() {
    let house = House::open().await;
    let busy = IngestError::Busy {
        retry_after: Duration::from_millis(2_500),
    };
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let cases = [
        (busy, Code::Unavailable, Some(Duration::from_millis(2_500))),
        (IngestError::Full, Code::Unavailable, seconds(10)),
        (IngestError::Unavailable, Code::Unavailable, seconds(1)),
        (IngestError::Closed, Code::Unavailable, seconds(1)),
        (
            IngestError::Invalid("too much in one record".into()),
            Code::InvalidArgument,
            None,
        ),
        (IngestError::Bug, Code::Internal, None),
    ];
    for (error, code, after) in cases {
        *house.engine.answer.lock() = Err(error.clone());
        let status = house.call_traces(traces(1)).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (code, &*error.to_string())
        );
        assert_eq!(retry_after(&status), after, "{error}");
    }
}

#[tokio::test]
async fn other_methods_are_unimplemented() {
    let house = House::open().await;
    let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Import";
    let status = house.call(path, None, traces(1)).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

/// Hands bytes to the door that no client would send.
async fn bytes(headers: &[(&str, &str)], body: Vec<u8>) -> (u16, HeaderMap) {
    let house = House::open().await;
    let mut request = http::Request::post(TRACES);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body)).unwrap();
    let response = grpc::router(house.receiver.clone())
        .oneshot(request)
        .await
        .unwrap();
    assert_eq!(house.receiver.in_flight_bytes(), 0);
    (response.status().as_u16(), response.headers().clone())
}

const GRPC: (&str, &str) = ("content-type", "application/grpc");

fn framed(flag: u8, length: usize, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(length).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat()
}

#[tokio::test]
async fn broken_frames_are_invalid() {
    let message = traces(1);
    let whole = framed(0, message.len(), &message);
    let cases = [
        (vec![], "message is cut short"),
        (whole[..4].to_vec(), "message is cut short"),
        (whole[..5].to_vec(), "message is cut short"),
        (whole[..whole.len() - 1].to_vec(), "message is cut short"),
        (
            [whole.clone(), vec![0]].concat(),
            "request holds more than its one message",
        ),
        (
            [whole.clone(), whole.clone()].concat(),
            "request holds more than its one message",
        ),
        (
            framed(2, message.len(), &message),
            "message has an unknown compression flag",
        ),
        (
            framed(1, message.len(), &message),
            "message is compressed, no grpc-encoding says how",
        ),
    ];
    for (body, expected) in cases {
        let (_, headers) = bytes(&[GRPC], body).await;
        let status = Status::from_header_map(&headers).unwrap();
        assert_eq!(
            (status.code(), status.message()),
            (Code::InvalidArgument, expected)
        );
    }
    let (http, headers) = bytes(&[("content-type", "application/grpc+proto")], whole).await;
    assert_eq!(
        (http, Status::from_header_map(&headers).is_none()),
        (200, true)
    );
}

#[tokio::test]
async fn a_length_that_lies_is_refused_before_anything_is_buffered() {
    let (_, headers) = bytes(&[GRPC], framed(0, u32::MAX as usize, b"")).await;
    assert_eq!(
        Status::from_header_map(&headers).unwrap().code(),
        Code::ResourceExhausted
    );
}

#[tokio::test]
async fn gzip_members_and_broken_compression_are_told_apart() {
    let body = traces(1);
    let members = [gzip(&body[..10]), gzip(&body[10..])].concat();
    let encoded = [GRPC, ("grpc-encoding", "gzip")];
    let (_, headers) = bytes(&encoded, framed(1, members.len(), &members)).await;
    assert!(Status::from_header_map(&headers).is_none());
    let (_, headers) = bytes(&encoded, framed(1, body.len(), &body)).await;
    assert_eq!(
        Status::from_header_map(&headers).unwrap().code(),
        Code::InvalidArgument
    );
    // A sender may leave single messages as they are.
    let (_, headers) = bytes(&encoded, framed(0, body.len(), &body)).await;
    assert!(Status::from_header_map(&headers).is_none());
}

#[tokio::test]
async fn an_unknown_compression_is_unimplemented_and_the_known_ones_are_named() {
    let (_, headers) = bytes(&[GRPC, ("grpc-encoding", "snappy")], framed(0, 0, b"")).await;
    assert_eq!(
        Status::from_header_map(&headers).unwrap().code(),
        Code::Unimplemented
    );
    assert_eq!(
        headers["grpc-accept-encoding"],
        "gzip, zstd, deflate, identity"
    );
}

#[tokio::test]
async fn what_is_no_grpc_is_415() {
    for content_type in [
        "application/json",
        "application/grpc-web",
        "application/grpc+json",
    ] {
        let (status, _) = bytes(&[("content-type", content_type)], framed(0, 0, b"")).await;
        assert_eq!(status, 415, "{content_type}");
    }
    assert_eq!(bytes(&[], framed(0, 0, b"")).await.0, 415);
}
