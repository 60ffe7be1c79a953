//! Values survive the way into JSON and back; the form is always the same.

use proptest::prelude::*;

use super::*;
use crate::normalise::support::value;

fn written(value: &Value) -> String {
    text(value)
}

/// Reads what was written, marks included.
fn read(text: &str) -> Option<Value> {
    parse(text).map(unmarked)
}

fn unmarked(value: Value) -> Value {
    let mut entries = match value {
        Value::Array(items) => return Value::Array(items.into_iter().map(unmarked).collect()),
        Value::Map(entries) => entries,
        other => return other,
    };
    if let [(key, Value::Str(text))] = &mut entries[..] {
        match (key.as_str(), text.as_str()) {
            ("$f", "NaN") => return Value::Double(f64::NAN),
            ("$f", "Inf") => return Value::Double(f64::INFINITY),
            ("$f", "-Inf") => return Value::Double(f64::NEG_INFINITY),
            ("$b", bytes) => return Value::Bytes(STANDARD.decode(bytes).unwrap()),
            (mark, _) if looks_like_a_mark(mark) => *key = mark[1..].to_owned(),
            _ => {}
        }
    }
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key, unmarked(value)))
            .collect(),
    )
}

#[test]
fn numbers_keep_their_kind() {
    assert_eq!(written(&Value::Int(42)), "42");
    assert_eq!(written(&Value::Double(42.0)), "42.0");
    assert_eq!(written(&Value::Double(-0.0)), "-0.0");
    assert_eq!(written(&Value::Double(1e300)), "1e300");
    assert_eq!(written(&Value::Double(0.1)), "0.1");
    assert_eq!(written(&Value::Int(i64::MIN)), "-9223372036854775808");
}

#[test]
fn what_json_cannot_say_is_marked() {
    assert_eq!(written(&Value::Double(f64::NAN)), r#"{"$f":"NaN"}"#);
    assert_eq!(
        written(&Value::Double(f64::NEG_INFINITY)),
        r#"{"$f":"-Inf"}"#
    );
    assert_eq!(written(&Value::Bytes(vec![0, 255])), r#"{"$b":"AP8="}"#);
}

#[test]
fn a_senders_map_that_looks_like_a_mark_stays_a_map() {
    for key in ["$f", "$b", "$$f", "$$$b"] {
        let map = Value::Map(vec![(key.to_owned(), Value::Str("NaN".to_owned()))]);
        assert_eq!(read(&written(&map)), Some(map), "{key}");
    }
    let reference = Value::Map(vec![("$ref".to_owned(), Value::Str("#/a".to_owned()))]);
    assert_eq!(written(&reference), r##"{"$ref":"#/a"}"##);
}

#[test]
fn keys_are_sorted_and_the_last_of_equal_names_counts() {
    let map = Value::Map(vec![
        ("b".to_owned(), Value::Int(1)),
        ("a".to_owned(), Value::Int(2)),
        ("b".to_owned(), Value::Int(3)),
    ]);
    assert_eq!(written(&map), r#"{"a":2,"b":3}"#);
}

#[test]
fn texts_are_escaped() {
    let text = "a\"b\\c\nd\u{1}é\u{1F600} and a long tail of more than sixteen bytes \" here";
    let json = written(&Value::Str(text.to_owned()));
    assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
}

#[test]
fn a_senders_json_is_read_and_what_is_none_is_not() {
    assert_eq!(
        parse(" {\"a\" : [1, 2.5, \"x\\u00e9\\ud83d\\ude00\", null]} ")
            .map(|v| text(&v))
            .as_deref(),
        Some("{\"a\":[1,2.5,\"xé😀\",null]}")
    );
    assert_eq!(
        parse(r#""\ud800x""#),
        Some(Value::Str("\u{FFFD}x".to_owned()))
    );
    for bad in [
        "",
        "{",
        "[1,]",
        "{\"a\"}",
        "01",
        "+1",
        "1 2",
        "nul",
        "{'a':1}",
        "\"",
        "\"\\u12\"",
        "[1}",
        "-",
        "1e999",
    ] {
        assert_eq!(parse(bad), None, "{bad}");
    }
}

#[test]
fn an_integer_without_an_exact_value_leaves_the_text_alone() {
    assert_eq!(
        parse("[9223372036854775807]"),
        Some(Value::Array(vec![Value::Int(i64::MAX)]))
    );
    assert_eq!(parse("[9223372036854775808]"), None);
}

#[test]
fn depth_ends_at_its_limit() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&nested(DEPTH_MAX)).is_some());
    assert!(parse(&nested(DEPTH_MAX + 1)).is_none());
}

#[test]
fn pythons_repr_is_read() {
    let read =
        parse_python("{'a': None, 'b': (1, 2,), 'it\\'s': True, \"c\": 'x'}").map(|v| text(&v));
    assert_eq!(
        read.as_deref(),
        Some(r#"{"a":null,"b":[1,2],"c":"x","it's":true}"#)
    );
    assert_eq!(parse_python("CompletionUsage(a=1)"), None);
}

/// Compares with NaN equal to itself and maps in the form in which they are written.
fn same(a: &Value, b: &Value) -> bool {
    text(a) == text(b)
}

proptest! {
    #[test]
    fn every_value_comes_back(original in value()) {
        let json = text(&original);
        let back = read(&json).expect("what was written can be read");
        prop_assert!(same(&original, &back), "{json}");
        prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{json}");
    }

    #[test]
    fn no_text_makes_a_parser_panic(text in "[\\[\\]{}\"'\\\\:,0-9eE+.\\-a-zN ué😀]{0,40}") {
        parse(&text);
        parse_python(&text);
    }
}
