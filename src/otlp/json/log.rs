//! A log record in JSON.

use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::field::{self, Raw, RawList, parse};
use super::value::Values;
use crate::model::RawLog;
use crate::otlp::ids::Id;
use crate::otlp::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct LogRecord<'a> {
    #[serde(borrow, alias = "time_unix_nano")]
    time_unix_nano: Raw<'a>,
    #[serde(borrow, alias = "observed_time_unix_nano")]
    observed_time_unix_nano: Raw<'a>,
    #[serde(borrow, alias = "severity_number")]
    severity_number: Raw<'a>,
    #[serde(borrow, alias = "event_name")]
    event_name: Raw<'a>,
    #[serde(borrow)]
    body: Raw<'a>,
    #[serde(borrow)]
    attributes: RawList<'a>,
    #[serde(borrow, alias = "dropped_attributes_count")]
    dropped_attributes_count: Raw<'a>,
    #[serde(borrow, alias = "trace_id")]
    trace_id: Raw<'a>,
    #[serde(borrow, alias = "span_id")]
    span_id: Raw<'a>,
}

/// Reads one log record. Most are written outside of any span, so an id that is none is no reason to refuse it.
pub(super) fn read(raw: &RawValue, span_id: &mut Id<8>) -> Result<RawLog, Refusal> {
    let sent: LogRecord<'_> = parse(raw, "log record")?;
    *span_id = field::id(sent.span_id);
    let mut values = Values::of_item(raw);
    Ok(RawLog {
        time_unix_nano: field::integer(sent.time_unix_nano, "time_unix_nano")?,
        observed_unix_nano: field::integer(
            sent.observed_time_unix_nano,
            "observed_time_unix_nano",
        )?,
        severity_number: field::enumeration(sent.severity_number, "severity_number", |name| {
            SeverityNumber::from_str_name(name).map(i32::from)
        })?,
        event_name: field::text(sent.event_name, "event_name")?,
        body: values.value(sent.body).map_err(|e| e.within("body"))?,
        attributes: values.attributes(sent.attributes)?,
        trace_id: field::id(sent.trace_id).valid(),
        span_id: span_id.valid(),
        dropped_count: field::integer(sent.dropped_attributes_count, "dropped_attributes_count")?,
    })
}
