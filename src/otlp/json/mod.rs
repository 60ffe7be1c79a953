//! OTLP in JSON: the envelope, then each item alone, as text that is not looked into before its turn.
//!
//! Takes what senders write: keys in camel or snake case, null for "absent", integers as numbers or text, enums as
//! numbers or names, ids in any case, unknown fields, half a surrogate pair where a text was cut.

mod field;
mod log;
mod metric;
mod span;
mod value;

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::intake::Intake;
use super::refusal::Refusal;
use super::{DecodeError, Signal};
use crate::model::{RawBatch, RawResource, RawScope, Rejected};
use field::{Raw, RawList, parse};
use value::Values;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Request<'a> {
    #[serde(borrow, alias = "resource_spans")]
    resource_spans: RawList<'a>,
    #[serde(borrow, alias = "resource_logs")]
    resource_logs: RawList<'a>,
    #[serde(borrow, alias = "resource_metrics")]
    resource_metrics: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ResourceItems<'a> {
    #[serde(borrow)]
    resource: Raw<'a>,
    #[serde(borrow, alias = "scope_spans")]
    scope_spans: RawList<'a>,
    #[serde(borrow, alias = "scope_logs")]
    scope_logs: RawList<'a>,
    #[serde(borrow, alias = "scope_metrics")]
    scope_metrics: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ScopeItems<'a> {
    #[serde(borrow)]
    scope: Raw<'a>,
    #[serde(borrow)]
    spans: RawList<'a>,
    #[serde(borrow, alias = "log_records")]
    log_records: RawList<'a>,
    #[serde(borrow)]
    metrics: RawList<'a>,
}

/// Stands where a body is not UTF-8: a code point that Unicode gives to no character, so nobody sends it.
const NOT_UTF8: char = '\u{FDD0}';

/// Reads an export request.
pub(super) fn read(signal: Signal, body: &[u8]) -> Result<(RawBatch, Rejected), DecodeError> {
    let text = marked(body);
    let mut reader = Reader {
        signal,
        not_utf8: matches!(text, Cow::Owned(_)),
        intake: Intake::of_request(body.len()),
    };
    let request: Request<'_> = envelope(&text)?;
    let list = reader.pick(
        request.resource_spans,
        request.resource_logs,
        request.resource_metrics,
    );
    let mut batch = RawBatch::default();
    for resource in list.into_iter().flatten() {
        batch.resources.extend(reader.resource(resource)?);
    }
    Ok((batch, reader.intake.into_rejected()))
}

struct Reader {
    signal: Signal,
    not_utf8: bool,
    intake: Intake,
}

impl Reader {
    fn pick<T>(&self, spans: T, logs: T, metrics: T) -> T {
        match self.signal {
            Signal::Traces => spans,
            Signal::Logs => logs,
            Signal::Metrics => metrics,
        }
    }

    fn resource(&mut self, raw: &RawValue) -> Result<Option<RawResource>, DecodeError> {
        let items: ResourceItems<'_> = envelope(raw.get())?;
        let mut resource = RawResource::default();
        let list = self.pick(items.scope_spans, items.scope_logs, items.scope_metrics);
        for scope in list.into_iter().flatten() {
            resource.scopes.extend(self.scope(scope)?);
        }
        let fault = self.resource_fields(items.resource, &mut resource).err();
        Ok(self.intake.resource(fault, resource))
    }

    fn scope(&mut self, raw: &RawValue) -> Result<Option<RawScope>, DecodeError> {
        let items: ScopeItems<'_> = envelope(raw.get())?;
        let mut scope = RawScope::default();
        let list = self.pick(items.spans, items.log_records, items.metrics);
        for item in list.into_iter().flatten() {
            self.item(item, &mut scope);
        }
        let fault = self.scope_fields(items.scope, &mut scope).err();
        Ok(self.intake.scope(fault, scope))
    }

    fn item(&mut self, raw: &RawValue, scope: &mut RawScope) {
        let utf8 = self.utf8(raw);
        match self.signal {
            Signal::Traces => self
                .intake
                .span(scope, |id| span::read(raw, id).and_also(utf8)),
            Signal::Logs => self
                .intake
                .log(scope, |id| log::read(raw, id).and_also(utf8)),
            Signal::Metrics => self
                .intake
                .metric(scope, || metric::read(raw).and_also(utf8)),
        }
    }

    fn resource_fields(&self, raw: Raw<'_>, resource: &mut RawResource) -> Result<(), Refusal> {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        struct Fields<'a> {
            #[serde(borrow)]
            attributes: RawList<'a>,
        }
        let Some(raw) = raw else { return Ok(()) };
        self.utf8(raw)?;
        let fields: Fields<'_> = parse(raw, "resource")?;
        resource.attributes = Values::of_item(raw).attributes(fields.attributes)?;
        Ok(())
    }

    fn scope_fields(&self, raw: Raw<'_>, scope: &mut RawScope) -> Result<(), Refusal> {
        #[derive(Debug, Default, Deserialize)]
        #[serde(default)]
        struct Fields<'a> {
            #[serde(borrow)]
            name: Raw<'a>,
            #[serde(borrow)]
            version: Raw<'a>,
        }
        let Some(raw) = raw else { return Ok(()) };
        self.utf8(raw)?;
        let fields: Fields<'_> = parse(raw, "scope")?;
        scope.name = field::text(fields.name, "name")?;
        scope.version = field::text(fields.version, "version")?;
        Ok(())
    }

    fn utf8(&self, raw: &RawValue) -> Result<(), Refusal> {
        if self.not_utf8 && raw.get().contains(NOT_UTF8) {
            return Err(Refusal::malformed("holds bytes that are not UTF-8"));
        }
        Ok(())
    }
}

/// Puts a second condition on what was read: the id is known by then, and the message can name it.
trait AndAlso: Sized {
    fn and_also(self, condition: Result<(), Refusal>) -> Self;
}

impl<T> AndAlso for Result<T, Refusal> {
    fn and_also(self, condition: Result<(), Refusal>) -> Self {
        condition.and(self)
    }
}

/// Returns the body as text, with a mark where it is none, so that only the items that hold a mark are lost.
fn marked(body: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(body) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(NOT_UTF8);
        }
    }
    Cow::Owned(text)
}

fn envelope<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, DecodeError> {
    field::object(text).map_err(DecodeError::Json)
}
