//! Names that say what a value is: `password`, `api_key`, `ssn`. A value under such a name is taken out although nothing
//! about itself gives it away.
//!
//! A name may be the key of a JSON object, an attribute, a variable or a header; it counts when what it ends with is in
//! the table, so that `SMTP_PASSWORD` and `user.dbPassword` are passwords and `password_hint` is none. To add a name, add
//! a line.

use std::ops::Range;

use memchr::memmem;

use super::chars::{before, byte, is_word, run, skip, space};
use super::check::number::is_ssn;
use super::class::{Class, PLACEHOLDER};
use super::rule::is_random;

/// A name and what is under it.
#[derive(Debug)]
pub(super) struct Key {
    /// In words; in a text they may be joined in any way: `api key`, `api_key`, `api-key`, `apiKey`.
    words: &'static str,
    /// What its values are.
    pub(super) class: Class,
    shape: Shape,
}

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Anything.
    Any,
    /// Drawn by lot in a text; in JSON anything that is one word.
    Secret,
    /// Drawn by lot and long: the word "token" has other meanings.
    Token,
    /// What a header of that name holds.
    Authorization,
    /// `name=value`.
    Cookie,
    /// Nine digits.
    Ssn,
    /// Seven to fifteen digits and what stands between them.
    Phone,
    /// Anything with an `@`.
    Address,
}

const fn key(words: &'static str, class: Class, shape: Shape) -> Key {
    Key {
        words,
        class,
        shape,
    }
}

/// All names. Where one is the end of another, both say the same.
pub(super) const KEYS: &[Key] = &[
    key("password", Class::Password, Shape::Any),
    key("passwd", Class::Password, Shape::Any),
    key("passphrase", Class::Password, Shape::Any),
    key("pwd", Class::Password, Shape::Any),
    key("secret", Class::ApiKey, Shape::Secret),
    key("secret key", Class::ApiKey, Shape::Secret),
    key("api key", Class::ApiKey, Shape::Secret),
    key("access key", Class::ApiKey, Shape::Secret),
    key("account key", Class::ApiKey, Shape::Secret),
    key("auth key", Class::ApiKey, Shape::Secret),
    key("encryption key", Class::ApiKey, Shape::Secret),
    key("signing key", Class::ApiKey, Shape::Secret),
    key("subscription key", Class::ApiKey, Shape::Secret),
    key("private key", Class::PrivateKey, Shape::Secret),
    key("token", Class::BearerToken, Shape::Token),
    key("authorization", Class::BearerToken, Shape::Authorization),
    key("cookie", Class::SessionCookie, Shape::Cookie),
    key("ssn", Class::UsSsn, Shape::Ssn),
    key("social security number", Class::UsSsn, Shape::Ssn),
    key("email", Class::Email, Shape::Address),
    key("email address", Class::Email, Shape::Address),
    key("phone", Class::Phone, Shape::Phone),
    key("phone number", Class::Phone, Shape::Phone),
];

impl Key {
    /// Returns the ways to write the name, in lower case.
    pub(super) fn spellings(&self) -> Vec<String> {
        if !self.words.contains(' ') {
            return vec![self.words.to_owned()];
        }
        ["", "_", "-", " "]
            .iter()
            .map(|joint| self.words.replace(' ', joint))
            .collect()
    }

    /// Returns the entry that a name ends with.
    pub(super) fn of(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.ends(name.as_bytes()))
    }

    fn ends(&self, name: &[u8]) -> bool {
        if !before(name, name.len()).is_ascii_alphanumeric() {
            return false; // a placeholder, for one
        }
        let mut rest = name
            .iter()
            .enumerate()
            .rev()
            .filter(|(_, b)| b.is_ascii_alphanumeric());
        let mut first = name.len();
        for wanted in self.words.bytes().rev().filter(|b| *b != b' ') {
            match rest.next() {
                Some((at, byte)) if byte.eq_ignore_ascii_case(&wanted) => first = at,
                _ => return false,
            }
        }
        self.may_start(name, first)
    }

    /// Returns whether the name may start here: a short one only where a word starts.
    fn may_start(&self, name: &[u8], at: usize) -> bool {
        let is_inside =
            before(name, at).is_ascii_alphabetic() && byte(name, at).is_ascii_lowercase();
        let is_all_caps =
            before(name, at).is_ascii_uppercase() && byte(name, at).is_ascii_uppercase();
        self.words.len() > 3 || !(is_inside || is_all_caps)
    }

    /// Returns whether a whole value under this name is to be taken out.
    pub(super) fn accepts(&self, value: &str) -> bool {
        let bytes = value.as_bytes();
        !is_blank(bytes)
            && match self.shape {
                Shape::Secret => bytes.len() >= 6 && !bytes.iter().any(u8::is_ascii_whitespace),
                Shape::Authorization => true,
                _ => self.fits(bytes),
            }
    }

    /// Returns what a value without quotes is made of. In a URL and in a list it ends where the next one begins.
    fn bare(&self, in_url: bool) -> fn(u8) -> bool {
        match self.shape {
            Shape::Cookie => |b| !b.is_ascii_control() && !b"\"'\\".contains(&b),
            _ if in_url => |b| !b.is_ascii_whitespace() && !b"&\"'`<>\\#".contains(&b),
            _ => |b| !b.is_ascii_whitespace() && !b"&\"'`<>\\,;)}]|".contains(&b),
        }
    }

    /// Returns whether a value found in a text behind this name looks like one.
    fn fits(&self, value: &[u8]) -> bool {
        let is_done = || memmem::find(value, PLACEHOLDER.as_bytes()).is_some();
        match self.shape {
            Shape::Any => true,
            Shape::Secret => value.len() >= 8 && is_random(value) && !is_done(),
            Shape::Token | Shape::Authorization => {
                value.len() >= 16 && is_random(value) && !is_done()
            }
            Shape::Cookie => value.contains(&b'=') && !is_done(),
            Shape::Ssn => is_number(value, 9..10, b"- ") && is_ssn(&digits(value)),
            Shape::Phone => is_number(value, 7..16, b"+-.()/ ") && !is_date(value),
            Shape::Address => value.contains(&b'@') || value.windows(3).any(|code| code == b"%40"),
        }
    }
}

/// Returns whether a value stands for none: empty, a word for nothing, a variable, a mask, a placeholder.
fn is_blank(value: &[u8]) -> bool {
    const NOTHING: [&str; 8] = [
        "null",
        "none",
        "nil",
        "undefined",
        "true",
        "false",
        "string",
        "str",
    ];
    let is_mask = value.iter().all(|b| b"*x.-_".contains(b));
    let is_variable = [b"${".as_slice(), b"$(", b"{{", b"{", b"<", b"%("]
        .iter()
        .any(|start| value.starts_with(start));
    is_mask
        || is_variable
        || is_placeholder(value)
        || NOTHING
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
}

/// Returns whether a value is a placeholder already.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    value.starts_with(PLACEHOLDER.as_bytes())
        && memchr::memchr(b']', value) == Some(value.len() - 1)
}

fn digits(value: &[u8]) -> Vec<u8> {
    value
        .iter()
        .filter(|b| b.is_ascii_digit())
        .map(|b| b - b'0')
        .collect()
}

fn is_number(value: &[u8], wanted: Range<usize>, between: &[u8]) -> bool {
    value.len() <= 32
        && value
            .iter()
            .all(|b| b.is_ascii_digit() || between.contains(b))
        && wanted.contains(&value.iter().filter(|b| b.is_ascii_digit()).count())
}

/// Returns whether a word is none of a language: letters with digits or signs among them.
fn is_mixed(value: &[u8]) -> bool {
    let has = |wanted: fn(&u8) -> bool| value.iter().any(wanted);
    value.len() >= 6 && has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit)
}

fn is_date(value: &[u8]) -> bool {
    matches!(value, [_, _, _, _, b'-', _, _, b'-', _, _])
}

/// The longest part of a value without quotes whose form is looked at.
const VALUE_MAX: usize = 256;
/// The longest name.
const NAME_MAX: usize = 128;

/// Finds the value behind a name in a text: `name=value`, `"name": "value"`, `--name value`.
pub(super) fn value(text: &[u8], name: Range<usize>, key: &Key) -> Option<Range<usize>> {
    if is_word(byte(text, name.end)) || !key.may_start(text, name.start) {
        return None;
    }
    let (start, is_said) = value_start(text, &name, key)?;
    let accepts = |found: &[u8]| {
        let is_done = found.starts_with(b"[REDACTED");
        let is_word = is_said && !is_mixed(found);
        found.len() >= 3 && !is_done && !is_word && !is_blank(found) && key.fits(found)
    };
    if let Some(quoted) = quoted(text, start) {
        return accepts(&text[quoted.clone()]).then_some(quoted);
    }
    let in_url = matches!(before(text, word_start(text, name.start)), b'?' | b'&');
    let goes_on = key.bare(in_url);
    let mut end = run(text, start, VALUE_MAX, goes_on);
    let is_cut = end - start == VALUE_MAX;
    if key.shape != Shape::Any && before(text, end) == b'.' {
        end -= 1; // the end of a sentence
    }
    if !accepts(text.get(start..end)?) {
        return None;
    }
    Some(
        start..if is_cut {
            run(text, end, usize::MAX, goes_on)
        } else {
            end
        },
    )
}

/// Returns where the value behind a name starts, and whether it is merely said to be one: `the password is hunter2`.
fn value_start(text: &[u8], name: &Range<usize>, key: &Key) -> Option<(usize, bool)> {
    let closed = skip(text, name.end, is_quote);
    let sign = skip(text, closed, blank);
    let assigned =
        run(text, sign, 2, |b| matches!(b, b':' | b'=' | b'>')).max(encoded_sign_end(text, sign));
    if assigned > sign {
        let start = skip(text, assigned, blank);
        let is_header = key.shape == Shape::Authorization;
        return Some((
            if is_header {
                skip_scheme(text, start)
            } else {
                start
            },
            false,
        ));
    }
    if key.shape != Shape::Any || sign == closed {
        return None;
    }
    if text[sign..].starts_with(b"is ") {
        return Some((skip(text, sign + 3, blank), true));
    }
    let is_option = text[word_start(text, name.start)..].starts_with(b"--");
    let is_sql = byte(text, sign) == b'\'';
    (is_option || is_sql).then_some((sign, false)) // --password hunter2, PASSWORD 'hunter2'
}

fn encoded_sign_end(text: &[u8], at: usize) -> usize {
    let is_sign = matches!(
        text.get(at..at + 3),
        Some([b'%', b'3', b'A' | b'D' | b'a' | b'd'])
    );
    if is_sign { at + 3 } else { at }
}

/// `Bearer` and the like in front of the secret.
fn skip_scheme(text: &[u8], at: usize) -> usize {
    let start = skip(text, at, is_quote);
    let word = run(text, start, 24, |b| b.is_ascii_alphanumeric() || b == b'-');
    let next = skip(text, word, blank);
    if next > word && word > start {
        next
    } else {
        at
    }
}

fn is_quote(text: &[u8], at: usize) -> usize {
    usize::from(matches!(byte(text, at), b'\\' | b'"' | b'\'' | b'`'))
}

/// Space within a line.
fn blank(text: &[u8], at: usize) -> usize {
    if matches!(byte(text, at), b'\n' | b'\r') {
        0
    } else {
        space(text, at)
    }
}

/// Finds a value in quotes; the closing quote is escaped as often as the opening one.
fn quoted(text: &[u8], start: usize) -> Option<Range<usize>> {
    let quote = skip(text, start, |text, at| usize::from(byte(text, at) == b'\\'));
    if !matches!(byte(text, quote), b'"' | b'\'' | b'`') {
        return None;
    }
    let from = quote + 1;
    let mut at = from;
    while at < text.len() {
        let found = memchr::memchr2(byte(text, quote), b'\n', &text[at..])
            .map_or(text.len(), |found| at + found);
        let escapes = text[from..found]
            .iter()
            .rev()
            .take_while(|b| **b == b'\\')
            .count();
        if escapes <= quote - start || byte(text, found) == b'\n' {
            return Some(from..found - escapes);
        }
        at = found + 1;
    }
    Some(from..text.len())
}

/// Returns where the word starts that a name is part of.
fn word_start(text: &[u8], name: usize) -> usize {
    let rest = text[..name].iter().rev().take(NAME_MAX);
    name - rest.take_while(|b| is_word(**b) || **b == b'-').count()
}
