//! SQL over HTTP, and what an operator asks: is it alive, is it ready, how is it doing.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::{StreamExt, stream};
use serde::Deserialize;
use tower_http::catch_panic::CatchPanicLayer;

use crate::ledger::Ledger;
use crate::query::Query;
use crate::query::format::{Body as AnswerBody, Format};

use super::status::Failure;

/// A request's body: the limit on the text of a query is the engine's, this one only bounds the parameters beside it.
const BODY_BYTES_MAX: usize = 1 << 20;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Says how many rows an answer may have: one that has as many may have been cut off.
const ROWS_MAX: HeaderName = HeaderName::from_static("x-outspan-rows-max");

/// What the doors need.
#[derive(Clone)]
pub struct Doors {
    /// The engine, once it has recovered: until then the server is alive but not ready.
    pub ledger: Arc<OnceLock<Ledger>>,
    /// Renders the metrics of the process in Prometheus' text format.
    pub metrics: Arc<dyn Fn() -> String + Send + Sync>,
}

impl std::fmt::Debug for Doors {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Doors")
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

/// Returns the routes of the API. A panic behind one of them costs its request only.
pub fn router(doors: Doors) -> Router {
    Router::new()
        .route("/api/v1/sql", post(sql))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .fallback(async || {
            Failure::request(
                StatusCode::NOT_FOUND,
                "there is nothing at this path",
                "POST /api/v1/sql asks, GET /readyz tells",
            )
        })
        .method_not_allowed_fallback(async || {
            Failure::request(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path takes another method",
                "queries and reports are posted",
            )
        })
        .layer(CatchPanicLayer::new())
        .with_state(doors)
}

/// A question as JSON.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    sql: String,
    #[serde(default)]
    params: serde_json::Map<String, serde_json::Value>,
    limit: Option<usize>,
}

async fn sql(
    State(doors): State<Doors>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Failure> {
    let body = read(body).await?;
    let format = wanted(&headers)?;
    let asked = asked(&headers, &body)?;
    let question = Query {
        sql: asked.sql,
        params: asked.params,
        limit_rows: asked.limit,
        ..Query::default()
    };
    let ledger = doors.ledger.get().ok_or_else(Failure::recovering)?;
    let rows_max = question
        .limit_rows
        .unwrap_or(usize::MAX)
        .min(ledger.rows_max());
    let answer = ledger.query(question).await?;
    let mut body = AnswerBody::new(format, answer)?;
    // What fails before the first row can still be told with a status; later only the connection breaks.
    let first = body.next().await.transpose()?;
    let body = stream::iter(first.map(Ok)).chain(body);
    let media = HeaderValue::from_static(format.media_type());
    let headers = [
        (header::CONTENT_TYPE, media),
        (ROWS_MAX, HeaderValue::from(rows_max)),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// Reads a body that is small enough and comes in time.
async fn read(body: Body) -> Result<Bytes, Failure> {
    let late = || {
        Failure::request(
            StatusCode::REQUEST_TIMEOUT,
            "the query did not arrive in time",
            "send it at once",
        )
    };
    let read = tokio::time::timeout(BODY_TIMEOUT, axum::body::to_bytes(body, BODY_BYTES_MAX)).await;
    read.map_err(|_| late())?.map_err(|error| {
        Failure::request(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body cannot be read: {error}"),
            "the most is 1 MiB",
        )
    })
}

/// Returns the format that the asker wants: the first one we know in `Accept`, JSON where it does not matter.
fn wanted(headers: &HeaderMap) -> Result<Format, Failure> {
    let Some(accept) = headers.get(header::ACCEPT) else {
        return Ok(Format::Json);
    };
    let known = accept
        .to_str()
        .unwrap_or_default()
        .split(',')
        .find_map(|media| {
            let media: mime::Mime = media.trim().parse().ok()?;
            match (media.type_(), media.subtype()) {
                (mime::STAR, _) | (mime::APPLICATION, mime::STAR) => Some(Format::Json),
                _ => Format::ALL
                    .into_iter()
                    .find(|format| format.media_type() == media.essence_str()),
            }
        });
    let formats = Format::ALL.map(Format::media_type).join(", ");
    known.ok_or_else(|| {
        Failure::request(
            StatusCode::NOT_ACCEPTABLE,
            "none of the accepted formats is known",
            &format!("accept one of {formats}"),
        )
    })
}

fn asked(headers: &HeaderMap, body: &Bytes) -> Result<Asked, Failure> {
    const HINT: &str =
        "send {\"sql\": \"select ...\"} as application/json, or the query itself as text/plain";
    let media = headers
        .get(header::CONTENT_TYPE)
        .and_then(|media| media.to_str().ok())
        .unwrap_or_default();
    let media: mime::Mime = media.parse().unwrap_or(mime::APPLICATION_JSON);
    // What curl says of a body where nobody tells it: look what it is.
    let bare = media == mime::APPLICATION_WWW_FORM_URLENCODED
        && !body.trim_ascii_start().starts_with(b"{");
    if media.type_() == mime::TEXT || bare {
        let sql = std::str::from_utf8(body).map_err(|error| {
            Failure::request(
                StatusCode::BAD_REQUEST,
                format!("the query is not UTF-8: {error}"),
                HINT,
            )
        })?;
        return Ok(Asked {
            sql: sql.to_owned(),
            ..Asked::default()
        });
    }
    if media.subtype() != mime::JSON && media != mime::APPLICATION_WWW_FORM_URLENCODED {
        return Err(Failure::request(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("cannot read {media}"),
            HINT,
        ));
    }
    serde_json::from_slice(body).map_err(|error| {
        Failure::request(
            StatusCode::BAD_REQUEST,
            format!("the body is not what was expected: {error}"),
            HINT,
        )
    })
}

async fn ready(State(doors): State<Doors>) -> Response {
    match doors.ledger.get().is_some_and(Ledger::is_ready) {
        true => (StatusCode::OK, Json(serde_json::json!({ "ready": true }))).into_response(),
        false => (
            StatusCode::SERVICE_UNAVAILABLE,
            Json(serde_json::json!({ "ready": false })),
        )
            .into_response(),
    }
}

async fn metrics(State(doors): State<Doors>) -> Response {
    if let Some(ledger) = doors.ledger.get() {
        publish(ledger);
    }
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], (doors.metrics)()).into_response()
}

/// Sets the gauges that nobody counts along the way.
#[expect(
    clippy::cast_precision_loss,
    reason = "gauges are floating point numbers"
)]
fn publish(ledger: &Ledger) {
    let stats = ledger.stats();
    metrics::gauge!("outspan_wal_bytes").set(stats.wal.size_bytes as f64);
    metrics::gauge!("outspan_wal_segments").set(stats.wal.segments as f64);
    metrics::gauge!("outspan_wal_queued_bytes").set(stats.wal.queued_bytes as f64);
    metrics::gauge!("outspan_wal_durable_sequence").set(stats.wal.durable_sequence as f64);
    metrics::gauge!("outspan_wal_lag_records").set(stats.wal_lag_records as f64);
    metrics::gauge!("outspan_wal_sync_seconds_last").set(stats.wal.sync_nanos_last as f64 / 1e9);
    metrics::counter!("outspan_wal_records_total").absolute(stats.wal.records);
    metrics::counter!("outspan_wal_record_bytes_total").absolute(stats.wal.record_bytes);
    metrics::counter!("outspan_wal_syncs_total").absolute(stats.wal.syncs);
    metrics::counter!("outspan_wal_sync_nanoseconds_total").absolute(stats.wal.sync_nanos_total);
    metrics::counter!("outspan_wal_torn_bytes_total").absolute(stats.wal.torn_bytes);
    metrics::counter!("outspan_wal_quarantined_bytes_total").absolute(stats.wal.quarantined_bytes);
    for (reason, count) in [
        ("busy", stats.wal.refused_busy),
        ("full", stats.wal.refused_full),
        ("too_large", stats.wal.refused_too_large),
        ("poisoned", stats.wal.refused_poisoned),
    ] {
        metrics::counter!("outspan_wal_refused_total", "reason" => reason).absolute(count);
    }
    metrics::gauge!("outspan_buffer_bytes").set(stats.buffer_bytes as f64);
    metrics::gauge!("outspan_buffer_rows").set(stats.buffer_rows as f64);
    metrics::gauge!("outspan_recent_keys").set(stats.recent_keys as f64);
    metrics::gauge!("outspan_replaced_rows_pending").set(stats.dead_rows as f64);
    metrics::gauge!("outspan_table_rows").set(stats.stored_rows as f64);
    metrics::gauge!("outspan_table_bytes").set(stats.stored_bytes as f64);
    metrics::gauge!("outspan_table_files").set(stats.stored_files as f64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;
    use tower::ServiceExt;

    async fn answer(request: Request<Body>) -> (u16, HeaderMap, serde_json::Value) {
        let doors = Doors {
            ledger: Arc::default(),
            metrics: Arc::new(String::new),
        };
        let response = router(doors).oneshot(request).await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = axum::body::to_bytes(response.into_body(), 1 << 20)
            .await
            .unwrap();
        (
            status,
            headers,
            serde_json::from_slice(&body).unwrap_or_default(),
        )
    }

    fn get(path: &str) -> Request<Body> {
        Request::get(path).body(Body::empty()).unwrap()
    }

    fn post(media: &str, body: &'static str) -> Request<Body> {
        Request::post("/api/v1/sql")
            .header(header::CONTENT_TYPE, media)
            .body(Body::from(body))
            .unwrap()
    }

    #[tokio::test]
    async fn while_it_recovers_a_server_is_alive_and_not_ready() {
        assert_eq!(answer(get("/healthz")).await.0, 200);
        assert_eq!(answer(get("/readyz")).await.0, 503);
        let (status, headers, body) = answer(post("text/plain", "select 1")).await;
        assert_eq!(
            (status, &body["error"]["code"]),
            (503, &"recovering".into())
        );
        assert!(headers.contains_key(header::RETRY_AFTER));
    }

    #[tokio::test]
    async fn what_is_asked_the_wrong_way_is_told_how_to_ask() {
        let wrong = [
            (get("/api/v1/nothing"), 404),
            (get("/api/v1/sql"), 405),
            (post("image/png", "x"), 415),
            (post("application/json", "{"), 400),
        ];
        for (request, expected) in wrong {
            let (status, _, body) = answer(request).await;
            assert_eq!(status, expected);
            assert!(
                body["error"]["message"].is_string() && body["error"]["hint"].is_string(),
                "{body}"
            );
        }
        let mut request = post("text/plain", "select 1");
        request
            .headers_mut()
            .insert(header::ACCEPT, HeaderValue::from_static("image/png"));
        assert_eq!(answer(request).await.0, 406);
    }

    #[test]
    fn what_curl_sends_without_being_told_is_read_for_what_it_is() {
        let media = HeaderMap::from_iter([(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        )]);
        let json = asked(&media, &Bytes::from_static(b" {\"sql\": \"select 1\"}")).unwrap();
        let text = asked(&media, &Bytes::from_static(b"select 1")).unwrap();
        assert_eq!(
            (json.sql.as_str(), text.sql.as_str()),
            ("select 1", "select 1")
        );
    }
}
