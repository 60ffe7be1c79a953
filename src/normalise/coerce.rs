//! The coercions of the wire: what senders put into an attribute, and what they meant.
//!
//! Numbers arrive as texts, lists as scalars, objects as JSON texts (sometimes twice over) or as Python's `repr`.
//! Everything here answers `None` where a value is not what it should be; the caller notes that.

use std::borrow::Cow;

use super::json;
use crate::model::Value;

/// More tokens than this are a mistake of the sender.
const TOKENS_MAX: i64 = 999_999_999_999;

/// Reads a count of tokens: an integer, a floating point number without a fraction, a decimal text, or OTLP's own JSON
/// of an integer.
pub(super) fn tok(value: &Value) -> Option<i64> {
    let number = match value {
        Value::Map(entries) => match &entries[..] {
            [(key, inner)] if key == "intValue" => whole(inner)?,
            _ => return None,
        },
        Value::Str(text) if text.trim_start().starts_with('{') => {
            return match json::parse(text)? {
                Value::Map(entries) => tok(&Value::Map(entries)),
                _ => None,
            };
        }
        other => whole(other)?,
    };
    (0..=TOKENS_MAX).contains(&number).then_some(number)
}

/// Reads an integer: as it is, from a floating point number without a fraction, or from a decimal text.
pub(super) fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(number) => Some(*number),
        Value::Double(number) => whole_double(*number),
        Value::Str(text) => {
            let text = text.trim();
            text.parse().ok().or_else(|| whole_double(decimal(text)?))
        }
        _ => None,
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
fn whole_double(number: f64) -> Option<i64> {
    /// Beyond this not every integer has a floating point number of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// Reads a number.
#[expect(
    clippy::cast_precision_loss,
    reason = "scores and seconds need no more than 53 bits"
)]
pub(super) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Int(number) => Some(*number as f64),
        Value::Double(number) => Some(*number).filter(|number| number.is_finite()),
        Value::Str(text) => decimal(text.trim()),
        _ => None,
    }
}

/// Reads a decimal text; Rust's own words for infinity and NaN are none.
fn decimal(text: &str) -> Option<f64> {
    let decimal = text
        .bytes()
        .all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse::<f64>()
        .ok()
        .filter(|number| decimal && number.is_finite())
}

/// Reads a span of time given in units of `unit_ns` nanoseconds; it is never negative.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked first"
)]
pub(super) fn nanos(value: &Value, unit_ns: i64) -> Option<i64> {
    if let Some(units) = whole(value) {
        return units.checked_mul(unit_ns).filter(|nanos| *nanos >= 0);
    }
    #[expect(clippy::cast_precision_loss, reason = "a unit is at most 10^9")]
    let nanos = (number(value)? * unit_ns as f64).round();
    (0.0..9e18).contains(&nanos).then_some(nanos as i64)
}

/// Reads a truth value: as it is, or from its name or 0 and 1.
pub(super) fn boolish(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(truth) => Some(*truth),
        Value::Int(0) => Some(false),
        Value::Int(1) => Some(true),
        Value::Str(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::Str(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// Returns whether a text begins as a JSON object, list or quoted text does.
pub(super) fn looks_like_json(text: &str) -> bool {
    matches!(
        text.trim_ascii_start().as_bytes().first(),
        Some(b'{' | b'[' | b'"')
    )
}

/// Reads a structure out of a text, unwrapping a JSON text in a JSON text once; `None` where there is none.
pub(super) fn jsonish(text: &str) -> Option<Value> {
    if !looks_like_json(text) {
        return None;
    }
    match json::parse(text)? {
        Value::Str(inner) if looks_like_json(&inner) => {
            Some(json::parse(&inner).unwrap_or(Value::Str(inner)))
        }
        value => Some(value),
    }
}

/// Reads the object in a value: a map as it is, a JSON text, or Python's `repr`.
pub(super) fn pyreprish(value: &Value) -> Option<Cow<'_, Value>> {
    match value {
        Value::Map(_) => Some(Cow::Borrowed(value)),
        Value::Str(text) => jsonish(text)
            .or_else(|| json::parse_python(text))
            .filter(|value| matches!(value, Value::Map(_)))
            .map(Cow::Owned),
        _ => None,
    }
}

/// Reads a list of texts: a list, a JSON list in a text, or one scalar.
pub(super) fn listish(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        Value::Str(text) if text.trim_start().starts_with('[') => match jsonish(text) {
            Some(Value::Array(items)) => items.iter().filter_map(scalar).collect(),
            _ => vec![text.clone()],
        },
        other => scalar(other).into_iter().collect(),
    }
}

/// Returns a scalar as text; `None` for blank texts, nothing, bytes and structures.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => (!text.trim().is_empty()).then(|| text.clone()),
        Value::Int(_) | Value::Bool(_) => Some(json::text(value)),
        Value::Double(number) => number.is_finite().then(|| number.to_string()),
        Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
    }
}

/// Shortens a text to at most `bytes_max` bytes, without its loose end (see [`without_loose_end`]); returns whether it did.
pub(super) fn cut(text: &mut String, bytes_max: usize) -> bool {
    if text.len() <= bytes_max {
        return false;
    }
    let kept = without_loose_end(&text[..text.floor_char_boundary(bytes_max)]).len();
    text.truncate(kept);
    true
}

/// Shortens a text to at most `chars_max` characters, without its loose end.
pub(super) fn cut_chars(text: &mut String, chars_max: usize) {
    let bytes_max = first_chars(text, chars_max).len();
    cut(text, bytes_max);
}

/// Words that one value may be made of: an IBAN or a telephone number in groups.
const LOOSE_WORDS_MAX: usize = 12;
/// Bytes that one word may have: a long key.
const LOOSE_BYTES_MAX: usize = 4 * 1024;

/// Returns a text that was cut without the end of what may be a value: its last word, unless that is plain, and the words
/// before it as long as they have digits.
///
/// Redaction comes after this: it knows a card number or a key by all of it, and would let half of one pass.
fn without_loose_end(text: &str) -> &str {
    let is_joint = |c: char| !(c.is_alphanumeric() || "_-./+=@%:~$\\".contains(c));
    let floor = text.floor_char_boundary(text.len().saturating_sub(LOOSE_BYTES_MAX));
    let mut kept = text;
    for nth in 0..LOOSE_WORDS_MAX {
        let words = kept.trim_end_matches(is_joint);
        let (before, word) = match words.char_indices().rfind(|(_, c)| is_joint(*c)) {
            Some((at, joint)) => words.split_at(at + joint.len_utf8()),
            None => ("", words),
        };
        let has_digits = word.contains(|c: char| c.is_ascii_digit());
        if !has_digits && (nth > 0 || is_plain(word)) {
            return kept;
        }
        if before.len() < floor {
            return &text[..floor];
        }
        kept = before;
    }
    kept
}

/// Returns whether a word is one of a language: letters, none of them large in its midst.
fn is_plain(word: &str) -> bool {
    word.chars().all(char::is_alphabetic) && !word.chars().skip(1).any(char::is_uppercase)
}

/// Returns at most the first `chars_max` characters of a text.
pub(super) fn first_chars(text: &str, chars_max: usize) -> &str {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::Str(text.to_owned())
    }

    #[test]
    fn tokens_are_read_from_every_form_senders_use() {
        let nested = Value::Map(vec![("intValue".to_owned(), text("42"))]);
        for value in [
            Value::Int(42),
            Value::Double(42.0),
            text(" 42 "),
            text("42.0"),
            nested,
            text(r#"{"intValue":"42"}"#),
        ] {
            assert_eq!(tok(&value), Some(42), "{value:?}");
        }
    }

    #[test]
    fn impossible_tokens_are_none() {
        for value in [
            Value::Int(-1),
            Value::Int(1_000_000_000_000),
            Value::Double(1e12),
            Value::Double(f64::NAN),
            Value::Double(1.5),
            text("many"),
            text("inf"),
            Value::Bool(true),
            Value::Null,
        ] {
            assert_eq!(tok(&value), None, "{value:?}");
        }
        assert_eq!(tok(&Value::Int(TOKENS_MAX)), Some(TOKENS_MAX));
        assert_eq!(tok(&Value::Int(0)), Some(0));
    }

    #[test]
    fn times_are_read_in_their_unit() {
        assert_eq!(
            nanos(&Value::Double(0.85), 1_000_000_000),
            Some(850_000_000)
        );
        assert_eq!(nanos(&Value::Int(850), 1_000_000), Some(850_000_000));
        assert_eq!(nanos(&text("0.5"), 1_000_000_000), Some(500_000_000));
        assert_eq!(nanos(&Value::Int(-1), 1_000_000), None);
        assert_eq!(nanos(&Value::Int(i64::MAX), 1_000), None);
        assert_eq!(nanos(&Value::Double(1e30), 1_000), None);
    }

    #[test]
    fn truth_is_read_from_its_names() {
        assert_eq!(boolish(&text("True")), Some(true));
        assert_eq!(boolish(&text("false")), Some(false));
        assert_eq!(boolish(&Value::Int(1)), Some(true));
        assert_eq!(boolish(&text("yes")), None);
        assert_eq!(boolish(&Value::Int(2)), None);
    }

    #[test]
    fn lists_and_scalars_stand_for_each_other() {
        assert_eq!(listish(&text("stop")), ["stop"]);
        assert_eq!(listish(&text("[\"stop\"]")), ["stop"]);
        assert_eq!(
            listish(&Value::Array(vec![text("a"), Value::Null, Value::Int(1)])),
            ["a", "1"]
        );
        assert_eq!(listish(&text("[broken")), ["[broken"]);
        assert!(listish(&Value::Null).is_empty());
    }

    #[test]
    fn json_in_json_is_unwrapped_once_more_and_no_further() {
        let once = r#"{"a":1}"#;
        let twice = json::text(&text(once));
        let thrice = json::text(&text(&twice));
        assert_eq!(jsonish(&twice), json::parse(once));
        assert_eq!(jsonish(&thrice), Some(text(once)));
        assert_eq!(jsonish("plain"), None);
    }

    #[test]
    fn pythons_objects_are_read() {
        let usage = pyreprish(&text("{'cache_read': 3}")).unwrap().into_owned();
        assert_eq!(
            usage,
            Value::Map(vec![("cache_read".to_owned(), Value::Int(3))])
        );
        assert!(pyreprish(&text("Usage(1)")).is_none());
    }

    #[test]
    fn a_cut_falls_between_characters() {
        let mut word = "aé".to_owned();
        assert!(!cut(&mut word, 3));
        assert!(cut(&mut word, 2));
        assert_eq!(word, "a");
        assert_eq!(first_chars("aéb", 2), "aé");
        assert_eq!(first_chars("aé", 2), "aé");
    }

    #[test]
    fn a_text_that_is_cut_loses_the_value_that_the_cut_went_through() {
        let cut_at = |text: &str, bytes: usize| {
            let mut text = text.to_owned();
            cut(&mut text, bytes);
            text
        };
        assert_eq!(cut_at("pay with 4111 1111 1111 1111 now", 27), "pay with ");
        assert_eq!(
            cut_at("write to jane.doe@example.com today", 24),
            "write to "
        );
        assert_eq!(cut_at("key sk-proj-abcdefghijkl", 16), "key ");
        assert_eq!(cut_at("DE89 3704 0044 0532 0130 00", 22), "");
        assert_eq!(
            cut_at("{\"a\":1,\"card\":\"4111111111111111\"}", 24),
            "{\"a\":1,\"card\":\""
        );
        assert_eq!(cut_at("plain words stay", 11), "plain words");
        assert_eq!(cut_at("short", 5), "short");
    }

    #[test]
    fn a_word_without_end_loses_as_much_as_a_key_may_have() {
        let mut text = "x1".repeat(10_000);
        assert!(cut(&mut text, 10_000));
        assert_eq!(text.len(), 10_000 - LOOSE_BYTES_MAX);
    }
}
