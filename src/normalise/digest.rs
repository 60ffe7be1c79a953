//! The digests that outlive content: of calls, results and answers. They are made before redaction, with the tenant's
//! key, and never of what was cut (design.md §8 D6).

use super::class::{self, Class, Kind};
use super::coerce;
use super::content::Piece;
use super::hash::TenantKey;
use super::messages;
use super::slot::Slot;
use crate::model::{SpanRow, Value};

/// Names kept of a context packet's fields.
const PACKET_FIELDS_MAX: usize = 64;
/// Characters kept of one of them.
const PACKET_FIELD_CHARS_MAX: usize = 128;

/// Fills the columns of digests from a span's content; `escalates` where the span itself says that it does.
pub(super) fn fill(
    row: &mut SpanRow,
    class: Class,
    pieces: &[(Slot, Piece)],
    key: &TenantKey,
    escalates: bool,
) {
    if matches!(class.kind, Kind::Tool | Kind::Handoff) {
        if let Some(arguments) = first(pieces, Slot::ToolArgs) {
            call(row, arguments, key);
            let reaches_a_person = row
                .tool_name
                .as_deref()
                .is_some_and(class::reaches_a_person);
            if escalates || reaches_a_person {
                row.packet_fields = present_fields(arguments);
            }
        }
        let result = first(pieces, Slot::ToolResult).and_then(Piece::canonical);
        row.tool_result_hash = result.map(|result| key.text("result", &result));
    }
    if class.kind == Kind::Llm {
        let output = first(pieces, Slot::OutputMessages).filter(|piece| !piece.truncated);
        row.output_hash = output.map(|output| {
            let said = output.tree.as_ref().map(messages::gist);
            key.text("output", said.as_deref().unwrap_or(output.body.trim()))
        });
    }
}

fn call(row: &mut SpanRow, arguments: &Piece, key: &TenantKey) {
    let Some(arguments) = arguments.canonical() else {
        return;
    };
    let hash = key.text("arguments", &arguments);
    let shape = shape_of(&arguments).map(|shape| key.text("arguments", &shape));
    row.tool_args_shape_hash = Some(shape.unwrap_or_else(|| hash.clone()));
    row.tool_args_hash = Some(hash);
}

/// Returns the first piece in a slot.
pub(super) fn first(pieces: &[(Slot, Piece)], slot: Slot) -> Option<&Piece> {
    pieces
        .iter()
        .find(|(at, _)| *at == slot)
        .map(|(_, piece)| piece)
}

/// Masks each run of digits; `None` where there is none.
fn shape_of(text: &str) -> Option<String> {
    if !text.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut shape = String::with_capacity(text.len());
    let mut in_digits = false;
    for character in text.chars() {
        let digit = character.is_ascii_digit();
        if !digit {
            shape.push(character);
        } else if !in_digits {
            shape.push('#');
        }
        in_digits = digit;
    }
    Some(shape)
}

/// Returns the names of the top-level fields that say something.
fn present_fields(arguments: &Piece) -> Vec<String> {
    let Some(Value::Map(fields)) = &arguments.tree else {
        return Vec::new();
    };
    let says = |value: &Value| match value {
        Value::Null => false,
        Value::Str(text) => !text.trim().is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Map(entries) => !entries.is_empty(),
        _ => true,
    };
    let mut names: Vec<_> = fields
        .iter()
        .filter(|(_, value)| says(value))
        .map(|(name, _)| coerce::first_chars(name, PACKET_FIELD_CHARS_MAX).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names.truncate(PACKET_FIELDS_MAX);
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::normalise::content;
    use crate::normalise::json;

    #[test]
    fn runs_of_digits_are_masked() {
        assert_eq!(
            shape_of(r#"{"page":12,"x":1.5}"#).as_deref(),
            Some(r##"{"page":#,"x":#.#}"##)
        );
        assert_eq!(shape_of("none"), None);
    }

    #[test]
    fn the_fields_of_a_packet_end_at_their_limits() {
        let fields = |count: usize, length: usize| {
            let name = |at: usize| format!("{at:0length$}");
            let map = (0..count)
                .map(|at| (name(at), Value::Bool(false)))
                .collect();
            let piece = content::piece(
                Slot::ToolArgs,
                Value::Str(json::text(&Value::Map(map))),
                true,
            );
            present_fields(&piece.unwrap())
        };
        assert_eq!(fields(PACKET_FIELDS_MAX, 3).len(), PACKET_FIELDS_MAX);
        assert_eq!(fields(PACKET_FIELDS_MAX + 1, 3).len(), PACKET_FIELDS_MAX);
        assert_eq!(
            fields(1, PACKET_FIELD_CHARS_MAX)[0].len(),
            PACKET_FIELD_CHARS_MAX
        );
        assert_eq!(
            fields(1, PACKET_FIELD_CHARS_MAX + 1)[0].len(),
            PACKET_FIELD_CHARS_MAX
        );
    }
}
