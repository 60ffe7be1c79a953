//! JSON, read as it stands and changed in place: strings and numbers are replaced, everything else is copied.
//!
//! What a value is may be said by its key (see `keys.rs`), by a header map above it, or by the value itself. A string that
//! is JSON again is read like any other, a few levels deep. A document that breaks off is read as far as it goes.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::class::{Class, Counts};
use super::engine::Rules;
use super::keys::{Key, is_placeholder};
use crate::model::Privacy;

/// How deep JSON in strings of JSON is read.
const LEVELS_MAX: usize = 8;
/// How deep one document may be.
const DEPTH_MAX: usize = 1024;

/// What became of a document.
pub(super) enum Outcome {
    /// There is nothing in it to take out.
    Same,
    /// It is clean now.
    Changed(String),
    /// It is none.
    NotJson,
}

/// Returns whether a text may be JSON, by its first character.
pub(super) fn may_be(text: &[u8]) -> bool {
    matches!(text.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'))
}

/// Rewrites a document.
pub(super) fn rewrite(rules: &Rules, text: &str, counts: &mut Counts) -> Outcome {
    rewrite_level(rules, text, counts, Under::default(), 0)
}

/// What is known of a value by where it stands.
#[derive(Clone, Copy, Default)]
struct Under {
    key: Option<&'static Key>,
    /// In a header map, whose values all go.
    headers: bool,
    /// Bytes, as base64: what our own documents say of them under [`BYTES`].
    bytes: bool,
}

/// The name under which a document of ours has bytes (semconv.md §3.5).
const BYTES: &str = "$b";

fn rewrite_level(
    rules: &Rules,
    text: &str,
    counts: &mut Counts,
    under: Under,
    level: usize,
) -> Outcome {
    let mut found = Counts::default();
    let mut walk = Walk {
        rules,
        text,
        counts: &mut found,
        level,
        at: 0,
        copied: 0,
        out: String::new(),
        open: Vec::new(),
    };
    let end = walk.document(under);
    if end == End::Broken {
        return Outcome::NotJson;
    }
    let Walk {
        copied, mut out, ..
    } = walk;
    counts.merge(&found);
    if copied == 0 {
        return Outcome::Same;
    }
    out.push_str(&text[copied..]);
    Outcome::Changed(out)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    /// At the end of the text, between two values or within one.
    Reached,
    /// At something that is not JSON.
    Broken,
}

/// An object or array that is not closed yet.
struct Open {
    is_object: bool,
    /// What its values stand under; in an object, without their keys.
    under: Under,
    /// In an object: what its `name` says about its `value`.
    named: Option<&'static Key>,
}

struct Walk<'a> {
    rules: &'a Rules,
    text: &'a str,
    counts: &'a mut Counts,
    level: usize,
    at: usize,
    /// How much of the text is in `out`, changed or not.
    copied: usize,
    out: String,
    open: Vec<Open>,
}

impl<'a> Walk<'a> {
    fn peek(&mut self) -> Option<u8> {
        let rest = &self.text.as_bytes()[self.at..];
        let blank = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.at += blank;
        rest.get(blank).copied()
    }

    /// Reads values until the text ends: one, or one after the other as in a file of JSON lines.
    fn document(&mut self, under: Under) -> End {
        let mut is_first = true;
        loop {
            match self.peek() {
                None if is_first => return End::Broken,
                None => return End::Reached,
                Some(_) if is_first => {}
                Some(b'{' | b'[') => {}
                Some(_) => return End::Broken,
            }
            is_first = false;
            match self.value(under) {
                Some(true) => {}
                Some(false) => return End::Broken,
                None => return End::Reached,
            }
        }
    }

    /// Reads a value with all that is in it. `None`: the text ended within; `false`: it is not JSON.
    fn value(&mut self, under: Under) -> Option<bool> {
        let mut under = under;
        loop {
            let is_empty = match self.peek()? {
                sign @ (b'{' | b'[') => {
                    self.enter(sign == b'{', under);
                    true
                }
                _ if self.scalar(under)? => false,
                _ => return Some(false),
            };
            if self.open.len() > DEPTH_MAX {
                return Some(false);
            }
            match self.next_value(is_empty)? {
                Next::Value(next) => under = next,
                Next::Done => return Some(true),
                Next::Broken => return Some(false),
            }
        }
    }

    fn enter(&mut self, is_object: bool, under: Under) {
        self.at += 1;
        // An object under a key is a thing of its own; an array is several values of the key.
        let under = if is_object {
            Under { key: None, ..under }
        } else {
            under
        };
        self.open.push(Open {
            is_object,
            under,
            named: None,
        });
    }

    /// Goes on to where the next value starts, and closes what is complete.
    fn next_value(&mut self, mut is_empty: bool) -> Option<Next> {
        loop {
            let Some(is_object) = self.open.last().map(|open| open.is_object) else {
                return Some(Next::Done);
            };
            let sign = self.peek()?;
            if sign == if is_object { b'}' } else { b']' } {
                self.at += 1;
                self.open.pop();
                is_empty = false;
                continue;
            }
            if !is_empty {
                if sign != b',' {
                    return Some(Next::Broken);
                }
                self.at += 1;
                self.peek()?;
            }
            return if is_object {
                self.key()
            } else {
                self.open.last().map(|open| Next::Value(open.under))
            };
        }
    }

    fn key(&mut self) -> Option<Next> {
        if self.peek()? != b'"' {
            return Some(Next::Broken);
        }
        let start = self.at;
        let Some(raw) = self.string() else {
            self.scalar(Under::default())?;
            return None;
        };
        let end = self.at;
        let name = unescape(raw);
        if let Some(clean) = self.rules.rewrite_plain(&name, self.counts) {
            self.replace(start, end, &quote(&clean, raw));
        }
        if self.peek()? != b':' {
            return Some(Next::Broken);
        }
        self.at += 1;
        self.peek()?;
        if matches!(&*name, "name" | "key") {
            self.remember_name();
        }
        let open = self.open.last()?;
        let named = open
            .named
            .filter(|_| matches!(&*name, "value" | "stringValue"));
        // Alone, `headers` must be a map: a table has headers too.
        let headers = is_header_name(&name) && (name.contains('.') || self.is_map_ahead());
        let under = Under {
            key: Key::of(&name).or(named),
            headers: headers || open.under.headers,
            bytes: name == BYTES,
        };
        Some(Next::Value(under))
    }

    /// Looks at the string that follows a key `name`: what the `value` beside it is may be said there.
    fn remember_name(&mut self) {
        let at = self.at;
        if self.peek() == Some(b'"')
            && let Some(raw) = self.string()
            && let Some(open) = self.open.last_mut()
        {
            open.named = Key::of(&unescape(raw));
        }
        self.at = at;
    }

    fn is_map_ahead(&self) -> bool {
        let rest = &self.text[self.at..];
        rest.starts_with('{') || rest.starts_with("\"{")
    }

    /// Reads a string from its quote on and returns what is between the quotes. `None`: it has no end.
    fn string(&mut self) -> Option<&'a str> {
        let start = self.at + 1;
        let bytes = self.text.as_bytes();
        let mut at = start;
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Some(&self.text[start..at]);
            }
            at += 2;
        }
    }

    /// Reads a string, number or word. `None`: the text ended within; `false`: it is none of them.
    fn scalar(&mut self, under: Under) -> Option<bool> {
        let start = self.at;
        if self.text.as_bytes()[start] == b'"' {
            let (raw, is_whole) = match self.string() {
                Some(raw) => (raw, true),
                None => (&self.text[start + 1..], false),
            };
            if let Some(clean) = self.clean_string(&unescape(raw), under) {
                let new = quote(&clean, raw);
                match is_whole {
                    true => self.replace(start, self.at, &new),
                    false => self.replace(start, self.text.len(), &new[..new.len() - 1]),
                }
            }
            return is_whole.then_some(true);
        }
        let rest = &self.text[start..];
        let length = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || b"+-.".contains(b))
            .count();
        let word = &rest[..length];
        self.at += length;
        let is_number = word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        if !is_number {
            let is_cut = self.at == self.text.len() && length > 0;
            let is_word = |known: &str| known == word || is_cut && known.starts_with(word);
            return Some(
                ["true", "false", "null", "NaN", "Infinity"]
                    .into_iter()
                    .any(is_word),
            );
        }
        if word
            .bytes()
            .any(|b| b.is_ascii_alphabetic() && b != b'e' && b != b'E')
            && word != "-Infinity"
        {
            return Some(false);
        }
        if let Some(clean) = self.clean_number(word, under) {
            self.replace(start, self.at, &quote(&clean, word));
        }
        Some(true)
    }

    fn clean_string(&mut self, value: &str, under: Under) -> Option<String> {
        if under.headers {
            return match self.nested(value, under) {
                Outcome::Same => None,
                Outcome::Changed(clean) => Some(clean),
                Outcome::NotJson => self.whole(value, Class::Header),
            };
        }
        if let Some(key) = under.key
            && key.accepts(value)
        {
            return self.whole(value, key.class);
        }
        if under.bytes {
            return self.clean_bytes(value);
        }
        if value.len() < 6 {
            return None; // nothing that a rule finds is shorter
        }
        match self.nested(value, under) {
            Outcome::Same => None,
            Outcome::Changed(clean) => Some(clean),
            Outcome::NotJson => self.rules.rewrite_plain(value, self.counts),
        }
    }

    /// Cleans bytes that are text; what is no text names nobody.
    fn clean_bytes(&mut self, value: &str) -> Option<String> {
        let bytes = BASE64.decode(value).ok()?;
        let text = std::str::from_utf8(&bytes).ok()?;
        let clean = self.rules.rewrite(text, Privacy::Text, self.counts)?;
        Some(BASE64.encode(clean))
    }

    fn clean_number(&mut self, number: &str, under: Under) -> Option<String> {
        match under.key {
            _ if under.headers => self.whole(number, Class::Header),
            Some(key) if key.accepts(number) => self.whole(number, key.class),
            _ if number.len() < 9 => None,
            _ => self.rules.rewrite_plain(number, self.counts),
        }
    }

    fn whole(&mut self, value: &str, class: Class) -> Option<String> {
        if value.is_empty() || is_placeholder(value.as_bytes()) {
            return None;
        }
        self.counts.add(class);
        Some(class.placeholder())
    }

    fn nested(&mut self, value: &str, under: Under) -> Outcome {
        if self.level + 1 >= LEVELS_MAX || !may_be(value.as_bytes()) {
            return Outcome::NotJson;
        }
        rewrite_level(self.rules, value, self.counts, under, self.level + 1)
    }

    fn replace(&mut self, start: usize, end: usize, new: &str) {
        self.out.push_str(&self.text[self.copied..start]);
        self.out.push_str(new);
        self.copied = end;
    }
}

enum Next {
    Value(Under),
    Done,
    Broken,
}

/// Returns whether a key names a map of headers: `headers`, `gen_ai.headers`, `ai.request.headers.authorization`.
fn is_header_name(name: &str) -> bool {
    let is_headers = |part: &str| {
        let tail = part.len().checked_sub("headers".len());
        tail.and_then(|at| part.get(at..))
            .is_some_and(|tail| tail.eq_ignore_ascii_case("headers"))
    };
    name.split('.').any(is_headers)
}

/// Undoes the escapes of a string; what is no escape stays as it is.
fn unescape(raw: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', raw.as_bytes()) else {
        return raw.into();
    };
    let mut out = String::with_capacity(raw.len());
    out.push_str(&raw[..first]);
    let mut rest = &raw[first..];
    while let Some(at) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let (sign, length) = escape(&rest[at + 1..]);
        match sign {
            Some(sign) => out.push(sign),
            None => out.push_str(&rest[at..at + 1 + length]),
        }
        rest = &rest[at + 1 + length..];
    }
    out.push_str(rest);
    out.into()
}

/// Reads an escape behind its backslash: what it stands for and its length.
fn escape(rest: &str) -> (Option<char>, usize) {
    let Some(sign) = rest.chars().next() else {
        return (None, 0);
    };
    let plain = match sign {
        '"' | '\\' | '/' => sign,
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => return unicode_escape(rest),
        _ => return (None, sign.len_utf8()),
    };
    (Some(plain), 1)
}

fn unicode_escape(rest: &str) -> (Option<char>, usize) {
    let unit = |at: usize| {
        rest.get(at..at + 4)
            .and_then(|hex| u32::from_str_radix(hex, 16).ok())
    };
    let Some(first) = unit(1) else {
        return (None, 1);
    };
    if (0xd800..0xdc00).contains(&first)
        && rest.get(5..7) == Some("\\u")
        && let Some(second) = unit(7).filter(|unit| (0xdc00..0xe000).contains(unit))
    {
        return (
            char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)),
            11,
        );
    }
    (
        Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)),
        5,
    )
}

/// Writes a string of JSON, in ASCII where the old one was so with the help of escapes.
fn quote(text: &str, old: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    if quoted.is_ascii() || !old.is_ascii() || !old.contains("\\u") {
        return quoted;
    }
    let mut out = String::with_capacity(quoted.len() * 2);
    for sign in quoted.chars() {
        if sign.is_ascii() {
            out.push(sign);
        } else {
            let units = sign.encode_utf16(&mut [0; 2]).to_vec();
            out.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    out
}
