//! The events of a span: rows without content, and what they say about their span.

use std::sync::Arc;

use super::class::{Class, Kind};
use super::content::{self, Piece};
use super::errors::Exceptions;
use super::evaluation::{self, About};
use super::field::Field as F;
use super::messages;
use super::origin::{Origin, micros, nanos};
use super::sheet::Sheet;
use super::slot::Slot;
use crate::model::{Attributes, EvaluationRow, EventRow, Hex, Micros, RawEvent, Value};

/// What the events of a span say about it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) exceptions: Exceptions,
    /// The context packet of an escalation, by an event of ours.
    pub(super) packet_fields: Vec<String>,
    pub(super) evaluations: Vec<EvaluationRow>,
}

/// The span that events belong to.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) origin: &'a Origin,
    pub(super) trace_id: Hex<16>,
    pub(super) span_id: Hex<8>,
    pub(super) ts: Micros,
    pub(super) class: Class,
    pub(super) session_id: Option<&'a str>,
}

/// Reads one event, puts its content into `pieces` and returns its row.
pub(super) fn read(
    event: RawEvent,
    seq: usize,
    owner: Owner<'_>,
    sheet: &mut Sheet,
    pieces: &mut Vec<(Slot, Piece)>,
    told: &mut Told,
) -> EventRow {
    let mut attributes = event.attributes;
    if let Some((slot, role)) = messages::event_slot(&event.name) {
        pieces.extend(message(slot, role, owner.class.kind, &mut attributes));
    }
    let mut json = String::new();
    sheet.read(attributes, &mut json);
    let ts = nanos(event.time_unix_nano).map_or(owner.ts, micros);
    let about = About {
        ts,
        trace_id: Some(owner.trace_id.0),
        span_id: Some(owner.span_id.0),
        session_id: sheet.text(F::SessionId).or(owner.session_id),
        response_id: sheet.text(F::ResponseId),
    };
    told.evaluations
        .extend(evaluation::named(sheet, about, owner.origin));
    let exception_type = sheet.take_text(F::ExceptionType);
    if let Some(exception) = &exception_type {
        told.exceptions.add(exception);
    }
    if event.name == "outspan.escalation" {
        told.packet_fields = sheet.take_list(F::PacketFields);
    }
    content::take(sheet, Some(owner.class), |_| false, pieces);
    EventRow {
        tenant: Arc::clone(&owner.origin.tenant),
        trace_id: owner.trace_id,
        span_id: owner.span_id,
        seq: i32::try_from(seq).unwrap_or(i32::MAX),
        ts,
        name: event.name,
        exception_type,
        attributes: json,
        ingest_ts: owner.origin.receipt.ts,
        ingest_seq: 0,
        received_date: owner.origin.receipt.day,
    }
}

/// Fields of a message event that are no content and stay in its attributes too.
const MESSAGE_FACTS: [&str; 6] = [
    "role",
    "id",
    "index",
    "finish_reason",
    "name",
    "gen_ai.system",
];

/// Names with a dot that are content of a message event all the same.
const MESSAGE_WORDS: [&str; 2] = ["gen_ai.event.content", "tool.result"];

/// Takes the message out of an event: every field that is not known to be something else is content.
pub(super) fn message(
    slot: Slot,
    role: &'static str,
    kind: Kind,
    attributes: &mut Attributes,
) -> Option<(Slot, Piece)> {
    let is_fact = |name: &str| MESSAGE_FACTS.contains(&name);
    // A name without a dot is a field of the message, known or not.
    let stays =
        |name: &str| is_fact(name) || (name.contains('.') && !MESSAGE_WORDS.contains(&name));
    let mut fields: Attributes = attributes
        .extract_if(.., |(name, _)| !stays(name))
        .collect();
    if fields.is_empty() {
        return None;
    }
    // Events of a tool's span are about its call: the arguments first, then the result.
    if kind == Kind::Tool && slot != Slot::SystemInstructions {
        let slot = if slot == Slot::OutputMessages {
            Slot::ToolResult
        } else {
            Slot::ToolArgs
        };
        let value = if fields.len() == 1 {
            fields.pop()?.1
        } else {
            Value::Map(fields)
        };
        return content::piece(slot, value, true).map(|piece| (slot, piece));
    }
    for (name, _) in &mut fields {
        if name == "gen_ai.event.content" {
            *name = "content".to_owned();
        }
    }
    let facts = attributes
        .iter()
        .filter(|(name, _)| is_fact(name) && name != "gen_ai.system" && name != "index");
    fields.extend(facts.cloned());
    let built = messages::from_event(slot, role, fields);
    content::piece(slot, built, slot == Slot::OutputMessages).map(|piece| (slot, piece))
}
