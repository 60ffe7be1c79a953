//! The examples of the rules, alone, in JSON and in JSON within JSON; the names that make a value private; and what must
//! stay.

use super::{becomes, classes, rules, stays};
use crate::redact::builtin;

/// Writes every character of a string of JSON as an escape.
fn escaped(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| format!("\\u{unit:04x}"))
        .collect()
}

fn as_json(text: &str) -> String {
    serde_json::json!({ "note": text, "n": 1.50 }).to_string()
}

#[track_caller]
fn note(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("still JSON");
    value["note"].as_str().expect("still a string").to_owned()
}

#[test]
fn every_rule_has_examples_of_both_kinds() {
    for rule in builtin::rules() {
        assert!(
            !rule.hits.is_empty() && !rule.misses.is_empty(),
            "{}",
            rule.name
        );
        let placeholder = rule.class.placeholder();
        assert!(
            rule.hits
                .iter()
                .all(|(_, clean)| clean.contains(&placeholder)),
            "{}",
            rule.name
        );
    }
}

#[test]
fn every_rule_takes_out_what_its_examples_say() {
    for (text, clean) in builtin::rules().flat_map(|rule| rule.hits) {
        becomes(text, clean);
    }
}

#[test]
fn no_rule_touches_what_only_looks_like_it() {
    for text in builtin::rules().flat_map(|rule| rule.misses) {
        stays(text);
        stays(&as_json(text));
    }
}

#[test]
fn the_examples_are_found_in_json_as_well() {
    for (text, clean) in builtin::rules().flat_map(|rule| rule.hits) {
        assert_eq!(note(&rules().text(&as_json(text))), *clean, "from {text}");
        let json = format!("{{\"note\":\"{}\"}}", escaped(text));
        assert_eq!(note(&rules().text(&json)), *clean, "from {json}");
    }
}

#[test]
fn the_examples_are_found_in_json_within_json() {
    for (text, clean) in builtin::rules().flat_map(|rule| rule.hits) {
        let mut json = as_json(text);
        for _ in 0..3 {
            json = as_json(&json);
        }
        let mut found = rules().text(&json).into_owned();
        for _ in 0..4 {
            found = note(&found);
        }
        assert_eq!(found, *clean, "from {text}");
    }
}

#[test]
fn neighbours_of_any_script_neither_hide_nor_join_a_value() {
    for (before, after) in [
        ("（", "）"),
        ("номер ", " и"),
        ("¿", "?"),
        ("\u{feff}", "\u{200b}"),
        ("€", "€"),
    ] {
        for value in [
            "4111111111111111",
            "078-05-1120",
            "DE89370400440532013000",
            "+4915112345678",
        ] {
            let clean = rules().text(value).into_owned();
            assert!(clean.starts_with("[REDACTED:"), "{value}");
            becomes(
                &format!("{before}{value}{after}"),
                &format!("{before}{clean}{after}"),
            );
        }
    }
}

#[test]
fn a_name_makes_a_value_private() {
    for (text, clean) in [
        (
            "SMTP_PASSWORD=Tiger*9256\nPORT=25",
            "SMTP_PASSWORD=[REDACTED:password]\nPORT=25",
        ),
        (
            "db_password=u2eMKGBTQNOu! loaded",
            "db_password=[REDACTED:password] loaded",
        ),
        (
            "  password: 'P4ss word 5',",
            "  password: '[REDACTED:password]',",
        ),
        (
            "{'password': 'hunter2', 'x': 1}",
            "{'password': '[REDACTED:password]', 'x': 1}",
        ),
        (
            "mysql --password hunter2 -h db",
            "mysql --password [REDACTED:password] -h db",
        ),
        (
            "alter user x password 'hunter2';",
            "alter user x password '[REDACTED:password]';",
        ),
        (
            "user=a;pwd=hunter2;host=b",
            "user=a;pwd=[REDACTED:password];host=b",
        ),
        (
            "secretKey: oXMrNjdL5amGVsos1",
            "secretKey: [REDACTED:api_key]",
        ),
        (
            "AWS_SECRET_ACCESS_KEY=Rv1/qacU+PbHlmnY0Axb",
            "AWS_SECRET_ACCESS_KEY=[REDACTED:api_key]",
        ),
        (
            "x-api-key: a81bc81bdead4e5d",
            "x-api-key: [REDACTED:api_key]",
        ),
        (
            "?token=r4HCfhh4ZCKBWM1hgKa8wo&v=1",
            "?token=[REDACTED:bearer_token]&v=1",
        ),
        (
            "token: 'N3HRlpyNI9FVnCNGNNRA1q', x",
            "token: '[REDACTED:bearer_token]', x",
        ),
        (
            "Authorization: Digest a81bc81bdead4e5d81",
            "Authorization: Digest [REDACTED:bearer_token]",
        ),
        (
            "Set-Cookie: sid=abc; theme=dark\r\n",
            "Set-Cookie: [REDACTED:session_cookie]\r\n",
        ),
        ("email=jane@localhost", "email=[REDACTED:email]"),
        (
            "said {\\\"password\\\": \\\"hun\\\\\\\"ter2\\\"} to",
            "said {\\\"password\\\": \\\"[REDACTED:password]\\\"} to",
        ),
    ] {
        becomes(text, clean);
    }
}

#[test]
fn a_name_that_only_sounds_private_changes_nothing() {
    for text in [
        "forgot your password? the password reset page",
        "the password is wrong, the password is 8 long",
        "password: ${DB_PASSWORD}",
        "password=***",
        "password: string",
        "the secret: never give up",
        "secret = required",
        "api_key: missing",
        "max_tokens=4096&token=next",
        "input_tokens: 190100",
        "token_type=authorization_code",
        "authorization: granted",
        "cookies: chocolate",
        "{\"token\": \" the\", \"logprob\": -0.5, \"bytes\": [32, 116]}",
        "{\"password\": null, \"has_password\": true, \"password_hint\": \"dog\"}",
        "{\"type\":\"object\",\"properties\":{\"password\":{\"type\":\"string\"}},\"required\":[\"password\"]}",
    ] {
        stays(text);
    }
}

#[test]
fn what_analytics_needs_stays() {
    for text in [
        "376979d0-6941-4a95-a808-ccc550953193",
        "60804dec7e35d8e9a3b6302e70bc5619",
        "0005a858091344ec",
        "ORD-15149638 SO6109716307 #6432991 ord_c2h6iaxhd3bj5x",
        "call_VVhQyvCY6dozcQDFdNfbTeJb toolu_01A09q90qw90lq917835lq9",
        "chatcmpl-CdR8mGk2bWJ9YpR4sKp2xVt6hJq1Z msg_01XFDUDYJgAACzvnptvVoYEL",
        "run_01JTSYWFZH5MR02P8BXSP0APMC",
        "2026-03-26T13:30:27.141323+02:00 2026-10-03 10:41:01",
        "1737072284800 1750865071077429303 1750865071",
        "$9,503.31 USD 4,830.70 €1713.73 0.000123",
        "claude-3-5-haiku-20241022 gpt-4o-2024-08-06 deepseek-r1-0528",
        "6.6.48 v22.24.33 1.13.48-rc.1 v18.14.7.38",
        "sha256:c30b88b759d8e6bd23022530a16486b512b3adfb4b1c72d8d38ed4ec207ef3c3",
        "9400102878480958165745 TBA005437446027 JD005272691855709811 1ZTEA43Z6661601322",
        "PO-192-6245-61 RMA 8473-3144-7586 206-5058076-8840993",
        "ip-10-2-33-41.prod.example.internal 87.409s 9347.65ms",
    ] {
        stays(text);
        stays(&serde_json::json!({ "id": text, "list": [text] }).to_string());
    }
}

#[test]
fn values_are_counted_by_class() {
    let text = "a@example.com b@example.com 078-05-1120 password=hunter2";
    assert_eq!(
        classes(text),
        [("password", 1), ("email", 2), ("us_ssn", 1)]
    );
    assert_eq!(classes("nothing here"), []);
}

#[test]
fn a_value_within_another_is_counted_once_under_the_first_class() {
    let token = concat!("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxIn0.c2lnbmF0dXJl");
    assert_eq!(
        classes(&format!("Authorization: Bearer {token}")),
        [("jwt", 1)]
    );
    assert_eq!(classes("password=jane@example.com"), [("password", 1)]);
    assert_eq!(classes("+4915112345678"), [("phone", 1)]); // without the plus, a Visa card
    assert_eq!(classes("4915112345678"), [("credit_card", 1)]);
}
