//! A span counts once, whenever and wherever it is sent again; the most complete version wins.

use opentelemetry_proto::tonic::trace::v1::Span;
use serde_json::json;

use crate::support::{JSON, Node, request, scratch, span, text};

async fn names(node: &Node) -> Vec<String> {
    let rows = node.rows("select name from spans order by name").await;
    rows.iter()
        .map(|row| row[0].as_str().unwrap().to_owned())
        .collect()
}

/// The same span, ended later and with an attribute more.
fn more_complete(name: &str) -> Span {
    let mut span = span(1, 1, name);
    span.end_time_unix_nano += 1_000_000;
    span.attributes.push(text("gen_ai.operation.name", "chat"));
    span
}

#[tokio::test(flavor = "multi_thread")]
async fn a_span_sent_again_counts_once_in_every_state_of_the_table() {
    let (_room, dir) = scratch();
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "3600000")]);
    let sent = request(vec![span(1, 1, "a"), span(1, 2, "b"), span(1, 1, "a")]);
    assert!(node.send(&sent).await);
    assert_eq!(names(&node).await, ["a", "b"], "twice in one request");
    assert!(node.send(&sent).await);
    assert_eq!(names(&node).await, ["a", "b"], "in another request");
    node.kill();
    node.start_again();
    assert!(node.send(&sent).await);
    assert_eq!(
        names(&node).await,
        ["a", "b"],
        "after a crash, before a flush"
    );
    assert_eq!(node.terminate(), Some(0));
    node.start_again();
    assert_eq!(names(&node).await, ["a", "b"], "after a flush");
    assert!(node.send(&sent).await);
    assert_eq!(
        names(&node).await,
        ["a", "b"],
        "sent again after a flush and a restart"
    );
    node.kill();
    node.start_again();
    assert_eq!(
        names(&node).await,
        ["a", "b"],
        "and after a crash behind that"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_span_in_json_is_the_same_span() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let mut sent = span(1, 1, "a");
    sent.attributes = vec![text("b", "2"), text("a", "1")];
    assert!(node.send(&request(vec![sent.clone()])).await);
    let as_json = json!({ "resourceSpans": [{
        "resource": { "attributes": [{ "key": "service.name", "value": { "stringValue": "test-agent" } }] },
        "scopeSpans": [{ "spans": [{
            "spanId": "0000000000000001", "traceId": "00000000000000000000000000000001", "kind": 1, "name": "a",
            "startTimeUnixNano": sent.start_time_unix_nano.to_string(), "endTimeUnixNano": sent.end_time_unix_nano.to_string(),
            "attributes": [{ "value": { "stringValue": "1" }, "key": "a" }, { "key": "b", "value": { "stringValue": "2" } }],
        }] }],
    }] });
    let answer = node
        .post("/v1/traces", JSON, as_json.to_string().into_bytes())
        .await
        .unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.text().await.unwrap()),
        (200, "{}".to_owned())
    );
    assert_eq!(node.number("select count(*) from spans").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_complete_version_wins_in_whichever_order_and_state() {
    let (_room, dir) = scratch();
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "3600000")]);
    let (short, long) = (
        request(vec![span(1, 1, "short"), span(1, 2, "other")]),
        request(vec![more_complete("long")]),
    );
    assert!(node.send(&short).await);
    assert!(node.send(&long).await);
    assert_eq!(names(&node).await, ["long", "other"], "both in the buffer");
    assert!(node.send(&short).await);
    assert_eq!(
        names(&node).await,
        ["long", "other"],
        "the lesser version comes again"
    );
    assert_eq!(node.terminate(), Some(0));
    node.start_again();
    let mut longer = more_complete("longer");
    longer.end_time_unix_nano += 1;
    assert!(node.send(&request(vec![longer.clone()])).await);
    assert_eq!(
        names(&node).await,
        ["longer", "other"],
        "the lesser one is in a file"
    );
    node.kill();
    node.start_again();
    assert_eq!(names(&node).await, ["longer", "other"], "after a crash");
    assert_eq!(node.terminate(), Some(0));
    node.start_again();
    assert_eq!(
        names(&node).await,
        ["longer", "other"],
        "after the file was rewritten"
    );
    assert!(node.send(&long).await);
    assert_eq!(names(&node).await, ["longer", "other"]);
    assert_eq!(
        node.number("select count(*) from spans where end_ts > ts")
            .await,
        2
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn content_and_events_are_those_of_the_version_that_won() {
    let (_room, dir) = scratch();
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "3600000")]);
    let with_content = |mut span: Span, said: &str| {
        span.attributes.push(text(
            "gen_ai.input.messages",
            &format!(
                "[{{\"role\":\"user\",\"parts\":[{{\"type\":\"text\",\"content\":\"{said}\"}}]}}]"
            ),
        ));
        span.events
            .push(opentelemetry_proto::tonic::trace::v1::span::Event {
                name: said.to_owned(),
                time_unix_nano: span.start_time_unix_nano,
                ..Default::default()
            });
        request(vec![span])
    };
    let found = async |node: &Node| {
        let bodies = node.rows("select body from span_content").await;
        let events = node.rows("select name from span_events").await;
        assert_eq!((bodies.len(), events.len()), (1, 1));
        (
            bodies[0][0].as_str().unwrap().to_owned(),
            events[0][0].as_str().unwrap().to_owned(),
        )
    };
    assert!(node.send(&with_content(span(1, 1, "a"), "first")).await);
    assert_eq!(node.terminate(), Some(0));
    node.start_again();
    assert!(node.send(&with_content(more_complete("a"), "second")).await);
    let (body, event) = found(&node).await;
    assert!(
        body.contains("second") && event == "second",
        "{body} {event}"
    );
    assert!(node.send(&with_content(span(1, 1, "a"), "first")).await);
    assert_eq!(node.terminate(), Some(0));
    node.start_again();
    let (body, event) = found(&node).await;
    assert!(
        body.contains("second") && event == "second",
        "{body} {event}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outcome_that_is_reported_again_counts_once_and_a_corrected_one_is_kept_beside_it() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let url = format!("{}/api/v1/outcomes", node.url("http"));
    let trace = "0000000000000000000000000000000a";
    let report = |outcome: &str, at: &str| json!({ "trace_id": trace, "outcome": outcome, "reported_at": at });
    let (first, corrected) = (
        report("failure", "2026-01-01T00:00:00Z"),
        report("success", "2026-01-02T00:00:00Z"),
    );
    for body in [&first, &first, &corrected] {
        let answer = reqwest::Client::new()
            .post(&url)
            .json(body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200, "{}", answer.text().await.unwrap());
    }
    let latest = node
        .rows("select outcome, reported_at from outcomes order by reported_at desc")
        .await;
    assert_eq!(
        serde_json::to_value(latest).unwrap(),
        json!([
            ["success", "2026-01-02T00:00:00Z"],
            ["failure", "2026-01-01T00:00:00Z"]
        ])
    );
}
