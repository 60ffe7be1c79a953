//! JSON stays JSON, and says by its keys what is private.

use serde_json::{Value, json};

use super::{becomes, rules, stays};

#[track_caller]
fn json_becomes(document: &Value, clean: &Value) {
    let found = rules().json(&document.to_string()).into_owned();
    assert_eq!(
        serde_json::from_str::<Value>(&found).expect("still JSON"),
        *clean
    );
}

#[test]
fn a_key_makes_a_value_private() {
    json_becomes(
        &json!({
            "password": "hunter2", "user": {"dbPassword": "a b"}, "api-key": "abcdef", "ssn": 376_869_050,
            "authorization": "anything", "http.request.header.authorization": ["Basic x"],
            "http.request.header.cookie": "sessionid=abc; theme=dark", "user.email": "jane@localhost",
            "phone": "07700 900929", "passwords": ["kept"], "user.ssn": "123-45-6789",
        }),
        &json!({
            "password": "[REDACTED:password]", "user": {"dbPassword": "[REDACTED:password]"},
            "api-key": "[REDACTED:api_key]", "ssn": "[REDACTED:us_ssn]",
            "authorization": "[REDACTED:bearer_token]",
            "http.request.header.authorization": ["[REDACTED:bearer_token]"],
            "http.request.header.cookie": "[REDACTED:session_cookie]", "user.email": "[REDACTED:email]",
            "phone": "[REDACTED:phone]", "passwords": ["kept"], "user.ssn": "[REDACTED:us_ssn]",
        }),
    );
}

#[test]
fn a_bare_number_becomes_a_quoted_placeholder() {
    becomes(
        "{\"card\":4111111111111111,\"n\": 12}",
        "{\"card\":\"[REDACTED:credit_card]\",\"n\": 12}",
    );
    becomes(
        "[4111111111111111 , -1.5e3]",
        "[\"[REDACTED:credit_card]\" , -1.5e3]",
    );
    assert_eq!(
        rules().json("4111111111111111"),
        "\"[REDACTED:credit_card]\""
    );
    becomes("4111111111111111", "[REDACTED:credit_card]");
}

#[test]
fn the_value_beside_a_name_is_what_the_name_says() {
    json_becomes(
        &json!([{"name": "password", "value": "hunter2"}, {"key": "x", "value": "y"},
            {"key": "api_key", "value": {"stringValue": "abcdef"}}]),
        &json!([{"name": "password", "value": "[REDACTED:password]"}, {"key": "x", "value": "y"},
            {"key": "api_key", "value": {"stringValue": "abcdef"}}]),
    );
}

#[test]
fn header_maps_keep_their_names_and_lose_their_values() {
    json_becomes(
        &json!({
            "gen_ai.headers": {"accept": "text/html", "x": ["a", 1, null], "deep": {"y": "z"}},
            "ai.request.headers.x-team": "blue",
            "llm.headers": "{\"x-team\":\"blue\"}",
            "langsmith.request.headers": "x-team=blue",
            "request": {"extraHeaders": {"x-team": "blue"}},
        }),
        &json!({
            "gen_ai.headers": {"accept": "[REDACTED:header]", "x": ["[REDACTED:header]", "[REDACTED:header]", null],
                "deep": {"y": "[REDACTED:header]"}},
            "ai.request.headers.x-team": "[REDACTED:header]",
            "llm.headers": "{\"x-team\":\"[REDACTED:header]\"}",
            "langsmith.request.headers": "[REDACTED:header]",
            "request": {"extraHeaders": {"x-team": "[REDACTED:header]"}},
        }),
    );
}

#[test]
fn the_headers_of_a_table_are_no_header_map() {
    stays("{\"headers\":[\"name\",\"total\"],\"rows\":[[\"a\",1]]}");
}

#[test]
fn escapes_hide_nothing() {
    becomes(
        r#"{"a":"jo\u0040example.com"}"#,
        r#"{"a":"[REDACTED:email]"}"#,
    );
    becomes(
        r#"{"a":"p:\/\/u:secret@h"}"#,
        r#"{"a":"p://u:[REDACTED:url_credentials]@h"}"#,
    );
    becomes(
        r#"{"pass\u0077ord":"hunter2"}"#,
        r#"{"pass\u0077ord":"[REDACTED:password]"}"#,
    );
    becomes(
        r#"{"a":"4111\u00a01111\u20091111\u00a01111"}"#,
        r#"{"a":"[REDACTED:credit_card]"}"#,
    );
    becomes(
        r#"{"a":"{\"b\":\"jo\\u0040example.com\"}"}"#,
        r#"{"a":"{\"b\":\"[REDACTED:email]\"}"}"#,
    );
    becomes("\"jo@example.com\"", "\"[REDACTED:email]\"");
}

#[test]
fn keys_are_cleaned_too() {
    becomes(
        "{\"jo@example.com\":{\"n\":1}}",
        "{\"[REDACTED:email]\":{\"n\":1}}",
    );
}

#[test]
fn what_is_not_changed_keeps_its_form() {
    becomes(
        "{ \"b\" :1.50,\"a\": \"\\u00e9\\/\" ,\n\"m\":\"jo@example.com\"}\n",
        "{ \"b\" :1.50,\"a\": \"\\u00e9\\/\" ,\n\"m\":\"[REDACTED:email]\"}\n",
    );
    stays("{ \"b\" :1.50,\"a\": \"\\u00e9\\/\\u0041\" }");
}

#[test]
fn a_document_that_breaks_off_is_cleaned_as_far_as_it_goes() {
    let whole = "{\"a\":[\"jo@example.com\",{\"password\":\"hunter2\",\"card\":4111111111111111,\"k\":\"jo@example.com\"}]}";
    for end in 0..whole.len() {
        let clean = rules().text(&whole[..end]).into_owned();
        for value in ["jo@example.com", "hunter2", "4111111111111111"] {
            assert!(!clean.contains(value), "{clean}");
        }
        assert_eq!(rules().text(&clean), clean);
    }
}

#[test]
fn a_key_that_breaks_off_is_cleaned() {
    becomes(
        "{\"a\":1,\"jo@example.com is",
        "{\"a\":1,\"[REDACTED:email] is",
    );
}

#[test]
fn lines_of_json_are_cleaned_line_by_line() {
    becomes(
        "{\"password\":\"a\"}\n{\"password\":\"b\"}",
        "{\"password\":\"[REDACTED:password]\"}\n{\"password\":\"[REDACTED:password]\"}",
    );
}

#[test]
fn text_that_only_begins_like_json_is_cleaned_as_text() {
    becomes(
        "[INFO] mail to jo@example.com",
        "[INFO] mail to [REDACTED:email]",
    );
    becomes("[1] 4111 1111 1111 1111", "[1] [REDACTED:credit_card]");
    becomes(
        "{ status: 401, password: 'hunter2' }",
        "{ status: 401, password: '[REDACTED:password]' }",
    );
    becomes("\"hi\" said jo@example.com", "\"hi\" said [REDACTED:email]");
    becomes(
        "{\"password\": \"hunter2\"} failed",
        "{\"password\": \"[REDACTED:password]\"} failed",
    );
}

#[test]
fn json_in_strings_is_read_eight_levels_deep_and_looked_through_as_text_below() {
    for levels in [1, 7, 8, 12] {
        let mut document = json!({"mail": "jo@example.com"}).to_string();
        for _ in 0..levels {
            document = json!({ "next": document }).to_string();
        }
        let mut clean = rules().text(&document).into_owned();
        for _ in 0..levels {
            let value: Value = serde_json::from_str(&clean).expect("still JSON");
            clean = value["next"].as_str().expect("still a string").to_owned();
        }
        assert_eq!(clean, "{\"mail\":\"[REDACTED:email]\"}", "{levels} levels");
    }
}

#[test]
fn a_document_may_be_as_deep_as_it_likes() {
    for depth in [1000, 100_000] {
        let document = format!(
            "{}\"jo@example.com\"{}",
            "[".repeat(depth),
            "]".repeat(depth)
        );
        assert!(!rules().text(&document).contains("jo@"), "{depth}");
    }
}

#[test]
fn a_string_in_ascii_stays_in_ascii() {
    becomes(
        r#"{"a":"\u00a35 \ud83d\ude00 jo@example.com"}"#,
        r#"{"a":"\u00a35 \ud83d\ude00 [REDACTED:email]"}"#,
    );
    becomes(
        r#"{"a":"£5 \u00a35 jo@example.com"}"#,
        r#"{"a":"£5 £5 [REDACTED:email]"}"#,
    );
}
