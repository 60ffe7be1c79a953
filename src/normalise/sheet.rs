//! One pass over the attributes of a span, an event, a log record or a resource.
//!
//! The pass sorts the attributes, looks each name up once, keeps the best value of every field (the lowest rank that is
//! valid), sets content aside and writes everything else as JSON. A sheet is used again and again; what it found points
//! into the attributes it holds, so that texts are moved into rows rather than copied.

use super::coerce;
use super::dialect::{self, Dialect, Rule, Spoken};
use super::field::{Field, Meaning, Place};
use super::json;
use super::readings::{Found, Readings};
use super::slot::Slot;
use super::warnings::Warnings;
use crate::model::limits::ATTRIBUTE_BYTES_MAX;
use crate::model::{Attributes, Usd, Value};

/// What stands in the attributes for a person's id: the id itself is kept as a keyed hash only.
const USER_HIDDEN: &str = "\"[REDACTED:user_id]\"";
/// The same, as a word.
const USER_WORD: &str = "[REDACTED:user_id]";
/// What stands in the attributes for the value of a header.
const HEADER_HIDDEN: &str = "\"[REDACTED:header]\"";

/// Content that was set aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content {
    pub(super) place: Place,
    pub(super) rank: u8,
    /// Where in the attributes it stands.
    pub(super) at: usize,
    /// Bytes of its name before the path; 0 for a whole name.
    pub(super) beginning: usize,
}

/// A part of an evaluation.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// What the evaluation is about.
    pub(super) scope: &'static str,
    /// Where in the attributes it stands.
    pub(super) at: usize,
    /// Bytes of its name before the number.
    pub(super) beginning: usize,
}

/// Groups of names that tell what a span is when nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Family {
    Http = 1,
    Db = 2,
    Rpc = 4,
    Messaging = 8,
    Mcp = 16,
}

/// What the attributes of one thing say.
#[derive(Debug)]
pub(super) struct Sheet {
    attributes: Attributes,
    readings: Readings,
    contents: Vec<Content>,
    parts: Vec<Part>,
    /// Whose names count here.
    known: Spoken,
    spoken: Spoken,
    families: u8,
    /// Coercions and conflicts so far.
    pub(super) warnings: Warnings,
}

impl Default for Sheet {
    fn default() -> Self {
        Self {
            attributes: Attributes::new(),
            readings: Readings::default(),
            contents: Vec::new(),
            parts: Vec::new(),
            known: dialect::known_in(""),
            spoken: Spoken::default(),
            families: 0,
            warnings: Warnings::default(),
        }
    }
}

impl Sheet {
    /// Turns to attributes below another scope.
    pub(super) fn enter(&mut self, scope: &str) {
        self.known = dialect::known_in(scope);
    }

    /// Reads attributes, and writes those that are not content into `out` as a JSON object.
    pub(super) fn read(&mut self, mut attributes: Attributes, out: &mut String) {
        sort(&mut attributes);
        self.attributes = attributes;
        self.readings.clear();
        self.contents.clear();
        self.parts.clear();
        self.spoken = Spoken::default();
        self.families = 0;
        self.warnings.clear();
        out.push('{');
        let start = out.len();
        for at in 0..self.attributes.len() {
            self.read_one(at, out, start);
        }
        out.push('}');
    }

    fn read_one(&mut self, at: usize, out: &mut String, start: usize) {
        let rule = dialect::rule_of(&self.attributes[at].0, self.known);
        if let Some(rule) = rule {
            self.spoken.add(rule.dialect);
            if self.sets_aside(rule, at) {
                return;
            }
        }
        let (name, value) = &mut self.attributes[at];
        if let Value::Str(text) = value
            && coerce::cut(text, ATTRIBUTE_BYTES_MAX)
        {
            self.warnings.add("truncated", name);
        }
        self.families |= family_of(name);
        if let Some(rule) = rule {
            self.readings
                .offer(&self.attributes, at, rule, &mut self.warnings);
        }
        if out.len() > start {
            out.push(',');
        }
        self.write(at, rule.map(|rule| rule.meaning), out);
    }

    /// Notes content and parts of evaluations; returns whether the attribute leaves the row.
    fn sets_aside(&mut self, rule: Rule, at: usize) -> bool {
        let (name, value) = &self.attributes[at];
        let beginning = usize::from(rule.beginning);
        let place = match rule.meaning {
            Meaning::Content(Place::Parameters) if !holds_values(value) => return false,
            Meaning::Content(place) => place,
            Meaning::Evaluation(scope) => {
                self.parts.push(Part {
                    scope,
                    at,
                    beginning,
                });
                return name.ends_with(".explanation");
            }
            _ => return false,
        };
        self.contents.push(Content {
            place,
            rank: rule.rank,
            at,
            beginning,
        });
        true
    }

    fn write(&mut self, at: usize, meaning: Option<Meaning>, out: &mut String) {
        let (name, value) = &self.attributes[at];
        json::write_text(out, name);
        out.push(':');
        match meaning {
            Some(Meaning::Is(Field::UserId, _)) => out.push_str(USER_HIDDEN),
            Some(Meaning::Is(Field::Metadata, _)) if names_user(value) => {
                let hidden = without_user(value).unwrap_or_else(|| USER_HIDDEN.to_owned());
                out.push_str(&hidden);
            }
            Some(Meaning::Headers) => write_header_names(value, out),
            _ => {
                let before = out.len();
                json::write(out, value);
                let long = out.len() - before > ATTRIBUTE_BYTES_MAX;
                if long && !matches!(value, Value::Str(_)) {
                    let mut text = out.split_off(before);
                    coerce::cut(&mut text, ATTRIBUTE_BYTES_MAX);
                    json::write_text(out, &text);
                    self.warnings.add("truncated", name);
                }
            }
        }
    }

    /// Returns whether a field has a value.
    pub(super) fn has(&self, field: Field) -> bool {
        self.readings.get(field).is_some()
    }

    /// Returns a field's text.
    pub(super) fn text(&self, field: Field) -> Option<&str> {
        self.readings.get(field)?.text(&self.attributes)
    }

    /// Moves a field's text out.
    pub(super) fn take_text(&mut self, field: Field) -> Option<String> {
        let reading = self.readings.get_mut(field)?;
        match &mut reading.found {
            Found::Own => match &mut self.attributes[reading.at].1 {
                Value::Str(text) => Some(std::mem::take(text)),
                _ => None,
            },
            Found::Text(text) => Some(std::mem::take(text)),
            Found::Word(word) => Some((*word).to_owned()),
            _ => None,
        }
    }

    /// Returns a field's word.
    pub(super) fn word(&self, field: Field) -> Option<&'static str> {
        match self.readings.get(field)?.found {
            Found::Word(word) => Some(word),
            _ => None,
        }
    }

    /// Returns a field's integer.
    pub(super) fn int(&self, field: Field) -> Option<i64> {
        match self.readings.get(field)?.found {
            Found::Int(number) => Some(number),
            _ => None,
        }
    }

    /// Returns a field's integer in the range of narrower columns.
    pub(super) fn small(&self, field: Field) -> Option<i32> {
        self.int(field)
            .map(|number| i32::try_from(number).unwrap_or(i32::MAX))
    }

    /// Returns a field's number.
    pub(super) fn number(&self, field: Field) -> Option<f64> {
        match self.readings.get(field)?.found {
            Found::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Returns a field's truth value.
    pub(super) fn flag(&self, field: Field) -> Option<bool> {
        match self.readings.get(field)?.found {
            Found::Flag(truth) => Some(truth),
            _ => None,
        }
    }

    /// Returns a field's amount of money.
    pub(super) fn usd(&self, field: Field) -> Option<Usd> {
        match self.readings.get(field)?.found {
            Found::Usd(amount) => Some(amount),
            _ => None,
        }
    }

    /// Moves a field's list out; empty where there is none.
    pub(super) fn take_list(&mut self, field: Field) -> Vec<String> {
        match self
            .readings
            .get_mut(field)
            .map(|reading| &mut reading.found)
        {
            Some(Found::List(list)) => std::mem::take(list),
            _ => Vec::new(),
        }
    }

    /// Returns a field's structure.
    pub(super) fn object(&self, field: Field) -> Option<Attributes> {
        let reading = self.readings.get(field)?;
        match coerce::pyreprish(&self.attributes[reading.at].1)?.into_owned() {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    /// Returns the dialect that a field's value came from.
    pub(super) fn dialect_of(&self, field: Field) -> Option<Dialect> {
        Some(self.readings.get(field)?.dialect)
    }

    /// Returns the content that was set aside, by name.
    pub(super) fn contents(&self) -> &[Content] {
        &self.contents
    }

    /// Returns the parts of evaluations, by name.
    pub(super) fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// Returns the attribute at a position.
    pub(super) fn attribute(&self, at: usize) -> (&str, &Value) {
        let (name, value) = &self.attributes[at];
        (name, value)
    }

    /// Moves an attribute's value out.
    pub(super) fn take_value(&mut self, at: usize) -> Value {
        std::mem::take(&mut self.attributes[at].1)
    }

    /// Returns the dialects spoken.
    pub(super) fn spoken(&self) -> Spoken {
        self.spoken
    }

    /// Returns whether a name of the group is there.
    pub(super) fn has_family(&self, family: Family) -> bool {
        self.families & family as u8 != 0
    }

    /// Returns whether the provider's name was a framework's.
    pub(super) fn names_framework(&self) -> bool {
        self.readings.names_framework()
    }

    /// Returns whether a slot has content of its own.
    pub(super) fn has_content(&self, slot: Slot) -> bool {
        self.contents
            .iter()
            .any(|content| content.place == Place::Slot(slot))
    }
}

/// Sorts attributes by name; of equal names the last one sent remains.
fn sort(attributes: &mut Attributes) {
    // Stable, so that "last" keeps its meaning.
    attributes.sort_by(|a, b| a.0.cmp(&b.0));
    attributes.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(later, kept);
        }
        same
    });
}

/// Returns the group that a name belongs to, as a bit.
fn family_of(name: &str) -> u8 {
    let family = match name.as_bytes().first() {
        Some(b'h') if name.starts_with("http.") => Family::Http,
        Some(b'd') if name.starts_with("db.") => Family::Db,
        Some(b'r') if name.starts_with("rpc.") => Family::Rpc,
        Some(b'm') if name.starts_with("messaging.") => Family::Messaging,
        Some(b'm') if name.starts_with("mcp.") => Family::Mcp,
        _ => return 0,
    };
    family as u8
}

/// Returns whether a tool's parameters are values; its schema is no content.
fn holds_values(value: &Value) -> bool {
    let parsed = match value {
        Value::Str(text) => coerce::jsonish(text),
        other => Some(other.clone()),
    };
    let Some(Value::Map(entries)) = parsed else {
        // Cut or odd: rather taken for content than shown where content is not looked for.
        return !matches!(value, Value::Null);
    };
    let schema = |(key, value): &(String, Value)| match value {
        Value::Map(inner) => inner.iter().any(|(key, _)| key == "type" || key == "anyOf"),
        Value::Str(kind) => key == "type" && kind == "object",
        _ => false,
    };
    !entries.is_empty()
        && !entries
            .iter()
            .any(|entry| entry.0 == "properties" || schema(entry))
}

/// Returns whether metadata in a JSON text speaks of a user's id.
fn names_user(value: &Value) -> bool {
    let text = value.as_str().unwrap_or("");
    memchr::memmem::find(text.as_bytes(), b"\"user_id\"").is_some()
}

/// Returns metadata as a JSON text in which the user's id is hidden; `None` where it cannot be read.
fn without_user(value: &Value) -> Option<String> {
    let Value::Map(mut entries) = coerce::jsonish(value.as_str()?)? else {
        return None;
    };
    for (key, value) in &mut entries {
        if key == "user_id" {
            *value = Value::Str(USER_WORD.to_owned());
        }
    }
    let mut hidden = String::new();
    json::write_text(&mut hidden, &json::text(&Value::Map(entries)));
    Some(hidden)
}

/// Writes a request's headers: their names stay.
fn write_header_names(value: &Value, out: &mut String) {
    let parsed = match value {
        Value::Map(entries) => Some(entries.clone()),
        Value::Str(text) => match coerce::jsonish(text) {
            Some(Value::Map(entries)) => Some(entries),
            _ => None,
        },
        _ => None,
    };
    let Some(mut entries) = parsed else {
        out.push_str(HEADER_HIDDEN);
        return;
    };
    sort(&mut entries);
    out.push('{');
    for (position, (name, _)) in entries.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        json::write_text(out, name);
        out.push(':');
        out.push_str(HEADER_HIDDEN);
    }
    out.push('}');
}
