//! Single JSON values, read leniently and refused by name.

use serde::Deserialize;
use serde_json::error::Category;
use serde_json::value::RawValue;

use crate::otlp::ids::Id;
use crate::otlp::refusal::Refusal;

/// A field that may be absent or null, not yet looked into.
pub(super) type Raw<'a> = Option<&'a RawValue>;
/// A list that may be absent or null, its elements not yet looked into.
pub(super) type RawList<'a> = Option<Vec<&'a RawValue>>;

/// Parses one JSON object.
pub(super) fn parse<'a, T: Deserialize<'a>>(raw: &'a RawValue, what: &str) -> Result<T, Refusal> {
    object(raw.get()).map_err(|fault| Refusal::malformed(format!("{what} cannot be read: {fault}")))
}

/// Parses one JSON object; serde would also take a list of its values, which no sender means.
pub(super) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, String> {
    if text.trim_ascii_start().starts_with('[') {
        return Err("a list where an object should be".into());
    }
    serde_json::from_str(text).map_err(|error| fault(&error))
}

/// Says what is wrong without quoting the value, which serde's own message would do.
fn fault(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        Category::Data => "a value of the wrong kind",
        Category::Eof => "unexpected end",
        Category::Syntax | Category::Io => "not JSON",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

/// Returns a text, empty where absent.
pub(super) fn text(raw: Raw<'_>, field: &str) -> Result<String, Refusal> {
    let Some(raw) = raw else {
        return Ok(String::new());
    };
    // Most texts hold no escape: what stands between the quotes is the text.
    if let Some(plain) = quoted(raw.get()).filter(|text| !text.contains('\\')) {
        return Ok(plain.to_owned());
    }
    serde_json::from_str(raw.get())
        .or_else(|error| serde_json::from_str(&whole_surrogates(raw.get()).ok_or(error)?))
        .map_err(|_| Refusal::malformed(format!("{field} is not a text")))
}

/// Returns an integer sent as a number or as text, zero where absent.
pub(super) fn integer<T: TryFrom<i128> + Default>(raw: Raw<'_>, field: &str) -> Result<T, Refusal> {
    let Some(raw) = raw else {
        return Ok(T::default());
    };
    whole(unquoted(raw))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| Refusal::malformed(format!("{field} is not an integer that fits")))
}

/// Returns a number, where present; text may also be `NaN`, `Infinity` or `-Infinity`.
pub(super) fn double(raw: Raw<'_>, field: &str) -> Result<Option<f64>, Refusal> {
    let Some(raw) = raw else { return Ok(None) };
    match unquoted(raw) {
        "NaN" => Ok(Some(f64::NAN)),
        "Infinity" => Ok(Some(f64::INFINITY)),
        "-Infinity" => Ok(Some(f64::NEG_INFINITY)),
        digits => finite(digits)
            .map(Some)
            .ok_or_else(|| Refusal::malformed(format!("{field} is not a number"))),
    }
}

/// Returns a truth value, false where absent; text may say it too.
pub(super) fn boolean(raw: Raw<'_>, field: &str) -> Result<bool, Refusal> {
    match raw.map(unquoted) {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(Refusal::malformed(format!(
            "{field} is neither true nor false"
        ))),
    }
}

/// Returns the number of an enum value that was sent as a number or by its name.
pub(super) fn enumeration(
    raw: Raw<'_>,
    field: &str,
    by_name: impl FnOnce(&str) -> Option<i32>,
) -> Result<i32, Refusal> {
    match raw.map(unquoted).and_then(by_name) {
        Some(number) => Ok(number),
        None => integer(raw, field),
    }
}

/// Returns an id from its hexadecimal digits.
pub(super) fn id<const N: usize>(raw: Raw<'_>) -> Id<N> {
    raw.map_or(Id::Missing, |raw| Id::from_hex(unquoted(raw)))
}

/// Returns the characters of a number or of a text without escapes: what none of the callers would take anyway.
fn unquoted(raw: &RawValue) -> &str {
    quoted(raw.get()).unwrap_or(raw.get())
}

fn quoted(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// Reads a number to the nearest double, which serde's own reader does not always find.
fn finite(digits: &str) -> Option<f64> {
    digits
        .parse()
        .ok()
        .filter(|number: &f64| number.is_finite())
}

/// Reads digits, and a number with a point or an exponent where it is a whole one that a double holds exactly.
fn whole(digits: &str) -> Option<i128> {
    const EXACT_MAX: f64 = 9_007_199_254_740_992.0;
    if let Ok(number) = digits.parse() {
        return Some(number);
    }
    let number = finite(digits)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
    (number.fract() == 0.0 && number.abs() <= EXACT_MAX).then_some(number as i128)
}

/// Replaces each half of a surrogate pair that stands alone, as senders write it where they cut a text in the middle of
/// a character; `None` where there is none.
fn whole_surrogates(json: &str) -> Option<String> {
    const REPLACEMENT: &str = "\\ufffd";
    let (mut out, mut rest, mut replaced) = (String::with_capacity(json.len()), json, false);
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let (length, keep) = match (unit(escape), escape.get(6..).and_then(unit)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => (12, true),
            (Some(0xD800..=0xDFFF), _) => (6, false),
            (Some(_), _) => (6, true),
            (None, _) => (
                1 + escape[1..].chars().next().map_or(0, char::len_utf8),
                true,
            ),
        };
        let (escape, after) = escape.split_at(length);
        out.push_str(if keep { escape } else { REPLACEMENT });
        replaced |= !keep;
        rest = after;
    }
    out.push_str(rest);
    replaced.then_some(out)
}

/// Returns the code unit of a `\uXXXX` escape at the start of the text.
fn unit(text: &str) -> Option<u16> {
    u16::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}
