//! Recorded requests of real runtimes, into which personal data was planted.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use super::rules;
use crate::base::testing::shared;

/// What of the planted data has a rule.
const KINDS: [&str; 10] = [
    "email",
    "email2",
    "card",
    "card_plain",
    "ssn",
    "phone",
    "iban",
    "iban_plain",
    "api_key",
    "aws_key",
];

/// Returns the strings of a request, without knowing its messages.
fn strings(body: &[u8]) -> Vec<String> {
    let mut unzipped = Vec::new();
    let body = if body.starts_with(&[0x1f, 0x8b]) {
        flate2::read::MultiGzDecoder::new(body)
            .read_to_end(&mut unzipped)
            .expect("a whole gzip body");
        &unzipped
    } else {
        body
    };
    let mut found = Vec::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(document) => strings_of_json(&document, &mut found),
        Err(_) => assert!(fields(body, &mut found), "neither JSON nor protobuf"),
    }
    found
}

fn strings_of_json(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(values) => values
            .iter()
            .for_each(|value| strings_of_json(value, found)),
        Value::Object(values) => values
            .values()
            .for_each(|value| strings_of_json(value, found)),
        _ => {}
    }
}

/// Reads protobuf fields; what is no message itself and is UTF-8 is a string. Returns whether these are fields.
fn fields(mut rest: &[u8], found: &mut Vec<String>) -> bool {
    let mut here = Vec::new();
    while !rest.is_empty() {
        let Some(tag) = varint(&mut rest) else {
            return false;
        };
        if !(1..=64).contains(&(tag >> 3)) {
            return false;
        }
        let length = match tag & 7 {
            0 if varint(&mut rest).is_some() => 0,
            1 => 8,
            5 => 4,
            2 => match varint(&mut rest).and_then(|length| usize::try_from(length).ok()) {
                Some(length) => length,
                None => return false,
            },
            _ => return false,
        };
        let Some((field, after)) = rest.split_at_checked(length) else {
            return false;
        };
        rest = after;
        if tag & 7 == 2
            && !fields(field, &mut here)
            && let Ok(text) = std::str::from_utf8(field)
        {
            here.push(text.to_owned());
        }
    }
    found.append(&mut here);
    true
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// Returns the planted values of a capture that its requests hold, by kind.
fn planted(folder: &Path) -> BTreeMap<String, String> {
    let truth = fs::read(folder.join("truth.json")).expect("a capture has its truth");
    let truth: Value = serde_json::from_slice(&truth).expect("the truth is JSON");
    let conversations = truth["conversations"]
        .as_array()
        .expect("a capture has conversations");
    let values = conversations
        .iter()
        .filter_map(|one| one["planted_pii"].as_object())
        .flatten();
    values
        .filter(|(kind, planted)| {
            KINDS.contains(&kind.as_str()) && planted["in_exported_telemetry"] == true
        })
        .map(|(_, planted)| planted["value"].as_str().expect("a value").to_owned())
        .map(|value| (value.clone(), value))
        .collect()
}

#[test]
fn no_planted_value_survives_in_any_recorded_request() {
    let Some(captures) = shared("otlp-captures") else {
        return;
    };
    let mut seen = 0;
    for folder in fs::read_dir(captures)
        .expect("a folder of captures")
        .map(|entry| entry.unwrap().path())
    {
        if !folder.is_dir() {
            continue;
        }
        let requests = fs::read_dir(&folder)
            .expect("a capture")
            .map(|entry| entry.unwrap().path());
        let is_request = |path: &std::path::PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("request-") && name.ends_with(".bin")
        };
        let strings: Vec<String> = requests
            .filter(is_request)
            .flat_map(|path| strings(&fs::read(path).unwrap()))
            .collect();
        for value in planted(&folder).into_keys() {
            let holders: Vec<&String> = strings
                .iter()
                .filter(|text| text.contains(&value))
                .collect();
            assert!(
                !holders.is_empty(),
                "{value} is not in {}",
                folder.display()
            );
            seen += 1;
            for text in holders {
                assert!(
                    !rules().text(text).contains(&value),
                    "{value} survives in {text}"
                );
            }
        }
    }
    assert!(seen >= 40, "only {seen} planted values found");
}

/// The types of labelled values that have rules, and how many of a hundred must be found.
const TYPES: [(&str, usize); 9] = [
    ("email", 99),
    ("credit_card", 99),
    ("iban", 99),
    ("us_ssn", 99),
    ("api_key", 99),
    ("jwt", 99),
    ("private_key", 99),
    ("url_credentials", 99),
    ("bearer_token", 99),
];

#[test]
fn labelled_values_are_found_and_what_looks_like_them_stays() {
    let Some(path) = shared("pii/dev.jsonl.gz") else {
        return;
    };
    let mut lines = String::new();
    let file = fs::File::open(path).expect("the labelled texts can be read");
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut lines)
        .expect("gzip of UTF-8");
    let mut found: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let (mut negatives, mut lost) = (0, 0);
    for line in lines.lines() {
        let sample: Value = serde_json::from_str(line).expect("one document a line");
        let text = sample["text"].as_str().unwrap();
        let clean = rules().text(text);
        for entity in sample["entities"].as_array().unwrap() {
            let count = found
                .entry(entity["type"].as_str().unwrap().to_owned())
                .or_default();
            count.0 += 1;
            count.1 += usize::from(!clean.contains(entity["value"].as_str().unwrap()));
        }
        for negative in sample["negatives"].as_array().unwrap() {
            negatives += 1;
            lost += usize::from(!clean.contains(negative["value"].as_str().unwrap()));
        }
        if serde_json::from_str::<Value>(text).is_ok() {
            assert!(
                serde_json::from_str::<Value>(&clean).is_ok(),
                "no longer JSON: {clean}"
            );
        }
    }
    for (class, wanted) in TYPES {
        let (all, gone) = found[class];
        assert!(gone * 100 >= all * wanted, "{class}: {gone} of {all}");
    }
    assert!(lost * 1000 <= negatives, "{lost} of {negatives} lost");
}
