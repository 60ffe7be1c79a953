//! What the log says about a file's columns, in the words of the Delta protocol.
//!
//! Other readers skip files by it, so a bound may be loose but never wrong: times are cut to milliseconds (some readers
//! know no finer ones), down for a minimum and up for a maximum, and long texts to 32 letters, a maximum then gets a
//! letter behind which nothing sorts.

use chrono::{DateTime, SecondsFormat};
use datafusion::common::ScalarValue;
use serde_json::{Map, Value, json};

use crate::model::Table;

use super::file::File;

/// Texts in the log are cut to this many letters.
const LETTERS_MAX: usize = 32;

/// Returns the statistics of a file as the log keeps them.
pub(super) fn json(file: &File, table: Table) -> String {
    let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
    for name in table.pruning_columns() {
        let Some(column) = file.column(name) else {
            continue;
        };
        if let Some(value) = column.min.as_ref().and_then(lower_bound) {
            min.insert((*name).to_owned(), value);
        }
        if let Some(value) = column.max.as_ref().and_then(upper_bound) {
            max.insert((*name).to_owned(), value);
        }
        if let Some(count) = column.nulls {
            nulls.insert((*name).to_owned(), json!(count));
        }
    }
    json!({"numRecords": file.rows(), "minValues": min, "maxValues": max, "nullCount": nulls})
        .to_string()
}

fn lower_bound(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Int64(value) => Some(json!((*value)?)),
        ScalarValue::TimestampMicrosecond(value, _) => time((*value)?.div_euclid(1_000)),
        ScalarValue::Utf8(text) => Some(json!(
            text.as_ref()?.chars().take(LETTERS_MAX).collect::<String>()
        )),
        _ => None,
    }
}

fn upper_bound(value: &ScalarValue) -> Option<Value> {
    match value {
        ScalarValue::Int64(value) => Some(json!((*value)?)),
        ScalarValue::TimestampMicrosecond(value, _) => {
            time((*value)?.checked_add(999)?.div_euclid(1_000))
        }
        ScalarValue::Utf8(text) => upper_text(text.as_ref()?),
        _ => None,
    }
}

/// Returns a text of at most 33 letters that no text with the same beginning exceeds, in the order of bytes.
fn upper_text(text: &str) -> Option<Value> {
    let mut letters = text.chars();
    let mut bound: String = letters.by_ref().take(LETTERS_MAX).collect();
    match letters.next() {
        None => {}
        Some(next) if next < '\u{FFFD}' => bound.push('\u{FFFD}'),
        Some(next) if next < char::MAX => bound.push(char::MAX),
        Some(_) => return None,
    }
    Some(json!(bound))
}

fn time(millis: i64) -> Option<Value> {
    let time = DateTime::from_timestamp_millis(millis)?;
    Some(json!(time.to_rfc3339_opts(SecondsFormat::Millis, true)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn micros(value: i64) -> ScalarValue {
        ScalarValue::TimestampMicrosecond(Some(value), Some("UTC".into()))
    }

    #[test]
    fn times_are_cut_outwards() {
        assert_eq!(
            lower_bound(&micros(1_999)),
            Some(json!("1970-01-01T00:00:00.001Z"))
        );
        assert_eq!(
            upper_bound(&micros(1_001)),
            Some(json!("1970-01-01T00:00:00.002Z"))
        );
        assert_eq!(
            upper_bound(&micros(2_000)),
            Some(json!("1970-01-01T00:00:00.002Z"))
        );
        assert_eq!(
            lower_bound(&micros(-1)),
            Some(json!("1969-12-31T23:59:59.999Z"))
        );
        assert_eq!(
            upper_bound(&micros(-1)),
            Some(json!("1970-01-01T00:00:00.000Z"))
        );
        assert_eq!(upper_bound(&micros(i64::MAX)), None);
    }

    #[test]
    fn a_text_of_32_letters_stays_and_a_longer_one_is_cut_outwards() {
        let text = |text: &str| ScalarValue::Utf8(Some(text.to_owned()));
        let fits = "ü".repeat(32);
        assert_eq!(lower_bound(&text(&fits)), Some(json!(fits)));
        assert_eq!(upper_bound(&text(&fits)), Some(json!(fits)));
        let long = "ü".repeat(33);
        assert_eq!(lower_bound(&text(&long)), Some(json!(fits)));
        assert_eq!(
            upper_bound(&text(&long)),
            Some(json!(format!("{fits}\u{FFFD}")))
        );
        for next in ['\u{FFFE}', '😀'] {
            let bound = upper_text(&format!("{fits}{next}")).unwrap();
            let bound = bound.as_str().unwrap().to_owned();
            assert!(bound.as_bytes() > format!("{fits}{next}{next}").as_bytes());
        }
        assert_eq!(upper_text(&format!("{fits}{}", char::MAX)), None);
    }
}
