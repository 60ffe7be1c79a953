//! What was said: prompts, answers, arguments and results, taken out of the attributes and put into slots.
//!
//! Several names often carry the same content; of those, one is kept (semconv.md §4.9). What converts to canonical
//! messages is converted, JSON stays JSON, everything else is text. Structures are kept beside the text where hashes
//! are to be made of them; nothing truncated is ever hashed.

use std::borrow::Cow;

use super::class::{Class, Kind};
use super::coerce;
use super::field::Place;
use super::flat;
use super::json;
use super::messages;
use super::sheet::Sheet;
use super::slot::Slot;
use crate::model::limits::CONTENT_BYTES_MAX;
use crate::model::{Attributes, ContentRow, Value};

/// A JSON text that ends in the middle was cut by the sender when it is at least this long.
const CUT_BYTES_MIN: usize = 1024;

/// One piece of content.
#[derive(Debug, Default)]
pub(super) struct Piece {
    /// JSON or text.
    pub(super) body: String,
    /// `otel_parts`, `json`, `text`.
    pub(super) format: &'static str,
    /// Bytes as sent.
    pub(super) bytes_in: usize,
    /// Cut by the sender or by us.
    pub(super) truncated: bool,
    /// The structure in the body, where it was asked for.
    pub(super) tree: Option<Value>,
}

impl Piece {
    /// Returns the form in which equal content is equal; `None` for what is not whole.
    pub(super) fn canonical(&self) -> Option<Cow<'_, str>> {
        match &self.tree {
            _ if self.truncated => None,
            Some(tree) => Some(Cow::Owned(json::text(tree))),
            None => Some(Cow::Borrowed(&self.body)),
        }
    }
}

/// Takes all content out of a sheet; `keep_tree` says of which slots the structure is needed.
pub(super) fn take(
    sheet: &mut Sheet,
    class: Option<Class>,
    keep_tree: impl Fn(Slot) -> bool,
    out: &mut Vec<(Slot, Piece)>,
) {
    let mut candidates = candidates(sheet, class);
    candidates.sort_by_key(|candidate| (candidate.slot, candidate.rank, candidate.first));
    let mut filled = None;
    for candidate in candidates {
        if filled == Some(candidate.slot) && !candidate.slot.collects() {
            continue;
        }
        let (slot, before) = (candidate.slot, out.len());
        candidate.take(sheet, keep_tree(slot), out);
        if out.len() > before {
            filled = Some(slot);
        }
    }
}

/// One name, or a group of flattened names, that has content for a slot.
struct Candidate {
    slot: Slot,
    rank: u8,
    /// Positions among the sheet's contents.
    first: usize,
    last: usize,
}

fn candidates(sheet: &Sheet, class: Option<Class>) -> Vec<Candidate> {
    let contents = sheet.contents();
    let mut candidates: Vec<Candidate> = Vec::new();
    for (at, content) in contents.iter().enumerate() {
        // Names are in order: those of one group are neighbours.
        if let Some(open) = candidates.last_mut() {
            let group = contents[open.first];
            if content.beginning > 0
                && group.beginning == content.beginning
                && group.place == content.place
                && group.rank == content.rank
            {
                open.last = at;
                continue;
            }
        }
        let slot = slot_of(content.place, class, sheet);
        candidates.push(Candidate {
            slot,
            rank: content.rank,
            first: at,
            last: at,
        });
    }
    candidates
}

/// Returns the slot of a place on a span of this class.
fn slot_of(place: Place, class: Option<Class>, sheet: &Sheet) -> Slot {
    let kind = class.map(|class| class.kind);
    let call = matches!(kind, Some(Kind::Llm | Kind::Embedding));
    match place {
        Place::Slot(slot) => slot,
        Place::Parameters => Slot::ToolArgs,
        Place::Input => match kind {
            Some(Kind::Tool) => Slot::ToolArgs,
            Some(Kind::Retrieval) => Slot::RetrievalQuery,
            // On a model call both say the same; elsewhere they are two things.
            _ if !call && sheet.has_content(Slot::InputMessages) => Slot::RawInput,
            _ => Slot::InputMessages,
        },
        Place::Output => match kind {
            Some(Kind::Tool) => Slot::ToolResult,
            _ if !call && sheet.has_content(Slot::OutputMessages) => Slot::RawOutput,
            _ => Slot::OutputMessages,
        },
    }
}

impl Candidate {
    fn take(self, sheet: &mut Sheet, keep_tree: bool, out: &mut Vec<(Slot, Piece)>) {
        let first = sheet.contents()[self.first];
        let beginning = first.beginning;
        if beginning == 0 {
            let value = sheet.take_value(first.at);
            out.extend(piece(self.slot, value, keep_tree).map(|piece| (self.slot, piece)));
            return;
        }
        let contents = sheet.contents()[self.first..=self.last].to_vec();
        let entries: Vec<_> = contents
            .iter()
            .map(|content| {
                let name = sheet.attribute(content.at).0.to_owned();
                (name, sheet.take_value(content.at))
            })
            .collect();
        if self.slot == Slot::PromptVariables {
            let variables = entries
                .into_iter()
                .map(|(name, value)| (name[beginning..].to_owned(), value));
            let variables = Value::Map(variables.collect());
            out.extend(piece(self.slot, variables, keep_tree).map(|piece| (self.slot, piece)));
            return;
        }
        let rebuilt = flat::rebuild(entries.into_iter(), beginning);
        let whole = rebuilt
            .value
            .and_then(|value| piece(self.slot, unwrapped(self.slot, value), keep_tree));
        out.extend(whole.map(|piece| (self.slot, piece)));
        if !rebuilt.rest.is_empty() {
            out.push((self.slot, leftover(rebuilt.rest)));
        }
    }
}

/// Takes away the steps that flattened names have and structures need not: `tool.json_schema`, `document`.
fn unwrapped(slot: Slot, value: Value) -> Value {
    let (wrapper, inner) = match slot {
        Slot::ToolDefinitions => ("tool", Some("json_schema")),
        Slot::Documents => ("document", None),
        _ => return value,
    };
    let Value::Array(items) = value else {
        return value;
    };
    let unwrap = |item: Value| match item {
        Value::Map(mut fields) if fields.len() == 1 => match messages::take(&mut fields, wrapper) {
            Some(Value::Map(mut fields)) if fields.len() == 1 => {
                let value = inner.and_then(|inner| messages::take(&mut fields, inner));
                value.map_or(Value::Map(fields), parsed)
            }
            Some(other) => other,
            None => Value::Map(fields),
        },
        other => other,
    };
    Value::Array(items.into_iter().map(unwrap).collect())
}

fn parsed(value: Value) -> Value {
    match value {
        Value::Str(text) => coerce::jsonish(&text).unwrap_or(Value::Str(text)),
        other => other,
    }
}

/// Names that did not fit into a structure, as text.
fn leftover(rest: Attributes) -> Piece {
    text_piece(json::text(&Value::Map(rest)), false)
}

/// Makes a piece of a value; `None` where it says nothing.
pub(super) fn piece(slot: Slot, value: Value, keep_tree: bool) -> Option<Piece> {
    match value {
        Value::Null => None,
        Value::Str(text) if is_absent(&text) => None,
        Value::Str(text) => Some(piece_of_text(slot, text, keep_tree)),
        Value::Array(_) | Value::Map(_) => Some(piece_of_tree(slot, value, keep_tree)),
        scalar => Some(text_piece(json::text(&scalar), false)),
    }
}

/// Senders say in words that they leave content out.
fn is_absent(text: &str) -> bool {
    let text = text.trim_ascii();
    text.is_empty() || matches!(text.trim_matches('"'), "<REDACTED>" | "__REDACTED__")
}

fn piece_of_text(slot: Slot, text: String, keep_tree: bool) -> Piece {
    if text.len() > CONTENT_BYTES_MAX || !coerce::looks_like_json(&text) {
        return text_piece(text, false);
    }
    let canonical = slot.holds_messages() && messages::is_canonical(&text);
    if canonical && !keep_tree {
        return Piece {
            bytes_in: text.len(),
            body: text,
            format: "otel_parts",
            ..Piece::default()
        };
    }
    let Some(tree) = coerce::jsonish(&text) else {
        let cut = text.len() >= CUT_BYTES_MIN && !text.trim_ascii_end().ends_with(['}', ']']);
        return text_piece(text, cut);
    };
    match tree {
        // A quoted text, or a JSON text that was wrapped twice.
        Value::Str(inner) => text_piece(inner, false),
        tree if canonical => Piece {
            bytes_in: text.len(),
            body: text,
            format: "otel_parts",
            truncated: false,
            tree: Some(tree),
        },
        tree => piece_of_parsed(slot, text, tree, keep_tree),
    }
}

fn piece_of_parsed(slot: Slot, text: String, tree: Value, keep_tree: bool) -> Piece {
    let bytes_in = text.len();
    let (tree, format) = converted(slot, tree);
    let body = match format {
        // As sent, when it was sent as JSON and not inside of one more text.
        "json" if !text.trim_ascii_start().starts_with('"') => text,
        _ => json::text(&tree),
    };
    let mut piece = Piece {
        body,
        format,
        bytes_in,
        truncated: false,
        tree: None,
    };
    piece.hold_to_limit();
    piece.tree = (keep_tree && !piece.truncated).then_some(tree);
    piece
}

fn piece_of_tree(slot: Slot, tree: Value, keep_tree: bool) -> Piece {
    let (tree, format) = converted(slot, tree);
    let body = json::text(&tree);
    let mut piece = Piece {
        bytes_in: body.len(),
        body,
        format,
        truncated: false,
        tree: None,
    };
    piece.hold_to_limit();
    piece.tree = (keep_tree && !piece.truncated).then_some(tree);
    piece
}

/// Brings messages and instructions into canonical form.
fn converted(slot: Slot, tree: Value) -> (Value, &'static str) {
    let canonical = match slot {
        Slot::InputMessages | Slot::OutputMessages => messages::messages(tree),
        Slot::SystemInstructions => messages::instructions(tree),
        _ => Err(tree),
    };
    match canonical {
        Ok(tree) => (tree, "otel_parts"),
        Err(tree) => (tree, "json"),
    }
}

/// Makes a piece of text.
pub(super) fn text_piece(body: String, truncated: bool) -> Piece {
    let mut piece = Piece {
        bytes_in: body.len(),
        body,
        format: "text",
        truncated,
        tree: None,
    };
    piece.hold_to_limit();
    piece
}

impl Piece {
    /// Begins the row of this piece; whose it is and where it belongs is the caller's to say.
    pub(super) fn into_row(self) -> ContentRow {
        ContentRow {
            body: self.body,
            format: self.format,
            bytes_in: i64::try_from(self.bytes_in).unwrap_or(i64::MAX),
            truncated: self.truncated,
            ..ContentRow::default()
        }
    }

    fn hold_to_limit(&mut self) {
        if coerce::cut(&mut self.body, CONTENT_BYTES_MAX) {
            self.truncated = true;
            self.format = "text";
        }
    }
}

#[cfg(test)]
mod tests;
