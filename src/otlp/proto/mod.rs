//! OTLP in protobuf: the envelope, then each item alone.

mod log;
mod metric;
mod span;
mod value;

use super::intake::Intake;
use super::refusal::Refusal;
use super::wire::{Fields, Wire};
use super::{DecodeError, Signal};
use crate::model::{RawBatch, RawResource, RawScope, Rejected};
use value::Attributes;

/// The shortest span that can be kept: its two ids. Bounds what is set aside for a list of them.
const SPAN_BYTES_MIN: usize = 28;

/// Reads an export request. The three kinds differ below the scope only.
pub(super) fn read(signal: Signal, body: &[u8]) -> Result<(RawBatch, Rejected), DecodeError> {
    let (mut batch, mut intake) = (RawBatch::default(), Intake::of_request(body.len()));
    let mut fields = Fields::of(body);
    while let Some((number, wire)) = fields.next()? {
        if number == 1 {
            let bytes = wire.bytes("a resource")?;
            batch
                .resources
                .extend(resource(signal, bytes, &mut intake)?);
        }
    }
    Ok((batch, intake.into_rejected()))
}

fn resource(
    signal: Signal,
    bytes: &[u8],
    intake: &mut Intake,
) -> Result<Option<RawResource>, Refusal> {
    let (mut resource, mut fault) = (RawResource::default(), None);
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                let bytes = wire.bytes("resource")?;
                fault = fault.or(resource_fields(bytes, &mut resource).err());
            }
            2 => resource
                .scopes
                .extend(scope(signal, wire.bytes("a scope")?, intake)?),
            _ => {}
        }
    }
    Ok(intake.resource(fault, resource))
}

fn resource_fields(bytes: &[u8], resource: &mut RawResource) -> Result<(), Refusal> {
    let mut attributes = Attributes::of_item(bytes);
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        if number == 1 {
            attributes.read(wire, &mut resource.attributes)?;
        }
    }
    Ok(())
}

fn scope(signal: Signal, bytes: &[u8], intake: &mut Intake) -> Result<Option<RawScope>, Refusal> {
    let (mut scope, mut fault) = (RawScope::default(), None);
    let mut fields = Fields::of(bytes);
    if signal == Signal::Traces {
        scope
            .spans
            .reserve_exact(fields.count_of(2).min(bytes.len() / SPAN_BYTES_MIN));
    }
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                let fields = wire.message("scope")?;
                fault = fault.or(scope_fields(fields, &mut scope).err());
            }
            2 => item(signal, wire, &mut scope, intake)?,
            _ => {}
        }
    }
    Ok(intake.scope(fault, scope))
}

fn scope_fields(mut fields: Fields<'_>, scope: &mut RawScope) -> Result<(), Refusal> {
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => wire.text("name")?.clone_into(&mut scope.name),
            2 => wire.text("version")?.clone_into(&mut scope.version),
            _ => {}
        }
    }
    Ok(())
}

fn item(
    signal: Signal,
    wire: Wire<'_>,
    scope: &mut RawScope,
    intake: &mut Intake,
) -> Result<(), Refusal> {
    match signal {
        Signal::Traces => {
            let bytes = wire.bytes("a span")?;
            intake.span(scope, |id| span::read(bytes, id));
        }
        Signal::Logs => {
            let bytes = wire.bytes("a log record")?;
            intake.log(scope, |id| log::read(bytes, id));
        }
        Signal::Metrics => {
            let bytes = wire.bytes("a metric")?;
            intake.metric(scope, || metric::read(bytes));
        }
    }
    Ok(())
}
