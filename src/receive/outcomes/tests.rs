//! Reports are read in every form, and a bad one costs only itself.

use super::*;

fn good(json: &str) -> RawOutcome {
    outcome(json.as_bytes()).unwrap()
}

/// A report with one field more.
fn with(field: &str) -> Result<RawOutcome, Refusal> {
    outcome(format!(r#"{{"task_id":"t","outcome":"partial",{field}}}"#).as_bytes())
}

#[test]
fn every_field_is_read() {
    let report = good(
        r#"{"id":"r1","tenant":"acme-1","trace_id":"0AF7651916CD43DD8448EB211C80319C","task_id":"t","outcome":"safe_fail",
            "score":0.5,"value_usd":12.345678901234,"reported_at":"2026-01-02T03:04:05.000000006+02:00","source":"human",
            "minutes_saved":-1.5,"human_minutes":2,"note":"n\u00e9e","more":[1]}"#,
    );
    let trace_id = "0af7651916cd43dd8448eb211c80319c";
    assert_eq!(hex::encode(report.trace_id.unwrap()), trace_id);
    assert_eq!(
        RawOutcome {
            trace_id: None,
            ..report
        },
        RawOutcome {
            id: Some("r1".into()),
            tenant: Some("acme-1".into()),
            trace_id: None,
            task_id: Some("t".into()),
            outcome: "safe_fail",
            score: Some(0.5),
            value_usd: Some(Usd(12_345_678_901_234)),
            reported_at_unix_nano: Some(1_767_315_845_000_000_006),
            source: Some("human".into()),
            minutes_saved: Some(-1.5),
            human_minutes: Some(2.0),
            note: Some("n\u{e9}e".into()),
        }
    );
}

#[test]
fn what_is_absent_null_or_empty_is_none() {
    let bare = RawOutcome {
        task_id: Some("t".into()),
        outcome: "success",
        ..RawOutcome::default()
    };
    assert_eq!(good(r#"{"task_id":"t","outcome":"success"}"#), bare);
    let empty = r#"{"task_id":"t","outcome":"success","trace_id":null,"score":null,"note":"","tenant":"","reported_at":null}"#;
    assert_eq!(good(empty), bare);
}

#[test]
fn money_is_exact() {
    let usd = |digits: &str| {
        with(&format!(r#""value_usd":{digits}"#))
            .unwrap()
            .value_usd
            .unwrap()
    };
    assert_eq!(usd("0.1"), Usd(100_000_000_000));
    assert_eq!(usd("\"0.1\""), Usd(100_000_000_000));
    assert_eq!(
        usd("123456789.123456789012"),
        Usd(123_456_789_123_456_789_012)
    );
    assert_eq!(usd("-3e-2"), Usd(-30_000_000_000));
}

#[test]
fn times_come_as_text_or_nanoseconds() {
    let at = |field: &str| with(field).unwrap().reported_at_unix_nano.unwrap();
    assert_eq!(at(r#""reported_at":"1970-01-01T00:00:01Z""#), 1_000_000_000);
    assert_eq!(
        at(r#""reported_at":"1970-01-01T02:00:00.5+02:00""#),
        500_000_000
    );
    assert_eq!(at(r#""reported_at_unix_nano":7"#), 7);
    assert_eq!(
        at(r#""reported_at_unix_nano":"1767315845000000006""#),
        1_767_315_845_000_000_006
    );
}

#[test]
fn a_bad_field_is_named_and_never_quoted() {
    let cases = [
        (
            r#""trace_id":"abc""#,
            Reason::TraceId,
            "trace_id is not 32 hexadecimal digits",
        ),
        (
            r#""trace_id":"00000000000000000000000000000000""#,
            Reason::TraceId,
            "trace_id is all zero",
        ),
        (r#""trace_id":5"#, Reason::Field, "trace_id is not a text"),
        (
            r#""tenant":"Acme""#,
            Reason::Tenant,
            "tenant holds more than lower-case letters, digits, _ and -",
        ),
        (r#""score":"high""#, Reason::Field, "score is not a number"),
        (r#""score":1e999"#, Reason::Field, "score is too large"),
        (
            r#""human_minutes":-1"#,
            Reason::Field,
            "human_minutes is less than 0",
        ),
        (
            r#""value_usd":"a lot""#,
            Reason::Field,
            "value_usd is not an amount that fits",
        ),
        (
            r#""value_usd":1e13"#,
            Reason::Field,
            "value_usd is not an amount that fits",
        ),
        (
            r#""reported_at":"yesterday""#,
            Reason::Time,
            "reported_at is not a time between 1970 and 2262",
        ),
        (
            r#""reported_at":"2026-01-01T00:00:00""#,
            Reason::Time,
            "reported_at is not a time between 1970 and 2262",
        ),
        (
            r#""reported_at":"2300-01-01T00:00:00Z""#,
            Reason::Time,
            "reported_at is not a time between 1970 and 2262",
        ),
        (
            r#""reported_at_unix_nano":-1"#,
            Reason::Time,
            "reported_at_unix_nano is not a time between 1970 and 2262",
        ),
    ];
    for (field, reason, what) in cases {
        assert_eq!(with(field), Err((reason, what.to_owned())), "{field}");
    }
    let missing = outcome(br#"{"task_id":"t"}"#);
    assert_eq!(missing, Err((Reason::Field, "outcome is missing".into())));
    for not_object in [&b"5"[..], b"[]", b"null", b"\"text\"", b"{", b"\xff"] {
        assert_eq!(outcome(not_object).unwrap_err().0, Reason::Malformed);
    }
}

#[test]
fn texts_are_bounded_on_both_sides() {
    for (name, max) in [
        ("id", NAME_BYTES_MAX),
        ("note", ATTRIBUTE_BYTES_MAX),
        ("tenant", TENANT_BYTES_MAX),
    ] {
        let of = |length: usize| with(&format!(r#""{name}":"{}""#, "a".repeat(length)));
        assert!(of(max).is_ok(), "{name}");
        let message = format!("{name} is {} bytes long, more than {max}", max + 1);
        assert_eq!(of(max + 1), Err((Reason::Field, message)));
    }
}
