//! Values as JSON, without loss and always in the same form: keys sorted, nothing between tokens.
//!
//! Integers stay integers and floating point numbers always show a point or an exponent; what JSON cannot say is marked
//! (`{"$f":"NaN"}`, `{"$b":"base64"}`). A sender's own map that looks like a mark gets one more `$`, so that no two
//! values have the same text: it can be read back exactly, and it is what is hashed.
//! The parser takes what senders write: JSON, or Python's `repr` of the same.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::Value;

/// How deep a text may nest before it is left as text.
const DEPTH_MAX: usize = 64;

/// Writes a value.
pub(super) fn write(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(number) => write_int(out, *number),
        Value::Double(number) => write_double(out, *number),
        Value::Str(text) => write_text(out, text),
        Value::Bytes(bytes) => {
            out.push_str("{\"$b\":\"");
            STANDARD.encode_string(bytes, out);
            out.push_str("\"}");
        }
        Value::Array(items) => {
            out.push('[');
            for (position, item) in items.iter().enumerate() {
                if position > 0 {
                    out.push(',');
                }
                write(out, item);
            }
            out.push(']');
        }
        Value::Map(entries) => write_map(out, entries),
    }
}

/// Returns a value as text.
pub(super) fn text(value: &Value) -> String {
    let mut out = String::with_capacity(128);
    write(&mut out, value);
    out
}

/// Writes an integer.
pub(super) fn write_int(out: &mut String, number: i64) {
    // Writing into a String cannot fail.
    write!(out, "{number}").unwrap_or_default();
}

fn write_double(out: &mut String, number: f64) {
    if number.is_finite() {
        // The shortest text that reads back as the same number, with a point or an exponent.
        write!(out, "{number:?}").unwrap_or_default();
    } else if number.is_nan() {
        out.push_str("{\"$f\":\"NaN\"}");
    } else if number > 0.0 {
        out.push_str("{\"$f\":\"Inf\"}");
    } else {
        out.push_str("{\"$f\":\"-Inf\"}");
    }
}

/// Writes names and values as an object that is never taken for a mark.
pub(super) fn write_object(out: &mut String, entries: &[(String, Value)]) {
    write_map(out, entries);
}

fn write_map(out: &mut String, entries: &[(String, Value)]) {
    out.push('{');
    if entries.windows(2).all(|pair| pair[0].0 < pair[1].0) {
        let mark = matches!(entries, [(key, Value::Str(_))] if looks_like_a_mark(key));
        write_entries(out, mark, entries.iter());
    } else {
        let mut sorted: Vec<_> = entries.iter().collect();
        // Stable: of equal names the last one sent stays last, and it is the one that counts.
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        let counts = |at: usize| sorted.get(at + 1).is_none_or(|next| next.0 != sorted[at].0);
        let kept = (0..sorted.len())
            .filter(|at| counts(*at))
            .map(|at| sorted[at]);
        let mark = matches!(kept.clone().collect::<Vec<_>>()[..], [(key, Value::Str(_))] if looks_like_a_mark(key));
        write_entries(out, mark, kept);
    }
    out.push('}');
}

fn write_entries<'a>(
    out: &mut String,
    mark: bool,
    entries: impl Iterator<Item = &'a (String, Value)>,
) {
    for (position, (key, value)) in entries.enumerate() {
        if position > 0 {
            out.push(',');
        }
        if mark {
            out.push_str("\"$");
            out.push_str(key);
            out.push('"');
        } else {
            write_text(out, key);
        }
        out.push(':');
        write(out, value);
    }
}

/// Whether a key is `$f` or `$b`, or one of those already pushed back by more `$`.
fn looks_like_a_mark(key: &str) -> bool {
    key.strip_prefix('$')
        .is_some_and(|rest| matches!(rest.trim_start_matches('$'), "f" | "b"))
}

/// Writes a text in quotes.
pub(super) fn write_text(out: &mut String, text: &str) {
    out.reserve(text.len() + 2);
    out.push('"');
    let mut rest = text;
    loop {
        let plain = plain_length(rest.as_bytes());
        out.push_str(&rest[..plain]);
        let Some(byte) = rest.as_bytes().get(plain) else {
            break;
        };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            other => write!(out, "\\u{other:04x}").unwrap_or_default(),
        }
        rest = &rest[plain + 1..];
    }
    out.push('"');
}

/// Returns how many bytes from the start need no escape.
fn plain_length(bytes: &[u8]) -> usize {
    const STEP: usize = 16;
    let escaped = |byte: &u8| (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\');
    // Whole steps without a branch a byte: the compiler turns this into vector instructions.
    let clean = bytes
        .chunks_exact(STEP)
        .take_while(|step| !step.iter().fold(false, |found, byte| found | escaped(byte)))
        .count();
    let start = clean * STEP;
    start
        + bytes[start..]
            .iter()
            .position(escaped)
            .unwrap_or(bytes.len() - start)
}

/// Reads a sender's JSON; `None` where it is none, nests too deep or holds an integer that has no exact value here.
pub(super) fn parse(text: &str) -> Option<Value> {
    Parser::new(text, Syntax::Json).document()
}

/// Reads Python's `repr` of plain values, or JSON.
pub(super) fn parse_python(text: &str) -> Option<Value> {
    Parser::new(text, Syntax::Python).document()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Syntax {
    Json,
    Python,
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
    syntax: Syntax,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str, syntax: Syntax) -> Self {
        Self {
            text,
            at: 0,
            depth: 0,
            syntax,
        }
    }

    fn document(mut self) -> Option<Value> {
        let value = self.value()?;
        self.skip_space();
        (self.at == self.text.len()).then_some(value)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte` where it is the next one after spaces.
    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn value(&mut self) -> Option<Value> {
        self.skip_space();
        match self.peek()? {
            b'{' => self.nested(Self::map),
            b'[' => self.nested(|parser| parser.array(b']')),
            b'(' if self.syntax == Syntax::Python => self.nested(|parser| parser.array(b')')),
            b'"' => self.string(b'"').map(Value::Str),
            b'\'' if self.syntax == Syntax::Python => self.string(b'\'').map(Value::Str),
            b'-' | b'0'..=b'9' => self.number(),
            _ => self.word(),
        }
    }

    fn nested(&mut self, read: impl FnOnce(&mut Self) -> Option<Value>) -> Option<Value> {
        self.depth += 1;
        self.at += 1;
        let value = if self.depth > DEPTH_MAX {
            None
        } else {
            read(self)
        };
        self.depth -= 1;
        value
    }

    fn array(&mut self, end: u8) -> Option<Value> {
        let mut items = Vec::new();
        if self.take(end) {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value()?);
            if self.take(end) {
                return Some(Value::Array(items));
            }
            if !self.take(b',') {
                return None;
            }
            if self.syntax == Syntax::Python && self.take(end) {
                return Some(Value::Array(items));
            }
        }
    }

    fn map(&mut self) -> Option<Value> {
        let mut entries = Vec::new();
        if self.take(b'}') {
            return Some(Value::Map(entries));
        }
        loop {
            self.skip_space();
            let quote = match self.peek()? {
                b'"' => b'"',
                b'\'' if self.syntax == Syntax::Python => b'\'',
                _ => return None,
            };
            let key = self.string(quote)?;
            if !self.take(b':') {
                return None;
            }
            entries.push((key, self.value()?));
            if self.take(b'}') {
                return Some(Value::Map(entries));
            }
            if !self.take(b',') {
                return None;
            }
        }
    }

    fn string(&mut self, quote: u8) -> Option<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = memchr::memchr2(quote, b'\\', rest.as_bytes())?;
            out.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest.as_bytes()[plain] == quote {
                return Some(out);
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Option<char> {
        let byte = self.peek()?;
        self.at += 1;
        Some(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'\'' if self.syntax == Syntax::Python => '\'',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => self.unicode()?,
            b'x' if self.syntax == Syntax::Python => char::from_u32(self.hex(2)?)?,
            _ => return None,
        })
    }

    fn unicode(&mut self) -> Option<char> {
        let first = self.hex(4)?;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first);
        }
        // Half a pair is no character; Python writes such when it cut a text.
        let second = if self.text[self.at..].starts_with("\\u") {
            let before = self.at;
            self.at += 2;
            let second = self.hex(4)?;
            if !(0xDC00..0xE000).contains(&second) || first >= 0xDC00 {
                self.at = before;
                return Some('\u{FFFD}');
            }
            second
        } else {
            return Some('\u{FFFD}');
        };
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn hex(&mut self, digits: usize) -> Option<u32> {
        let text = self.text.get(self.at..self.at + digits)?;
        self.at += digits;
        text.bytes()
            .all(|byte| byte.is_ascii_hexdigit())
            .then_some(())?;
        u32::from_str_radix(text, 16).ok()
    }

    fn number(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        if rest.starts_with("-Infinity") {
            self.at += "-Infinity".len();
            return Some(Value::Double(f64::NEG_INFINITY));
        }
        let length = rest
            .bytes()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        let text = &rest[..length];
        self.at += length;
        let digits = text.strip_prefix('-').unwrap_or(text);
        if !digits.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        if digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let padded = digits.len() > 1 && digits.starts_with('0');
            return if padded {
                None
            } else {
                text.parse().ok().map(Value::Int)
            };
        }
        text.parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .map(Value::Double)
    }

    fn word(&mut self) -> Option<Value> {
        const WORDS: [(&str, bool, Value); 8] = [
            ("null", false, Value::Null),
            ("true", false, Value::Bool(true)),
            ("false", false, Value::Bool(false)),
            ("NaN", false, Value::Double(f64::NAN)),
            ("Infinity", false, Value::Double(f64::INFINITY)),
            ("None", true, Value::Null),
            ("True", true, Value::Bool(true)),
            ("False", true, Value::Bool(false)),
        ];
        let rest = &self.text[self.at..];
        let (word, _, value) = WORDS.into_iter().find(|(word, python, _)| {
            rest.starts_with(word) && (!python || self.syntax == Syntax::Python)
        })?;
        self.at += word.len();
        Some(value)
    }
}

#[cfg(test)]
mod tests;
