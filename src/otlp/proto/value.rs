//! Attributes and values (`KeyValue`, `AnyValue`) in protobuf.

use crate::model::limits::VALUE_DEPTH_MAX;
use crate::model::{self, Value};
use crate::otlp::allowance::Allowance;
use crate::otlp::refusal::{Refusal, shown};
use crate::otlp::wire::{Fields, Wire};

/// Reads the values of one item and counts what they take.
#[derive(Debug)]
pub(super) struct Attributes {
    allowance: Allowance,
}

/// The shortest attribute that says something. Bounds what is set aside for a list of them.
const ATTRIBUTE_BYTES_MIN: usize = 8;

impl Attributes {
    /// Starts an item: a span, a log record, a metric, a resource.
    pub(super) fn of_item(bytes: &[u8]) -> Self {
        Self {
            allowance: Allowance::of_values(bytes.len()),
        }
    }

    /// Returns a list with room for the attributes that a message holds in this field.
    pub(super) fn room(message: &[u8], number: u32) -> model::Attributes {
        let count = Fields::of(message).count_of(number);
        Vec::with_capacity(count.min(message.len() / ATTRIBUTE_BYTES_MIN))
    }

    /// Appends one attribute.
    pub(super) fn read(
        &mut self,
        wire: Wire<'_>,
        out: &mut model::Attributes,
    ) -> Result<(), Refusal> {
        self.entry(wire, 0, out)
    }

    /// Counts something else that takes memory: an event, a link, a quantile.
    pub(super) fn count(&mut self) -> Result<(), Refusal> {
        self.allowance.take()
    }

    /// Reads a value; what `value` held before is replaced, or joined where both are lists, as protobuf says.
    pub(super) fn value(&mut self, wire: Wire<'_>, value: &mut Value) -> Result<(), Refusal> {
        self.merge(wire.message("value")?, 0, value)
    }

    fn entry(
        &mut self,
        wire: Wire<'_>,
        depth: usize,
        out: &mut model::Attributes,
    ) -> Result<(), Refusal> {
        self.allowance.take()?;
        let (mut key, mut value) = ("", Value::Null);
        let mut fields = wire.message("an attribute")?;
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => key = wire.text("an attribute's key")?,
                2 => self
                    .merge(wire.message("an attribute's value")?, depth, &mut value)
                    .map_err(|refusal| refusal.within(format_args!("attribute {}", shown(key))))?,
                _ => {}
            }
        }
        out.push((key.to_owned(), value));
        Ok(())
    }

    /// `depth` is the number of lists and maps around this value.
    fn merge(
        &mut self,
        mut fields: Fields<'_>,
        depth: usize,
        value: &mut Value,
    ) -> Result<(), Refusal> {
        while let Some((number, wire)) = fields.next()? {
            match number {
                1 => *value = Value::Str(wire.text("string_value")?.to_owned()),
                2 => *value = Value::Bool(wire.varint("bool_value")? != 0),
                3 => *value = Value::Int(wire.varint("int_value")?.cast_signed()),
                4 => *value = Value::Double(wire.double("double_value")?),
                5 => self.array(wire.message("array_value")?, deeper(depth)?, value)?,
                6 => self.map(wire.message("kvlist_value")?, deeper(depth)?, value)?,
                7 => *value = Value::Bytes(wire.bytes("bytes_value")?.to_vec()),
                _ => {}
            }
        }
        Ok(())
    }

    fn array(
        &mut self,
        mut fields: Fields<'_>,
        depth: usize,
        value: &mut Value,
    ) -> Result<(), Refusal> {
        let mut list = match std::mem::take(value) {
            Value::Array(list) => list,
            _ => Vec::new(),
        };
        while let Some((number, wire)) = fields.next()? {
            if number == 1 {
                self.allowance.take()?;
                let mut element = Value::Null;
                self.merge(wire.message("an element")?, depth, &mut element)?;
                list.push(element);
            }
        }
        *value = Value::Array(list);
        Ok(())
    }

    fn map(
        &mut self,
        mut fields: Fields<'_>,
        depth: usize,
        value: &mut Value,
    ) -> Result<(), Refusal> {
        let mut map = match std::mem::take(value) {
            Value::Map(map) => map,
            _ => Vec::new(),
        };
        while let Some((number, wire)) = fields.next()? {
            if number == 1 {
                self.entry(wire, depth, &mut map)?;
            }
        }
        *value = Value::Map(map);
        Ok(())
    }
}

fn deeper(depth: usize) -> Result<usize, Refusal> {
    if depth < VALUE_DEPTH_MAX {
        Ok(depth + 1)
    } else {
        Err(Refusal::too_deep())
    }
}
