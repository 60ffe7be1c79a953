//! The best value of each field: read, checked, and compared with what was found before.
//!
//! The lowest rank wins, in whichever order values come; two dialects that disagree leave a note.

use super::coerce;
use super::dialect::{Dialect, Rule, WEAK};
use super::field::{Field, Meaning, Read};
use super::provider::{self, Named};
use super::warnings::Warnings;
use crate::model::{Usd, Value};

/// Items kept of a list in a column.
const LIST_ITEMS_MAX: usize = 64;
/// Bytes kept of one of them.
const LIST_ITEM_BYTES_MAX: usize = 1024;

/// A value that was found for a field.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Found {
    /// The text of the attribute itself.
    Own,
    /// A text made from it.
    Text(String),
    /// A word of ours.
    Word(&'static str),
    /// An integer.
    Int(i64),
    /// A number.
    Number(f64),
    /// A truth value.
    Flag(bool),
    /// Money.
    Usd(Usd),
    /// Texts.
    List(Vec<String>),
    /// A structure, read when somebody asks.
    Object,
}

/// Why a value says nothing about a field.
enum Unread {
    /// It is empty, or absence by another name.
    Absent,
    /// It is not what it should be; the row says so.
    Invalid,
}

/// A field's value so far.
#[derive(Clone, Debug)]
pub(super) struct Reading {
    rank: u8,
    /// Who says so.
    pub(super) dialect: Dialect,
    /// Where in the attributes it stands.
    pub(super) at: usize,
    /// What it says.
    pub(super) found: Found,
}

impl Reading {
    /// Returns the value as text.
    pub(super) fn text<'a>(&'a self, attributes: &'a [(String, Value)]) -> Option<&'a str> {
        match &self.found {
            Found::Own => attributes[self.at].1.as_str(),
            Found::Text(text) => Some(text),
            Found::Word(word) => Some(word),
            _ => None,
        }
    }
}

/// The best value of each field so far.
#[derive(Debug)]
pub(super) struct Readings {
    found: Vec<Reading>,
    /// Field to position in `found`, plus one.
    positions: [u8; Field::COUNT],
    framework: bool,
}

impl Default for Readings {
    fn default() -> Self {
        Self {
            found: Vec::new(),
            positions: [0; Field::COUNT],
            framework: false,
        }
    }
}

impl Readings {
    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.found.clear();
        self.positions = [0; Field::COUNT];
        self.framework = false;
    }

    /// Returns a field's value.
    pub(super) fn get(&self, field: Field) -> Option<&Reading> {
        self.found
            .get(usize::from(self.positions[field as usize]).checked_sub(1)?)
    }

    /// Returns a field's value.
    pub(super) fn get_mut(&mut self, field: Field) -> Option<&mut Reading> {
        self.found
            .get_mut(usize::from(self.positions[field as usize]).checked_sub(1)?)
    }

    /// Returns whether a framework was named where the provider should be.
    pub(super) fn names_framework(&self) -> bool {
        self.framework
    }

    /// Reads the attribute at a position, and keeps its value where it is the best of its field.
    pub(super) fn offer(
        &mut self,
        attributes: &[(String, Value)],
        at: usize,
        rule: Rule,
        warnings: &mut Warnings,
    ) {
        let Meaning::Is(field, read) = rule.meaning else {
            return;
        };
        let found = match self.find(read, &attributes[at].1) {
            Ok(found) => found,
            Err(Unread::Absent) => return,
            Err(Unread::Invalid) => return warnings.add("invalid", field.column()),
        };
        let offered = Reading {
            rank: rule.rank,
            dialect: rule.dialect,
            at,
            found,
        };
        let Some(known) = self.get_mut(field) else {
            self.found.push(offered);
            // There are fewer fields than a byte can count: `Field` is one byte wide.
            self.positions[field as usize] = u8::try_from(self.found.len()).unwrap_or(u8::MAX);
            return;
        };
        if disagree(known, &offered, attributes) {
            warnings.add("conflict", field.column());
        }
        if offered.rank < known.rank {
            *known = offered;
        }
    }

    fn find(&mut self, read: Read, value: &Value) -> Result<Found, Unread> {
        match value {
            Value::Null => return Err(Unread::Absent),
            Value::Str(text) if text.trim_ascii().is_empty() => return Err(Unread::Absent),
            _ => {}
        }
        if let Read::Provider = read {
            let Value::Str(text) = value else {
                return Err(Unread::Invalid);
            };
            return match provider::named(text) {
                Named::Known(name) => Ok(Found::Word(name)),
                Named::Unknown => Ok(Found::Own),
                Named::Framework => {
                    self.framework = true;
                    Err(Unread::Absent)
                }
            };
        }
        find(read, value)
    }
}

/// Two dialects that mean the same field differ, and neither is a last resort or a name that every program has.
fn disagree(a: &Reading, b: &Reading, attributes: &[(String, Value)]) -> bool {
    let counts = |reading: &Reading| reading.rank < WEAK && reading.dialect != Dialect::General;
    if a.dialect == b.dialect || !counts(a) || !counts(b) {
        return false;
    }
    match (a.text(attributes), b.text(attributes)) {
        (Some(a), Some(b)) => a != b,
        _ => a.found != b.found,
    }
}

fn find(read: Read, value: &Value) -> Result<Found, Unread> {
    let found = match read {
        Read::Text | Read::Provider => return text(value),
        Read::LowerText => match value {
            Value::Str(text) if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Some(Found::Text(text.to_ascii_lowercase()))
            }
            other => return text(other),
        },
        Read::Model | Read::Tier => {
            let empty = if matches!(read, Read::Model) {
                "unknown"
            } else {
                "auto"
            };
            match value.as_str() {
                Some(word) if word.trim_ascii().eq_ignore_ascii_case(empty) => {
                    return Err(Unread::Absent);
                }
                _ => return text(value),
            }
        }
        Read::Tokens => coerce::tok(value).map(Found::Int),
        Read::Count => coerce::whole(value)
            .filter(|number| *number >= 0)
            .map(Found::Int),
        Read::Seconds => coerce::nanos(value, 1_000_000_000).map(Found::Int),
        Read::Millis => coerce::nanos(value, 1_000_000).map(Found::Int),
        Read::Number => coerce::number(value).map(Found::Number),
        Read::Flag => coerce::boolish(value).map(Found::Flag),
        Read::Money => money(value).filter(|amount| amount.0 >= 0).map(Found::Usd),
        Read::List => match coerce::listish(value) {
            list if list.is_empty() => return Err(Unread::Absent),
            list => Some(Found::List(bounded(list))),
        },
        Read::Word(words) => word(value, words).map(Found::Word),
        Read::HttpError => match coerce::whole(value) {
            Some(status) if status >= 400 => Some(Found::Text(status.to_string())),
            _ => return Err(Unread::Absent),
        },
        Read::RpcError => match coerce::scalar(value) {
            Some(status) if status != "0" && !status.eq_ignore_ascii_case("ok") => {
                Some(Found::Text(status))
            }
            _ => return Err(Unread::Absent),
        },
        Read::Object => match value {
            Value::Str(_) | Value::Map(_) => Some(Found::Object),
            _ => return Err(Unread::Absent),
        },
    };
    found.ok_or(Unread::Invalid)
}

/// A column's list is short; all of it stays in the attributes.
fn bounded(mut list: Vec<String>) -> Vec<String> {
    list.truncate(LIST_ITEMS_MAX);
    for item in &mut list {
        coerce::cut(item, LIST_ITEM_BYTES_MAX);
    }
    list
}

fn text(value: &Value) -> Result<Found, Unread> {
    match value {
        Value::Str(_) => Ok(Found::Own),
        other => coerce::scalar(other)
            .map(Found::Text)
            .ok_or(Unread::Invalid),
    }
}

fn money(value: &Value) -> Option<Usd> {
    match value {
        Value::Int(dollars) => Usd::parse(&dollars.to_string()),
        Value::Double(dollars) => Usd::from_f64(*dollars),
        Value::Str(dollars) => Usd::parse(dollars),
        _ => None,
    }
}

fn word(value: &Value, words: &'static [&'static str]) -> Option<&'static str> {
    let said = value.as_str()?.trim_ascii();
    words
        .iter()
        .copied()
        .find(|word| said.eq_ignore_ascii_case(word))
}
