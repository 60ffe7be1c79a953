//! Outcome reports over HTTP.

use std::time::Duration;

use serde_json::json;

use super::support::*;
use crate::model::limits::HTTP_BODY_BYTES_MAX;
use crate::model::{Reason, Rejected};
use crate::receive::{IngestError, Receipt};

const PATH: &str = "/api/v1/outcomes";
const GOOD: &str = r#"{"task_id":"t","outcome":"success"}"#;

#[tokio::test]
async fn one_object_an_array_and_lines_are_all_taken() {
    let house = House::open().await;
    let forms = [
        (GOOD.to_owned(), 1),
        (
            "{\n  \"task_id\": \"t\",\n  \"outcome\": \"success\"\n}\n".to_owned(),
            1,
        ),
        (format!("[{GOOD},{GOOD}]"), 2),
        (format!("{GOOD}\n\n{GOOD}\r\n{GOOD}"), 3),
    ];
    for (body, count) in forms {
        for (name, wire) in [
            ("gzip", gzip(body.as_bytes())),
            ("zstd", zstd(body.as_bytes())),
        ] {
            let answer = house.post(PATH, &[("content-encoding", name)], wire).await;
            assert_eq!(answer.status, 200);
        }
        let answer = house.post(PATH, &[], body).await;
        assert_eq!(
            answer.json(),
            json!({ "accepted": count, "rejected": 0, "errors": [] })
        );
    }
    assert_eq!(house.engine.reports.lock().len(), 3 * 7);
}

#[tokio::test]
async fn bad_reports_are_named_and_good_ones_kept() {
    let house = House::open().await;
    let lines = format!("{GOOD}\n\n{{\"task_id\":\"t\",\"outcome\":\"won\"}}\nnot json\n{GOOD}");
    let answer = house.post(PATH, &[], lines).await;
    assert_eq!(answer.status, 200);
    let words = "success, partial, failure, escalated, safe_fail, abandoned";
    assert_eq!(
        answer.json(),
        json!({ "accepted": 2, "rejected": 2, "errors": [
            { "index": 1, "message": format!("line 3: outcome is none of {words}") },
            { "index": 2, "message": "line 4: is not a JSON object" },
        ]})
    );
    let answer = house
        .post(PATH, &[], format!("[{GOOD},{{\"outcome\":\"success\"}}]"))
        .await;
    assert_eq!(
        answer.json(),
        json!({ "accepted": 1, "rejected": 1, "errors": [
            { "index": 1, "message": "trace_id and task_id are both missing" },
        ]})
    );
    assert_eq!(house.engine.reports.lock().len(), 3);
}

#[tokio::test]
async fn where_nothing_can_be_accepted_the_request_is_400() {
    let house = House::open().await;
    let answer = house
        .post(PATH, &[], r#"{"task_id":"t","outcome":"won"}"#)
        .await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(
        (&body["accepted"], &body["rejected"]),
        (&json!(0), &json!(1))
    );
    assert_eq!(body["error"]["code"], "invalid");
    for broken in ["", "  ", "[", "[1,"] {
        let answer = house.post(PATH, &[], broken).await;
        assert_eq!(answer.status, 400, "{broken}");
        assert_eq!(answer.json()["error"]["code"], "invalid");
    }
    assert_eq!(house.post(PATH, &[], "[]").await.status, 200);
    assert_eq!(house.engine.reports.lock().len(), 0);
}

#[tokio::test]
async fn an_answer_names_the_first_hundred_bad_reports_and_counts_all() {
    let house = House::open().await;
    let answer = house
        .post(PATH, &[], format!("{GOOD}\n{}", "{}\n".repeat(150)))
        .await;
    let body = answer.json();
    assert_eq!(
        (&body["accepted"], &body["rejected"]),
        (&json!(1), &json!(150))
    );
    assert_eq!(body["errors"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn what_a_later_stage_refuses_is_counted_too() {
    let house = House::open().await;
    let mut rejected = Rejected::default();
    rejected.add(Reason::Tenant, || "tenant acme is not yours".into());
    *house.engine.answer.lock() = Ok(Receipt { rejected });
    let answer = house.post(PATH, &[], format!("[{GOOD},{GOOD}]")).await;
    assert_eq!(
        answer.json(),
        json!({ "accepted": 1, "rejected": 1, "errors": [
            { "index": null, "message": "tenant acme is not yours" },
        ]})
    );
}

#[tokio::test]
async fn refusals_speak_the_language_of_the_api() {
    let house = House::open().await;
    let too_large = vec![b' '; HTTP_BODY_BYTES_MAX + 1];
    let answer = house.post(PATH, &[], too_large).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (413, &json!("too_large"))
    );
    let answer = house.post(PATH, &[("content-encoding", "br")], GOOD).await;
    assert_eq!(
        (answer.status, &answer.json()["error"]["code"]),
        (415, &json!("unsupported"))
    );
    *house.engine.answer.lock() = Err(IngestError::Busy {
        retry_after: Duration::from_secs(4),
    });
    let answer = house.post(PATH, &[], GOOD).await;
    assert_eq!(
        (answer.status, answer.header("retry-after")),
        (429, Some("4"))
    );
    assert_eq!(answer.json()["error"]["code"], "busy");
    *house.engine.answer.lock() = Err(IngestError::Full);
    assert_eq!(house.post(PATH, &[], GOOD).await.status, 503);
}
