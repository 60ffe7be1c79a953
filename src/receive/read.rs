//! Takes a body off the connection, as far as it may be buffered.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use super::admission::{Admission, Permit};
use super::failure::Failure;

/// A body as it came over the wire, with its share of the admission.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) bytes: Bytes,
    pub(super) permit: Permit,
}

/// How much of a refused body is read and thrown away, so that its sender sees the answer and not a closed connection.
const DISCARD_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long that may take.
const DISCARD_TIME_MAX: Duration = Duration::from_secs(5);

/// Reads the whole body of an HTTP request: at most `limit` bytes, within `timeout`.
///
/// The length that a sender announces is admitted at once, so that what cannot be finished is not begun.
pub(super) async fn whole(
    headers: &HeaderMap,
    mut body: Body,
    limit: usize,
    admission: &Admission,
    timeout: Duration,
) -> Result<Wire, Failure> {
    let announced = announced(headers);
    let reading = collect(announced, &mut body, limit, admission);
    let read = tokio::time::timeout(timeout, reading)
        .await
        .unwrap_or_else(|_| Err(Failure::late(timeout)));
    // A sender that asks first has not sent anything yet, and should not be encouraged to.
    if read.is_err() && !headers.contains_key(header::EXPECT) {
        discard(body).await;
    }
    read
}

async fn collect(
    announced: Option<usize>,
    body: &mut Body,
    limit: usize,
    admission: &Admission,
) -> Result<Wire, Failure> {
    if announced.is_some_and(|length| length > limit) {
        return Err(Failure::too_large(limit));
    }
    let mut left = announced.unwrap_or(0);
    let mut permit = admission.admit(left)?;
    let mut bytes = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(chunk) = next(body).await? {
        if bytes.len() + joined.len() + chunk.len() > limit {
            return Err(Failure::too_large(limit));
        }
        permit.grow(chunk.len().saturating_sub(left))?;
        left = left.saturating_sub(chunk.len());
        if bytes.is_empty() && joined.is_empty() {
            bytes = chunk;
            continue;
        }
        if joined.is_empty() {
            joined.reserve(announced.unwrap_or(0).max(bytes.len() + chunk.len()));
            joined.extend_from_slice(&std::mem::take(&mut bytes));
        }
        joined.extend_from_slice(&chunk);
    }
    if !joined.is_empty() {
        bytes = joined.freeze();
    }
    Ok(Wire { bytes, permit })
}

/// Returns the next piece of data of a body; `None` at its end.
pub(super) async fn next(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Failure::undecodable("body ended before its time"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

async fn discard(mut body: Body) {
    let reading = async {
        let mut left = DISCARD_BYTES_MAX;
        while let Ok(Some(chunk)) = next(&mut body).await {
            match left.checked_sub(chunk.len()) {
                Some(rest) => left = rest,
                None => break,
            }
        }
    };
    if tokio::time::timeout(DISCARD_TIME_MAX, reading)
        .await
        .is_err()
    {
        tracing::debug!("gave up on the rest of a refused body");
    }
}

fn announced(headers: &HeaderMap) -> Option<usize> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
