//! A log record in protobuf.

use super::value::Attributes;
use crate::model::RawLog;
use crate::otlp::ids::Id;
use crate::otlp::refusal::Refusal;
use crate::otlp::wire::Fields;

/// Reads one log record. Most are written outside of any span, so an id that is none is no reason to refuse it.
pub(super) fn read(bytes: &[u8], span_id: &mut Id<8>) -> Result<RawLog, Refusal> {
    let mut log = RawLog {
        attributes: Attributes::room(bytes, 6),
        ..RawLog::default()
    };
    let mut attributes = Attributes::of_item(bytes);
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => log.time_unix_nano = wire.fixed64("time_unix_nano")?,
            2 => log.severity_number = wire.int32("severity_number")?,
            5 => attributes
                .value(wire, &mut log.body)
                .map_err(|e| e.within("body"))?,
            6 => attributes.read(wire, &mut log.attributes)?,
            7 => log.dropped_count = wire.uint32("dropped_attributes_count")?,
            9 => log.trace_id = Id::from_bytes(wire.bytes("trace_id")?).valid(),
            10 => *span_id = Id::from_bytes(wire.bytes("span_id")?),
            11 => log.observed_unix_nano = wire.fixed64("observed_time_unix_nano")?,
            12 => log.event_name = wire.text("event_name")?.to_owned(),
            _ => {}
        }
    }
    log.span_id = span_id.valid();
    Ok(log)
}
