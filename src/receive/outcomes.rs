//! Outcome reports over HTTP: `POST /api/v1/outcomes`, one object, an array, or one object a line.
//!
//! A bad report is counted and named by its place and field; the good ones are kept, and durable before the answer.

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::failure::Failure;
use super::{Ingest, Receiver, Sender, export, http, read, tally};
use crate::model::limits::{ATTRIBUTE_BYTES_MAX, HTTP_BODY_BYTES_MAX};
use crate::model::outcome::OUTCOMES;
use crate::model::{RawOutcome, Reason, Rejected, TraceId, Usd};

/// How the request ended, and what each bad report was refused for.
#[derive(Debug, Default, PartialEq, Serialize)]
struct Answer {
    /// Only where not one report was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Fault>,
    accepted: u64,
    rejected: u64,
    /// The first [`ERRORS_MAX`].
    errors: Vec<BadReport>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Fault {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

#[derive(Debug, PartialEq, Serialize)]
struct BadReport {
    /// The report's place in the request, from 0; null where a later stage refused it.
    index: Option<usize>,
    message: String,
}

/// What a request brought.
#[derive(Debug, Default)]
struct Reports {
    good: Vec<RawOutcome>,
    errors: Vec<BadReport>,
    rejected: Rejected,
}

/// How many bad reports an answer names; all are counted.
const ERRORS_MAX: usize = 100;
/// Bytes of an id or a name in a report.
const NAME_BYTES_MAX: usize = 1024;
const TENANT_BYTES_MAX: usize = 64;
const HINT: &str = r#"send {"trace_id": "<32 hex digits>", "outcome": "success"}, an array of those, or one a line"#;

/// Returns the route for outcome reports.
pub(super) fn router<I: Ingest>(receiver: Receiver<I>) -> Router {
    Router::new()
        .route("/api/v1/outcomes", post(report::<I>))
        .with_state(receiver)
}

async fn report<I: Ingest>(State(receiver): State<Receiver<I>>, request: Request) -> Response {
    let result = take(&receiver, request).await;
    let status = match &result {
        Ok(answer) if answer.rejected == 0 => "ok",
        Ok(answer) if answer.accepted > 0 => "partial",
        Ok(_) => "invalid",
        Err(failure) => failure.kind.label(),
    };
    let transport = tally::Request {
        signal: "outcomes",
        transport: "http",
        encoding: "json",
    };
    tally::request(transport, status);
    match result {
        Ok(answer) if answer.error.is_some() => {
            (StatusCode::BAD_REQUEST, Json(answer)).into_response()
        }
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => refusal(failure),
    }
}

async fn take<I: Ingest>(receiver: &Receiver<I>, request: Request) -> Result<Answer, Failure> {
    let (head, body) = request.into_parts();
    let (inner, limit) = (&receiver.0, HTTP_BODY_BYTES_MAX);
    let compression = http::compression(&head.headers)?;
    let sender = Sender::of(&head.headers)?;
    let wire = read::whole(
        &head.headers,
        body,
        limit,
        &inner.admission,
        inner.body_timeout(),
    )
    .await?;
    inner.rates.take(&sender, wire.bytes.len())?;
    let (reports, _admitted) = inner
        .pool
        .run(move || {
            let body = export::plain(wire, compression, limit)?;
            Ok((parse(&body.bytes)?, body.permit))
        })
        .await?;
    let Reports {
        good,
        mut errors,
        mut rejected,
    } = reports;
    let mut accepted = good.len() as u64;
    if !good.is_empty() {
        let receipt = inner.engine.outcomes(good, sender).await?;
        accepted = accepted.saturating_sub(receipt.rejected.total());
        errors.extend(receipt.rejected.message().map(|message| BadReport {
            index: None,
            message,
        }));
        rejected.merge(receipt.rejected);
    }
    tally::rejected("outcomes", &rejected);
    let error = (accepted == 0 && rejected.total() > 0).then(|| Fault {
        code: "invalid",
        message: "not one report could be accepted".into(),
        hint: Some(HINT),
    });
    Ok(Answer {
        error,
        accepted,
        rejected: rejected.total(),
        errors,
    })
}

fn refusal(failure: Failure) -> Response {
    let Failure { kind, message } = failure;
    let hint = (kind.http_status() == StatusCode::BAD_REQUEST).then_some(HINT);
    let error = Fault {
        code: kind.label(),
        message,
        hint,
    };
    let body = Json(serde_json::json!({ "error": error }));
    let mut response = (kind.http_status(), body).into_response();
    http::add_advice(kind, response.headers_mut());
    response.headers_mut().remove(header::TRANSFER_ENCODING);
    response
}

/// Tells the three forms apart by what they start with, so that no header has to be right.
fn parse(body: &[u8]) -> Result<Reports, Failure> {
    let mut reports = Reports::default();
    let start = body.trim_ascii_start();
    if start.is_empty() {
        return Err(Failure::undecodable("body is empty"));
    }
    if start.starts_with(b"[") {
        let list: Vec<&RawValue> = serde_json::from_slice(body)
            .map_err(|error| Failure::undecodable(format!("body is not a JSON array: {error}")))?;
        for (index, raw) in list.into_iter().enumerate() {
            reports.add(index, String::new, raw.get().as_bytes());
        }
    } else if serde_json::from_slice::<&RawValue>(body).is_ok() {
        reports.add(0, String::new, body);
    } else {
        let lines = body.split(|byte| *byte == b'\n').enumerate();
        let lines = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
        for (index, (line, text)) in lines.enumerate() {
            reports.add(index, || format!("line {}: ", line + 1), text);
        }
    }
    Ok(reports)
}

impl Reports {
    fn add(&mut self, index: usize, place: impl Fn() -> String, json: &[u8]) {
        let (reason, what) = match outcome(json) {
            Ok(outcome) => return self.good.push(outcome),
            Err(refusal) => refusal,
        };
        let message = format!("{}{what}", place());
        self.rejected
            .add(reason, || format!("report {index}: {message}"));
        if self.errors.len() < ERRORS_MAX {
            self.errors.push(BadReport {
                index: Some(index),
                message,
            });
        }
    }
}

/// A report as sent; unknown fields are ignored, null is absent.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent<'a> {
    #[serde(borrow)]
    id: Raw<'a>,
    #[serde(borrow)]
    tenant: Raw<'a>,
    #[serde(borrow)]
    trace_id: Raw<'a>,
    #[serde(borrow)]
    task_id: Raw<'a>,
    #[serde(borrow)]
    outcome: Raw<'a>,
    #[serde(borrow)]
    score: Raw<'a>,
    #[serde(borrow)]
    value_usd: Raw<'a>,
    #[serde(borrow)]
    reported_at: Raw<'a>,
    #[serde(borrow)]
    reported_at_unix_nano: Raw<'a>,
    #[serde(borrow)]
    source: Raw<'a>,
    #[serde(borrow)]
    minutes_saved: Raw<'a>,
    #[serde(borrow)]
    human_minutes: Raw<'a>,
    #[serde(borrow)]
    note: Raw<'a>,
}

type Raw<'a> = Option<&'a RawValue>;
type Refusal = (Reason, String);

fn outcome(json: &[u8]) -> Result<RawOutcome, Refusal> {
    let sent: Sent<'_> = Some(json)
        .filter(|json| json.trim_ascii_start().starts_with(b"{"))
        .and_then(|json| serde_json::from_slice(json).ok())
        .ok_or_else(|| (Reason::Malformed, "is not a JSON object".to_owned()))?;
    let trace_id = text(sent.trace_id, "trace_id", NAME_BYTES_MAX)?
        .map(|digits| trace_id(&digits))
        .transpose()?;
    let task_id = text(sent.task_id, "task_id", NAME_BYTES_MAX)?;
    if trace_id.is_none() && task_id.is_none() {
        return Err(field("trace_id and task_id are both missing"));
    }
    Ok(RawOutcome {
        id: text(sent.id, "id", NAME_BYTES_MAX)?,
        tenant: text(sent.tenant, "tenant", TENANT_BYTES_MAX)?
            .map(tenant)
            .transpose()?,
        trace_id,
        task_id,
        outcome: word(text(sent.outcome, "outcome", NAME_BYTES_MAX)?)?,
        score: number(sent.score, "score", f64::MIN)?,
        value_usd: sent.value_usd.map(usd).transpose()?,
        reported_at_unix_nano: reported_at(sent.reported_at, sent.reported_at_unix_nano)?,
        source: text(sent.source, "source", NAME_BYTES_MAX)?,
        minutes_saved: number(sent.minutes_saved, "minutes_saved", f64::MIN)?,
        human_minutes: number(sent.human_minutes, "human_minutes", 0.0)?,
        note: text(sent.note, "note", ATTRIBUTE_BYTES_MAX)?,
    })
}

fn field(what: impl Into<String>) -> Refusal {
    (Reason::Field, what.into())
}

/// Returns a text, where there is one that says anything.
fn text(raw: Raw<'_>, name: &str, bytes_max: usize) -> Result<Option<String>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    let text: String =
        serde_json::from_str(raw.get()).map_err(|_| field(format!("{name} is not a text")))?;
    match text.len() {
        0 => Ok(None),
        length if length > bytes_max => Err(field(format!(
            "{name} is {length} bytes long, more than {bytes_max}"
        ))),
        _ => Ok(Some(text)),
    }
}

fn trace_id(digits: &str) -> Result<TraceId, Refusal> {
    let mut id = TraceId::default();
    match hex::decode_to_slice(digits, &mut id) {
        Ok(()) if id != TraceId::default() => Ok(id),
        Ok(()) => Err((Reason::TraceId, "trace_id is all zero".into())),
        Err(_) => Err((
            Reason::TraceId,
            "trace_id is not 32 hexadecimal digits".into(),
        )),
    }
}

fn tenant(name: String) -> Result<String, Refusal> {
    let allowed = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if name.bytes().all(allowed) {
        return Ok(name);
    }
    Err((
        Reason::Tenant,
        "tenant holds more than lower-case letters, digits, _ and -".into(),
    ))
}

fn word(sent: Option<String>) -> Result<&'static str, Refusal> {
    let sent = sent.ok_or_else(|| field("outcome is missing"))?;
    OUTCOMES
        .into_iter()
        .find(|outcome| *outcome == sent)
        .ok_or_else(|| field(format!("outcome is none of {}", OUTCOMES.join(", "))))
}

fn number(raw: Raw<'_>, name: &str, min: f64) -> Result<Option<f64>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    match raw.get().parse::<f64>() {
        Ok(number) if !number.is_finite() => Err(field(format!("{name} is too large"))),
        Ok(number) if number >= min => Ok(Some(number)),
        Ok(_) => Err(field(format!("{name} is less than {min}"))),
        Err(_) => Err(field(format!("{name} is not a number"))),
    }
}

/// Reads money from the digits as sent, as a number or as text: a binary fraction would not be exact.
fn usd(raw: &RawValue) -> Result<Usd, Refusal> {
    let digits = raw.get().trim_matches('"');
    Usd::parse(digits).ok_or_else(|| field("value_usd is not an amount that fits"))
}

fn reported_at(rfc3339: Raw<'_>, unix_nano: Raw<'_>) -> Result<Option<i64>, Refusal> {
    let (nanos, name) = match (unix_nano, rfc3339) {
        (Some(raw), _) => {
            let digits = raw.get().trim_matches('"');
            (digits.parse().ok(), "reported_at_unix_nano")
        }
        (None, Some(raw)) => {
            let time: Option<jiff::Timestamp> = serde_json::from_str::<String>(raw.get())
                .ok()
                .and_then(|text| text.parse().ok());
            (
                time.and_then(|time| i64::try_from(time.as_nanosecond()).ok()),
                "reported_at",
            )
        }
        (None, None) => return Ok(None),
    };
    match nanos {
        Some(nanos) if nanos >= 0 => Ok(Some(nanos)),
        _ => Err((
            Reason::Time,
            format!("{name} is not a time between 1970 and 2262"),
        )),
    }
}

#[cfg(test)]
mod tests;
