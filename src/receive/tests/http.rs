//! OTLP over HTTP, rule by rule.

use std::time::Duration;

use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::support::*;
use crate::model::limits::HTTP_BODY_BYTES_MAX;
use crate::model::{Reason, Rejected};
use crate::receive::{Config, IngestError, Receipt};

const PROTOBUF: [(&str, &str); 1] = [("content-type", "application/x-protobuf")];
const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const JSON_SPAN: &str = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[
    {"traceId":"0AF7651916CD43DD8448EB211C80319C","spanId":"b7ad6b7169203331","name":"n","startTimeUnixNano":"1"}]}]}]}"#;
const JSON_LOG: &str =
    r#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]}"#;
const JSON_METRIC: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
    {"name":"m","gauge":{"dataPoints":[{"asInt":"1","timeUnixNano":"1"}]}}]}]}]}"#;

/// `google.rpc.Status`, as a client reads it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

#[tokio::test]
async fn every_signal_is_taken_on_both_of_its_paths_in_both_encodings() {
    let house = House::open().await;
    for prefix in ["/v1", "/api/public/otel/v1"] {
        for (signal, body) in [
            ("traces", JSON_SPAN),
            ("logs", JSON_LOG),
            ("metrics", JSON_METRIC),
        ] {
            let answer = house.post(&format!("{prefix}/{signal}"), &JSON, body).await;
            assert_eq!((answer.status, answer.json()), (200, json!({})), "{signal}");
            assert_eq!(answer.header("content-type"), Some("application/json"));
        }
        let answer = house
            .post(&format!("{prefix}/traces"), &PROTOBUF, traces(3))
            .await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
        assert_eq!(
            answer.header("content-type"),
            Some("application/x-protobuf")
        );
    }
    assert_eq!(house.engine.spans(), 2 * (1 + 3));
    assert_eq!(house.engine.batches.lock().len(), 8);
    let first = house.engine.batches.lock()[0].resources[0].scopes[0].spans[0].clone();
    assert_eq!(first.trace_id[..2], [0x0a, 0xf7]);
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn an_empty_request_is_a_success_that_the_engine_never_hears_of() {
    let house = House::open().await;
    for signal in ["traces", "logs", "metrics"] {
        let path = format!("/v1/{signal}");
        assert_eq!(house.post(&path, &PROTOBUF, "").await.status, 200);
        assert_eq!(house.post(&path, &JSON, "{}").await.status, 200);
    }
    assert_eq!(house.engine.batches.lock().len(), 0);
}

#[tokio::test]
async fn the_content_type_decides_and_an_unknown_one_is_415() {
    let house = House::open().await;
    for known in [
        "application/x-protobuf",
        "application/protobuf",
        "Application/X-Protobuf; v=1",
    ] {
        let answer = house
            .post("/v1/traces", &[("content-type", known)], traces(1))
            .await;
        assert_eq!(answer.status, 200, "{known}");
    }
    let json = [("content-type", "application/json; charset=utf-8")];
    assert_eq!(house.post("/v1/traces", &json, JSON_SPAN).await.status, 200);
    let unknown: [&[(&str, &str)]; 4] = [
        &[],
        &[("content-type", "text/plain")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "")],
    ];
    for headers in unknown {
        let answer = house.post("/v1/traces", headers, traces(1)).await;
        assert_eq!(answer.status, 415);
        let message = answer.json()["message"].as_str().unwrap().to_owned();
        assert_eq!(
            message,
            "content-type must be application/x-protobuf or application/json"
        );
    }
}

#[tokio::test]
async fn known_compressions_are_taken_off_and_an_unknown_one_is_415() {
    let house = House::open().await;
    let body = traces(2);
    for (name, body) in [
        ("identity", body.clone()),
        ("gzip", gzip(&body)),
        ("zstd", zstd(&body)),
        ("deflate", zlib(&body)),
        // Two members: a sender that appends to a gzip file writes these.
        ("gzip", [gzip(&body[..20]), gzip(&body[20..])].concat()),
    ] {
        assert_eq!(house.post_traces(name, body).await.status, 200, "{name}");
    }
    assert_eq!(house.engine.spans(), 10);
    let answer = house.post_traces("br", body).await;
    assert_eq!(answer.status, 415);
    assert_eq!(
        answer.header("accept-encoding"),
        Some("gzip, zstd, deflate, identity")
    );
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
}

#[tokio::test]
async fn the_size_limit_holds_after_decompression_on_both_sides() {
    let house = House::open().await;
    for (length, status) in [(HTTP_BODY_BYTES_MAX, 200), (HTTP_BODY_BYTES_MAX + 1, 413)] {
        let body = traces_of(length);
        for (name, wire) in [
            ("gzip", gzip(&body)),
            ("zstd", zstd(&body)),
            ("identity", body.clone()),
        ] {
            let answer = house.post_traces(name, wire).await;
            assert_eq!(answer.status, status, "{name} of {length}");
            assert_eq!(answer.header("retry-after"), None);
        }
    }
    assert_eq!(house.engine.spans(), 3);
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_bomb_is_stopped_at_the_limit() {
    let house = House::open().await;
    let zeros = vec![0; 200 << 20];
    for (name, bomb) in [("zstd", zstd(&zeros)), ("gzip", gzip(&zeros))] {
        assert!(bomb.len() < 2 << 20);
        let answer = house.post_traces(name, bomb).await;
        assert_eq!(answer.status, 413);
        let status = RpcStatus::decode(answer.body).unwrap();
        assert_eq!(
            status.message,
            "body is larger than 20971520 bytes after decompression"
        );
    }
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn what_cannot_be_decoded_is_400_in_the_words_of_its_encoding() {
    let house = House::open().await;
    let answer = house
        .post("/v1/traces", &PROTOBUF, &b"\x0a\x7f\x01"[..])
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(
        answer.header("content-type"),
        Some("application/x-protobuf")
    );
    let status = RpcStatus::decode(answer.body).unwrap();
    assert_eq!(status.code, 3);
    assert_eq!(
        status.message,
        "body is not a protobuf export request: it is cut short"
    );

    for body in ["{", "[]", "", "{\"resourceSpans\": 1}"] {
        let answer = house.post("/v1/traces", &JSON, body).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (400, Some("application/json"))
        );
        assert_eq!(answer.json()["code"], 3);
    }
    for name in ["gzip", "zstd", "deflate"] {
        assert_eq!(
            house.post_traces(name, traces(1)).await.status,
            400,
            "{name}"
        );
        assert_eq!(house.post_traces(name, "").await.status, 400, "{name}");
    }
    assert_eq!(house.engine.batches.lock().len(), 0);
}

#[tokio::test]
async fn a_partial_success_counts_what_every_stage_refused() {
    let house = House::open().await;
    let answer = house
        .post("/v1/traces", &PROTOBUF, traces_with_a_bad_one())
        .await;
    assert_eq!(answer.status, 200);
    let (count, message) = crate::otlp::refused(&answer.body).unwrap();
    assert_eq!(count, 1);
    assert_eq!(
        message.unwrap(),
        "span 1 (0202020202020202): trace_id is missing"
    );
    assert_eq!(house.engine.spans(), 1);

    let mut rejected = Rejected::default();
    rejected.add(Reason::Time, || "span 4 is from the year 9999".into());
    *house.engine.answer.lock() = Ok(Receipt { rejected });
    let body = JSON_SPAN.replace("]}]}]}", r#",{"traceId":"xyz"},5]}]}]}"#);
    let answer = house.post("/v1/traces", &JSON, body).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.json(),
        json!({ "partialSuccess": {
            "rejectedSpans": "3",
            "errorMessage": "span 1: trace_id is not hexadecimal (and 2 more)",
        }})
    );
}

#[tokio::test]
async fn what_the_engine_says_becomes_a_status_and_a_time_to_come_back() {
    let house = House::open().await;
    let busy = IngestError::Busy {
        retry_after: Duration::from_millis(2_500),
    };
    let cases = [
        (busy, 429, Some("3"), 14),
        (IngestError::Full, 503, Some("10"), 14),
        (IngestError::Unavailable, 503, Some("1"), 14),
        (IngestError::Closed, 503, Some("1"), 14),
        (
            IngestError::Invalid("too much in one record".into()),
            400,
            None,
            3,
        ),
        (IngestError::Bug, 500, None, 13),
    ];
    for (error, status, retry_after, code) in cases {
        *house.engine.answer.lock() = Err(error.clone());
        let answer = house.post("/v1/traces", &JSON, JSON_SPAN).await;
        assert_eq!(answer.status, status, "{error}");
        assert_eq!(answer.header("retry-after"), retry_after, "{error}");
        let body = answer.json();
        assert_eq!(
            (&body["code"], &body["message"]),
            (&json!(code), &json!(error.to_string()))
        );
        assert_eq!(body["details"].is_array(), retry_after.is_some());
    }
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn other_methods_and_paths_are_turned_away() {
    let house = House::open().await;
    let client = reqwest::Client::new();
    let got = client
        .get(format!("http://{}/v1/traces", house.http))
        .send()
        .await
        .unwrap();
    assert_eq!(got.status(), 405);
    assert_eq!(got.headers()["allow"], "POST");
    assert_eq!(
        house
            .post("/v1/profiles", &PROTOBUF, traces(1))
            .await
            .status,
        404
    );
}

/// Sends bytes as they are and returns all that comes back.
async fn raw(house: &House, parts: &[&[u8]]) -> String {
    let mut connection = TcpStream::connect(house.http).await.unwrap();
    for part in parts {
        connection.write_all(part).await.unwrap();
        connection.flush().await.unwrap();
    }
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

const CHUNKED: &str = "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
    content-type: application/x-protobuf\r\ntransfer-encoding: chunked\r\n\r\n";

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn a_body_may_come_in_chunks() {
    let house = House::open().await;
    let body = traces(3);
    let (one, two, three) = (chunk(&body[..1]), chunk(&body[1..50]), chunk(&body[50..]));
    let answer = raw(
        &house,
        &[CHUNKED.as_bytes(), &one, &two, &three, b"0\r\n\r\n"],
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(house.engine.spans(), 3);
}

#[tokio::test]
async fn a_body_without_an_announced_length_is_stopped_at_the_limit_too() {
    let house = House::open().await;
    let megabyte = chunk(&vec![0; 1 << 20]);
    let mut parts = vec![CHUNKED.as_bytes()];
    parts.extend(std::iter::repeat_n(&megabyte[..], 21));
    parts.push(b"0\r\n\r\n");
    let answer = raw(&house, &parts).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}

#[tokio::test]
async fn a_sender_that_asks_first_is_told_at_once() {
    let house = House::open().await;
    let head = format!(
        "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
         content-type: application/x-protobuf\r\ncontent-length: {}\r\n\r\n",
        HTTP_BODY_BYTES_MAX + 1
    );
    let answer = raw(&house, &[head.as_bytes()]).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_in_time_is_given_up() {
    let config = Config {
        body_timeout_ms: 50,
        ..Config::default()
    };
    let house = House::of(Engine::default(), config).await;
    let head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\nexpect: 100-continue\r\n\
        content-type: application/x-protobuf\r\ncontent-length: 100\r\n\r\n";
    let answer = raw(&house, &[head.as_bytes(), b"only this"]).await;
    let answer = answer.trim_start_matches("HTTP/1.1 100 Continue\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: 1"), "{answer}");
    assert_eq!(house.receiver.in_flight_bytes(), 0);
}
