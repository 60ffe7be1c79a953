//! Laws that hold for every text.

use arrow::array::{Array, StringArray};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use super::rules;
use crate::model::Privacy;
use crate::redact::Counts;
use crate::redact::builtin;

/// Pieces that texts with private data are made of, in an order that nobody would think of.
fn pieces() -> impl Strategy<Value = String> {
    let values: Vec<&str> = builtin::rules()
        .flat_map(|rule| rule.hits)
        .map(|(text, _)| *text)
        .collect();
    let joints = vec![
        "password",
        "token",
        "secret",
        "ssn",
        "authorization",
        "headers",
        "api_key",
        "email",
        "=",
        ":",
        "\"",
        "'",
        "\\",
        "\\n",
        "\\u0040",
        "{",
        "}",
        "[",
        "]",
        ",",
        " ",
        "\n",
        "+",
        "-",
        "@",
        "%40",
        "://",
        "0",
        "12",
        "4111",
        "é",
        "漢",
        "[REDACTED:",
        "]",
        "eyJ",
        "sk-",
        "Bearer ",
        "-----BEGIN ",
        "-----END ",
        "x",
        "\u{a0}",
    ];
    let piece = prop_oneof![
        3 => prop::sample::select(values).prop_map(str::to_owned),
        5 => prop::sample::select(joints).prop_map(str::to_owned),
        1 => "\\PC{0,6}",
    ];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

fn documents() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        pieces().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        Just(Value::from(4_111_111_111_111_111_u64)),
        Just(Value::Null),
    ];
    let keys = prop::sample::select(vec![
        "a",
        "name",
        "value",
        "password",
        "ssn",
        "x.headers",
        "headers",
        "token",
        "user.email",
    ]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((keys.clone().prop_map(str::to_owned), inner.clone()), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            inner.prop_map(|value| Value::from(value.to_string())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn redacting_twice_is_redacting_once(text in pieces()) {
        for privacy in [Privacy::Text, Privacy::Json] {
            let once = rules().clean(&text, privacy, &mut Counts::default()).into_owned();
            let twice = rules().clean(&once, privacy, &mut Counts::default());
            prop_assert_eq!(&twice, &once);
        }
    }

    #[test]
    fn any_text_has_an_answer(text in any::<String>()) {
        let _ = (rules().text(&text), rules().json(&text));
    }

    #[test]
    fn json_stays_json_of_the_same_shape(document in documents()) {
        let text = document.to_string();
        let clean = rules().json(&text).into_owned();
        let parsed = serde_json::from_str::<Value>(&clean);
        prop_assert!(parsed.is_ok(), "{} became {}", text, clean);
        let (count, kept) = (leaves(&document), parsed.as_ref().map(leaves).unwrap_or_default());
        prop_assert!(kept <= count);
        prop_assert_eq!(rules().json(&clean), clean.as_str());
    }

    #[test]
    fn a_quick_look_misses_nothing_that_reading_finds(document in documents(), text in pieces()) {
        for text in [document.to_string(), text] {
            let read = rules().rewrite(&text, Privacy::Text, &mut Counts::default());
            let looked = rules().text(&text);
            prop_assert_eq!(read.as_deref().unwrap_or(&text), &*looked);
        }
    }

    #[test]
    fn a_column_is_cleaned_as_its_values_are(texts in vec(prop::option::of(pieces()), 0..8), skip in 0usize..3) {
        let array = StringArray::from(texts);
        let array = array.slice(skip.min(array.len()), array.len() - skip.min(array.len()));
        let alone: Vec<_> = array.iter().map(|text| text.map(|text| rules().text(text))).collect();
        match rules().column(&array, Privacy::Text) {
            None => prop_assert!(array.iter().zip(&alone).all(|(text, clean)| text == clean.as_deref())),
            Some(cleaned) => {
                let found: Vec<_> = cleaned.array.iter().collect();
                prop_assert_eq!(found, alone.iter().map(|clean| clean.as_deref()).collect::<Vec<_>>());
                let total: u64 = cleaned.redactions.iter().map(|(_, count)| count).sum();
                prop_assert_eq!(total, cleaned.counts.total());
            }
        }
    }

    #[test]
    fn a_text_without_digits_signs_and_names_is_not_even_copied(text in "[ a-zA-Z.,;!?\n]{0,200}") {
        let clean = rules().text(&text);
        prop_assert!(matches!(clean, std::borrow::Cow::Borrowed(same) if same == text));
    }
}

fn leaves(value: &Value) -> usize {
    match value {
        Value::Array(values) => values.iter().map(leaves).sum(),
        Value::Object(values) => values.values().map(leaves).sum(),
        _ => 1,
    }
}

#[test]
fn no_text_makes_it_slow() {
    // Each of these was made to have a rule look at the same text over and over. Quadratic, one would take minutes.
    for piece in [
        "token=",
        "password=",
        "eyJ",
        "eyJ-",
        "eyJhbGciOiJIUzI1NiJ9.",
        "sk-",
        "sk-a",
        "-----BEGIN PRIVATE KEY-----",
        "://a:",
        "Bearer ",
        "bearer+",
        "basic+",
        "a@a.",
        "@",
        "%40",
        "password=\"",
        "password={",
        "4111 ",
        "00 ",
        "+1",
        "DE89 ",
        "[",
        "{\"a\":",
        "\\",
        "\\\"",
        "password=\\\"",
        "cookie: a",
        "-",
        "a-",
        "SSN 37686905",
    ] {
        let text = piece.repeat(100_000 / piece.len());
        let _ = rules().text(&text);
        let _ = rules().json(&format!("{{\"a\":\"{text}"));
    }
}
