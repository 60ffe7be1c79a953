//! A span in protobuf.

use super::value::Attributes;
use crate::model::limits::{EVENTS_MAX, LINKS_MAX};
use crate::model::{RawEvent, RawLink, RawSpan, Reason};
use crate::otlp::ids::Id;
use crate::otlp::refusal::Refusal;
use crate::otlp::wire::{Fields, Wire};

/// Reads one span; `span_id` is filled in as soon as it is read, for the sake of the message about a refusal.
pub(super) fn read(bytes: &[u8], span_id: &mut Id<8>) -> Result<RawSpan, Refusal> {
    let mut span = RawSpan {
        attributes: Attributes::room(bytes, 9),
        ..RawSpan::default()
    };
    let mut attributes = Attributes::of_item(bytes);
    let (mut trace_id, mut parent) = (Id::Missing, Id::Missing);
    let mut dropped_by_sender = [0u32; 3];
    let (mut events, mut links) = (0, 0);
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => trace_id = Id::from_bytes(wire.bytes("trace_id")?),
            2 => *span_id = Id::from_bytes(wire.bytes("span_id")?),
            3 => span.trace_state = wire.text("trace_state")?.to_owned(),
            4 => parent = Id::from_bytes(wire.bytes("parent_span_id")?),
            5 => span.name = wire.text("name")?.to_owned(),
            6 => span.kind = wire.int32("kind")?,
            7 => span.start_unix_nano = wire.fixed64("start_time_unix_nano")?,
            8 => span.end_unix_nano = wire.fixed64("end_time_unix_nano")?,
            9 => attributes.read(wire, &mut span.attributes)?,
            10 => dropped_by_sender[0] = wire.uint32("dropped_attributes_count")?,
            11 => {
                if events < EVENTS_MAX {
                    let event = event(wire, &mut attributes);
                    span.events
                        .push(event.map_err(|e| e.within(format_args!("event {events}")))?);
                }
                events += 1;
            }
            12 => dropped_by_sender[1] = wire.uint32("dropped_events_count")?,
            13 => {
                if links < LINKS_MAX {
                    let link = link(wire, &mut attributes);
                    span.links
                        .push(link.map_err(|e| e.within(format_args!("link {links}")))?);
                }
                links += 1;
            }
            14 => dropped_by_sender[2] = wire.uint32("dropped_links_count")?,
            15 => status(wire.message("status")?, &mut span)?,
            _ => {}
        }
    }
    span.trace_id = trace_id.required("trace_id", Reason::TraceId)?;
    span.span_id = span_id.required("span_id", Reason::SpanId)?;
    span.parent_span_id = parent.optional("parent_span_id", Reason::SpanId)?;
    let dropped_here = (events - span.events.len()) + (links - span.links.len());
    span.dropped_count = dropped_by_sender.into_iter().fold(
        u32::try_from(dropped_here).unwrap_or(u32::MAX),
        u32::saturating_add,
    );
    Ok(span)
}

fn event(wire: Wire<'_>, attributes: &mut Attributes) -> Result<RawEvent, Refusal> {
    attributes.count()?;
    let mut event = RawEvent::default();
    let mut fields = wire.message("an event")?;
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => event.time_unix_nano = wire.fixed64("time_unix_nano")?,
            2 => event.name = wire.text("name")?.to_owned(),
            3 => attributes.read(wire, &mut event.attributes)?,
            _ => {}
        }
    }
    Ok(event)
}

/// A link's ids are the sender's word about somebody else's span: what is no id is taken as left out.
fn link(wire: Wire<'_>, attributes: &mut Attributes) -> Result<RawLink, Refusal> {
    attributes.count()?;
    let mut link = RawLink::default();
    let mut fields = wire.message("a link")?;
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                link.trace_id = Id::from_bytes(wire.bytes("trace_id")?)
                    .valid()
                    .unwrap_or_default()
            }
            2 => {
                link.span_id = Id::from_bytes(wire.bytes("span_id")?)
                    .valid()
                    .unwrap_or_default()
            }
            4 => attributes.read(wire, &mut link.attributes)?,
            _ => {}
        }
    }
    Ok(link)
}

fn status(mut fields: Fields<'_>, span: &mut RawSpan) -> Result<(), Refusal> {
    while let Some((number, wire)) = fields.next()? {
        match number {
            2 => wire
                .text("status message")?
                .clone_into(&mut span.status_message),
            3 => span.status_code = wire.int32("status code")?,
            _ => {}
        }
    }
    Ok(())
}
