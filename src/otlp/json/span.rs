//! A span in JSON.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::field::{self, Raw, RawList, parse};
use super::value::Values;
use crate::model::limits::{EVENTS_MAX, LINKS_MAX};
use crate::model::{RawEvent, RawLink, RawSpan, Reason};
use crate::otlp::ids::Id;
use crate::otlp::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Span<'a> {
    #[serde(borrow, alias = "trace_id")]
    trace_id: Raw<'a>,
    #[serde(borrow, alias = "span_id")]
    span_id: Raw<'a>,
    #[serde(borrow, alias = "trace_state")]
    trace_state: Raw<'a>,
    #[serde(borrow, alias = "parent_span_id")]
    parent_span_id: Raw<'a>,
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    kind: Raw<'a>,
    #[serde(borrow, alias = "start_time_unix_nano")]
    start_time_unix_nano: Raw<'a>,
    #[serde(borrow, alias = "end_time_unix_nano")]
    end_time_unix_nano: Raw<'a>,
    #[serde(borrow)]
    attributes: RawList<'a>,
    #[serde(borrow, alias = "dropped_attributes_count")]
    dropped_attributes_count: Raw<'a>,
    #[serde(borrow)]
    events: RawList<'a>,
    #[serde(borrow, alias = "dropped_events_count")]
    dropped_events_count: Raw<'a>,
    #[serde(borrow)]
    links: RawList<'a>,
    #[serde(borrow, alias = "dropped_links_count")]
    dropped_links_count: Raw<'a>,
    #[serde(borrow)]
    status: Raw<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow, alias = "time_unix_nano")]
    time_unix_nano: Raw<'a>,
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    attributes: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Link<'a> {
    #[serde(borrow, alias = "trace_id")]
    trace_id: Raw<'a>,
    #[serde(borrow, alias = "span_id")]
    span_id: Raw<'a>,
    #[serde(borrow)]
    attributes: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status<'a> {
    #[serde(borrow)]
    message: Raw<'a>,
    #[serde(borrow)]
    code: Raw<'a>,
}

/// Reads one span; `span_id` is filled in as soon as it is read, for the sake of the message about a refusal.
pub(super) fn read(raw: &RawValue, span_id: &mut Id<8>) -> Result<RawSpan, Refusal> {
    let sent: Span<'_> = parse(raw, "span")?;
    *span_id = field::id(sent.span_id);
    let mut values = Values::of_item(raw);
    let mut dropped = [
        field::integer(sent.dropped_attributes_count, "dropped_attributes_count")?,
        field::integer(sent.dropped_events_count, "dropped_events_count")?,
        field::integer(sent.dropped_links_count, "dropped_links_count")?,
        0,
    ];
    let events = first(sent.events, EVENTS_MAX, &mut dropped[3]);
    let links = first(sent.links, LINKS_MAX, &mut dropped[3]);
    let (status_code, status_message) = status(sent.status)?;
    Ok(RawSpan {
        trace_id: field::id(sent.trace_id).required("trace_id", Reason::TraceId)?,
        span_id: span_id.required("span_id", Reason::SpanId)?,
        parent_span_id: field::id(sent.parent_span_id)
            .optional("parent_span_id", Reason::SpanId)?,
        name: field::text(sent.name, "name")?,
        kind: field::enumeration(sent.kind, "kind", |name| {
            SpanKind::from_str_name(name).map(i32::from)
        })?,
        start_unix_nano: field::integer(sent.start_time_unix_nano, "start_time_unix_nano")?,
        end_unix_nano: field::integer(sent.end_time_unix_nano, "end_time_unix_nano")?,
        attributes: values.attributes(sent.attributes)?,
        events: each("event", events, |raw| event(raw, &mut values))?,
        links: each("link", links, |raw| link(raw, &mut values))?,
        status_code,
        status_message,
        trace_state: field::text(sent.trace_state, "trace_state")?,
        dropped_count: dropped.into_iter().fold(0, u32::saturating_add),
    })
}

/// Returns the first elements of a list and counts the others as dropped.
fn first<'a>(list: RawList<'a>, max: usize, dropped: &mut u32) -> Vec<&'a RawValue> {
    let mut list = list.unwrap_or_default();
    let more = u32::try_from(list.len().saturating_sub(max)).unwrap_or(u32::MAX);
    *dropped = dropped.saturating_add(more);
    list.truncate(max);
    list
}

/// Reads each element; a refusal says which one it was.
fn each<T>(
    noun: &str,
    list: Vec<&RawValue>,
    mut read: impl FnMut(&RawValue) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    list.into_iter()
        .enumerate()
        .map(|(index, raw)| read(raw).map_err(|e| e.within(format_args!("{noun} {index}"))))
        .collect()
}

fn event(raw: &RawValue, values: &mut Values) -> Result<RawEvent, Refusal> {
    values.count()?;
    let sent: Event<'_> = parse(raw, "event")?;
    Ok(RawEvent {
        time_unix_nano: field::integer(sent.time_unix_nano, "time_unix_nano")?,
        name: field::text(sent.name, "name")?,
        attributes: values.attributes(sent.attributes)?,
    })
}

/// A link's ids are the sender's word about somebody else's span: what is no id is taken as left out.
fn link(raw: &RawValue, values: &mut Values) -> Result<RawLink, Refusal> {
    values.count()?;
    let sent: Link<'_> = parse(raw, "link")?;
    Ok(RawLink {
        trace_id: field::id(sent.trace_id).valid().unwrap_or_default(),
        span_id: field::id(sent.span_id).valid().unwrap_or_default(),
        attributes: values.attributes(sent.attributes)?,
    })
}

fn status(raw: Raw<'_>) -> Result<(i32, String), Refusal> {
    let Some(raw) = raw else {
        return Ok((0, String::new()));
    };
    let sent: Status<'_> = parse(raw, "status")?;
    let code = field::enumeration(sent.code, "status code", |name| {
        StatusCode::from_str_name(name).map(i32::from)
    })?;
    Ok((code, field::text(sent.message, "status message")?))
}
