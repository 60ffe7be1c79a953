//! What is hidden in bytes, and what is cut off, is taken out like anything else.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::redact::Rules;

#[test]
fn bytes_that_are_text_are_cleaned_and_stay_bytes() {
    let document =
        |bytes: &[u8]| format!(r#"{{"arr":[{{"$b":"{}"}}],"n":1}}"#, BASE64.encode(bytes));
    let rules = Rules::builtin();
    let clean = rules
        .json(&document(b"write to jane.doe@example.com"))
        .into_owned();
    assert_eq!(clean, document(b"write to [REDACTED:email]"));
    let nested = format!(
        "{{\"inner\":{}}}",
        serde_json::to_string(&document(b"card 4111 1111 1111 1111")).unwrap()
    );
    let found: serde_json::Value = serde_json::from_str(&rules.json(&nested)).unwrap();
    assert_eq!(found["inner"], document(b"card [REDACTED:credit_card]"));
    for harmless in [&b"nobody"[..], &[0xFF, 0xFE, 0x00]] {
        assert_eq!(rules.json(&document(harmless)), document(harmless));
    }
}

#[test]
fn a_private_key_without_an_end_is_taken_out_to_the_end_of_the_text() {
    let body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7".repeat(8);
    let text = format!("here: -----BEGIN PRIVATE KEY-----\n{body}");
    let clean = Rules::builtin().text(&text).into_owned();
    assert!(!clean.contains(&body[..32]), "{clean}");
}
