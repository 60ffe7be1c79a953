//! OTLP over gRPC.
//!
//! The five bytes before a message are read here and not by tonic's codec, which buffers and inflates a message before
//! anybody can say no, reads only the first member of a gzip file, answers OUT_OF_RANGE (which senders repeat) where a
//! message is too long, and INTERNAL where it cannot be inflated. HTTP/2, deadlines and stopping are tonic's.
//!
//! A message that is too large is RESOURCE_EXHAUSTED without a RetryInfo: by OTLP's table it is not sent again.

use std::convert::Infallible;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use tokio::net::TcpListener;
use tonic::Status;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use super::admission::Admission;
use super::export::Form;
use super::failure::{Failure, Kind};
use super::inflate::Compression;
use super::read::{self, Wire};
use super::{Ingest, Receiver, Sender, tally};
use crate::base::Stop;
use crate::model::Rejected;
use crate::model::limits::GRPC_MESSAGE_BYTES_MAX;
use crate::otlp::{self, Encoding, Signal};

/// Compressed or not, then the length in four bytes, big endian.
const PREFIX_BYTES: usize = 5;
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Bytes that one connection may have sent before we read them; they are not admitted yet, so they are few.
const CONNECTION_WINDOW_BYTES: u32 = 2 * 1024 * 1024;
/// The same for one request.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
/// Requests at once on one connection.
const STREAMS_MAX: u32 = 256;

/// Returns the three export services as paths, each `/package.Service/Export`.
pub(super) fn router<I: Ingest>(receiver: Receiver<I>) -> Router {
    let mut router = Router::new();
    for signal in Signal::ALL {
        let handler = move |State(receiver): State<Receiver<I>>, request: Request| async move {
            export(&receiver, signal, request).await
        };
        router = router.route(path(signal), post(handler));
    }
    let unknown = || async { Status::unimplemented("no such method").into_http::<Body>() };
    router.fallback(unknown).with_state(receiver)
}

/// Serves the services; see [`Receiver::serve_grpc`].
pub(super) async fn serve<I: Ingest>(
    listener: TcpListener,
    receiver: Receiver<I>,
    mut stop: Stop,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .add_routes(Routes::from(router(receiver)))
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            async move { stop.asked().await },
        )
        .await
}

fn path(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
        Signal::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
        Signal::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    }
}

async fn export<I: Ingest>(receiver: &Receiver<I>, signal: Signal, request: Request) -> Response {
    if !is_grpc(request.headers()) {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    }
    let result = take(receiver, signal, request).await;
    let transport = tally::Request {
        signal: signal.label(),
        transport: "grpc",
        encoding: Encoding::Protobuf.label(),
    };
    receiver.count(transport, &result);
    tally::in_flight(receiver.in_flight_bytes());
    match result {
        Ok(rejected) => success(&otlp::export_response(
            signal,
            &rejected,
            Encoding::Protobuf,
        )),
        Err(failure) => refusal(&failure),
    }
}

async fn take<I: Ingest>(
    receiver: &Receiver<I>,
    signal: Signal,
    request: Request,
) -> Result<Rejected, Failure> {
    let (head, body) = request.into_parts();
    let sender = Sender::of(&head.headers)?;
    let Some(declared) = Compression::from_header(head.headers.get(GRPC_ENCODING)) else {
        return Err(Failure::unsupported(
            "grpc-encoding must be gzip, zstd, deflate or identity",
        ));
    };
    let inner = &receiver.0;
    let reading = message(body, &inner.admission);
    let (compressed, wire) = tokio::time::timeout(inner.body_timeout(), reading)
        .await
        .map_err(|_| Failure::late(inner.body_timeout()))??;
    let compression = match (compressed, declared) {
        (false, _) => Compression::Identity,
        (true, Compression::Identity) => {
            return Err(Failure::undecodable(
                "message is compressed, no grpc-encoding says how",
            ));
        }
        (true, declared) => declared,
    };
    let (encoding, limit) = (Encoding::Protobuf, GRPC_MESSAGE_BYTES_MAX);
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

/// Reads the one message of a request, and whether it is compressed.
async fn message(mut body: Body, admission: &Admission) -> Result<(bool, Wire), Failure> {
    let mut bytes = BytesMut::new();
    while bytes.len() < PREFIX_BYTES {
        let chunk = read::next(&mut body).await?;
        bytes.extend_from_slice(&chunk.ok_or_else(cut_short)?);
    }
    let prefix = bytes.split_to(PREFIX_BYTES);
    let (compressed, length) = match *prefix {
        [flag @ (0 | 1), a, b, c, d] => (flag == 1, u32::from_be_bytes([a, b, c, d]) as usize),
        _ => {
            return Err(Failure::undecodable(
                "message has an unknown compression flag",
            ));
        }
    };
    if length > GRPC_MESSAGE_BYTES_MAX {
        return Err(Failure::too_large(GRPC_MESSAGE_BYTES_MAX));
    }
    let permit = admission.admit(length)?;
    bytes.reserve(length.saturating_sub(bytes.len()));
    while let Some(chunk) = read::next(&mut body).await? {
        if bytes.len() + chunk.len() > length {
            return Err(Failure::undecodable(
                "request holds more than its one message",
            ));
        }
        bytes.extend_from_slice(&chunk);
    }
    if bytes.len() != length {
        return Err(if bytes.len() < length {
            cut_short()
        } else {
            more_than_one()
        });
    }
    Ok((
        compressed,
        Wire {
            bytes: bytes.freeze(),
            permit,
        },
    ))
}

fn cut_short() -> Failure {
    Failure::undecodable("message is cut short")
}

fn more_than_one() -> Failure {
    Failure::undecodable("request holds more than its one message")
}

fn is_grpc(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let Some(rest) = value.and_then(|value| value.strip_prefix("application/grpc")) else {
        return false;
    };
    rest.is_empty() || rest.starts_with("+proto") || rest.starts_with(';')
}

fn success(message: &[u8]) -> Response {
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + message.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(message);
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(framed.freeze())
        .with_trailers(async move { Some(Ok::<_, Infallible>(trailers)) });
    ([(header::CONTENT_TYPE, GRPC)], Body::new(body)).into_response()
}

fn refusal(failure: &Failure) -> Response {
    let Failure { kind, message } = failure;
    let details = otlp::status(kind.code(), message, kind.retry_after(), Encoding::Protobuf);
    let code = tonic::Code::from(kind.code() as i32);
    let mut response =
        Status::with_details(code, message, Bytes::from(details)).into_http::<Body>();
    if *kind == Kind::Unsupported {
        response
            .headers_mut()
            .insert(GRPC_ACCEPT_ENCODING, Compression::KNOWN);
    }
    response
}
