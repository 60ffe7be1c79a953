//! OTLP over HTTP: protobuf and JSON on the same paths, told apart by `Content-Type`.

use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;

use super::export::Form;
use super::failure::{Failure, Kind};
use super::inflate::Compression;
use super::{Ingest, Receiver, Sender, read, tally};
use crate::model::Rejected;
use crate::model::limits::HTTP_BODY_BYTES_MAX;
use crate::otlp::{self, Encoding, Signal};

/// Where the three signals are taken; the second is where Langfuse's exporter sends them.
const PREFIXES: [&str; 2] = ["/v1", "/api/public/otel/v1"];

/// Returns the routes of OTLP over HTTP.
pub(super) fn router<I: Ingest>(receiver: Receiver<I>) -> Router {
    let mut router = Router::new();
    for prefix in PREFIXES {
        for signal in Signal::ALL {
            let path = format!("{prefix}/{}", signal.label());
            let handler = move |State(receiver): State<Receiver<I>>, request: Request| async move {
                export(&receiver, signal, request).await
            };
            router = router.route(&path, post(handler));
        }
    }
    router.with_state(receiver)
}

async fn export<I: Ingest>(receiver: &Receiver<I>, signal: Signal, request: Request) -> Response {
    let encoding = encoding(request.headers());
    let result = match encoding {
        Some(encoding) => take(receiver, signal, encoding, request).await,
        None => Err(Failure::unsupported(
            "content-type must be application/x-protobuf or application/json",
        )),
    };
    let transport = tally::Request {
        signal: signal.label(),
        transport: "http",
        encoding: encoding.map_or("unknown", Encoding::label),
    };
    receiver.count(transport, &result);
    tally::in_flight(receiver.in_flight_bytes());
    match result {
        Ok(rejected) => success(signal, &rejected, encoding.unwrap_or(Encoding::Json)),
        // Somebody who sent neither is best told in words that a person can read.
        Err(failure) => refusal(&failure, encoding.unwrap_or(Encoding::Json)),
    }
}

async fn take<I: Ingest>(
    receiver: &Receiver<I>,
    signal: Signal,
    encoding: Encoding,
    request: Request,
) -> Result<Rejected, Failure> {
    let (head, body) = request.into_parts();
    let compression = compression(&head.headers)?;
    let sender = Sender::of(&head.headers)?;
    let (limit, inner) = (HTTP_BODY_BYTES_MAX, &receiver.0);
    let wire = read::whole(
        &head.headers,
        body,
        limit,
        &inner.admission,
        inner.body_timeout(),
    )
    .await?;
    receiver
        .export(
            Form {
                signal,
                encoding,
                compression,
                limit,
            },
            wire,
            sender,
        )
        .await
}

/// Returns the compression of a body.
pub(super) fn compression(headers: &HeaderMap) -> Result<Compression, Failure> {
    Compression::from_header(headers.get(header::CONTENT_ENCODING)).ok_or_else(|| {
        Failure::unsupported("content-encoding must be gzip, zstd, deflate or identity")
    })
}

fn encoding(headers: &HeaderMap) -> Option<Encoding> {
    let value = headers.get(header::CONTENT_TYPE)?.to_str().ok()?;
    let mime: mime::Mime = value.parse().ok()?;
    match mime.essence_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Encoding::Protobuf),
        "application/json" => Some(Encoding::Json),
        _ => None,
    }
}

fn success(signal: Signal, rejected: &Rejected, encoding: Encoding) -> Response {
    let body = otlp::export_response(signal, rejected, encoding);
    (
        StatusCode::OK,
        [(header::CONTENT_TYPE, encoding.media_type())],
        body,
    )
        .into_response()
}

fn refusal(failure: &Failure, encoding: Encoding) -> Response {
    let Failure { kind, message } = failure;
    let body = otlp::status(kind.code(), message, kind.retry_after(), encoding);
    let mut response = (
        kind.http_status(),
        [(header::CONTENT_TYPE, encoding.media_type())],
        body,
    )
        .into_response();
    add_advice(*kind, response.headers_mut());
    response
}

/// Adds the headers that tell a sender what to do about a refusal.
pub(super) fn add_advice(kind: Kind, headers: &mut HeaderMap) {
    if let Some(after) = kind.retry_after() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(whole_seconds(after)));
    }
    if kind == Kind::Unsupported {
        headers.insert(header::ACCEPT_ENCODING, Compression::KNOWN);
    }
}

/// Rounds up: coming back too early is the one thing to avoid.
fn whole_seconds(after: Duration) -> u64 {
    (after.as_secs() + u64::from(after.subsec_nanos() > 0)).max(1)
}
