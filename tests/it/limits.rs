//! What is refused, and that refusing it leaves the server answering others.

use serde_json::json;

use crate::support::{JSON, Node, PROTOBUF, request, scratch, span, text};

#[tokio::test(flavor = "multi_thread")]
async fn only_reading_statements_are_let_in() {
    let (room, dir) = scratch();
    let node = Node::start(&dir);
    let file = room.path().join("out.csv");
    let refused = [
        format!("copy spans to '{}'", file.display()),
        format!(
            "create external table t stored as csv location '{}'",
            file.display()
        ),
        "create table t as select 1".to_owned(),
        "create view v as select 1".to_owned(),
        "insert into spans select * from spans".to_owned(),
        "update spans set name = 'x'".to_owned(),
        "delete from spans".to_owned(),
        "drop table spans".to_owned(),
        "set datafusion.execution.target_partitions = 1".to_owned(),
        "prepare p as select 1".to_owned(),
        "execute p".to_owned(),
        "select 1; select 2".to_owned(),
        "explain insert into spans select * from spans".to_owned(),
        format!("explain analyze copy spans to '{}'", file.display()),
    ];
    for sql in &refused {
        let (status, body) = node.ask(sql).await;
        assert!((400..500).contains(&status), "{sql}: {status} {body}");
        assert!(body["error"]["message"].is_string(), "{sql}: {body}");
    }
    let urls = [
        "'/etc/passwd'",
        "\"/etc/passwd\"",
        "\"file:///etc/passwd\"",
        "\"http://127.0.0.1:1/x.parquet\"",
        "\"s3://bucket/x.parquet\"",
    ];
    for table in urls {
        let (status, body) = node.ask(&format!("select * from {table}")).await;
        assert!((400..500).contains(&status), "{table}: {status} {body}");
    }
    assert!(!file.exists());
    assert_eq!(node.number("select count(*) from spans").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn bombs_leave_the_server_answering_others() {
    let (_room, dir) = scratch();
    let node = std::sync::Arc::new(Node::start_with(
        &dir,
        &[("OUTSPAN_QUERY__DEADLINE_MS", "4000")],
    ));
    assert!(
        node.send(&request((1..=20).map(|id| span(1, id, "work")).collect()))
            .await
    );
    let terms: Vec<_> = (0..3_000).map(|at| format!("name = 'x{at}'")).collect();
    let bombs = [
        "select length(repeat('x', 1000000000))".to_owned(),
        "select repeat(name, 1000000000) from spans".to_owned(),
        "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r"
            .to_owned(),
        "select count(*) from range(0, 1000000) a cross join range(0, 1000000) b".to_owned(),
        format!("select count(*) from spans where {}", terms.join(" or ")),
    ];
    let mut running = tokio::task::JoinSet::new();
    for bomb in bombs {
        let node = std::sync::Arc::clone(&node);
        running.spawn(async move {
            let (status, body) = node.ask(&bomb).await;
            let name: String = bomb.chars().take(60).collect();
            assert!(
                (400..500).contains(&status) || status == 504,
                "{name}: {status} {body}"
            );
        });
    }
    // While they run, and as long as one does, others are answered.
    while !running.is_empty() {
        assert_eq!(node.number("select count(*) from spans").await, 20);
        assert!(node.send(&request(vec![span(1, 1, "work")])).await);
        while let Some(ended) = running.try_join_next() {
            ended.unwrap();
        }
    }
    assert_eq!(node.number("select count(*) from spans").await, 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_span_is_counted_and_named_and_the_rest_of_its_batch_is_kept() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let mut bad = span(1, 2, "bad");
    bad.trace_id = vec![1, 2, 3];
    let sent = prost::Message::encode_to_vec(&request(vec![span(1, 1, "good"), bad]));
    let answer = node.post("/v1/traces", PROTOBUF, sent).await.unwrap();
    assert_eq!(answer.status(), 200);
    use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
    let told: ExportTraceServiceResponse =
        prost::Message::decode(answer.bytes().await.unwrap()).unwrap();
    let partial = told.partial_success.unwrap();
    assert_eq!(partial.rejected_spans, 1);
    assert!(
        partial.error_message.contains("trace id") || partial.error_message.contains("trace_id"),
        "{}",
        partial.error_message
    );
    assert_eq!(node.number("select count(*) from spans").await, 1);
    let metrics = node.text("http", "/metrics").await;
    assert!(
        metrics.lines().any(|line| line.contains("rejected")
            && line.contains("trace_id")
            && line.ends_with(" 1")),
        "{metrics}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_told_so() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let cases = [
        ("text/plain", b"hello".to_vec(), 415),
        (PROTOBUF, vec![0xFF; 40], 400),
        (JSON, b"{".to_vec(), 400),
    ];
    for (media, body, expected) in cases {
        let answer = node.post("/v1/traces", media, body).await.unwrap();
        assert_eq!(answer.status().as_u16(), expected, "{media}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_five_formats_say_the_same() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let mut sent = span(1, 7, "a \"quoted\", name");
    sent.attributes = vec![text("user.note", "mail jane.doe@example.com")];
    assert!(node.send(&request(vec![sent])).await);
    let sql =
        "select name, span_id, start_unix_nano, ts, attributes ->> 'user.note' as note from spans";
    let ask = async |accept: &str| {
        let url = format!("{}/api/v1/sql", node.url("http"));
        let body = json!({ "sql": sql });
        let answer = reqwest::Client::new()
            .post(url)
            .header("accept", accept)
            .json(&body)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.headers()["content-type"], accept);
        answer.bytes().await.unwrap()
    };
    let json: serde_json::Value = serde_json::from_slice(&ask(JSON).await).unwrap();
    let row = json!([
        "a \"quoted\", name",
        "0000000000000007",
        1_760_000_000_000_000_007_i64,
        "2025-10-09T08:53:20Z",
        "mail [REDACTED:email]"
    ]);
    assert_eq!(
        (&json["rows"][0], &json["truncated"]),
        (&row, &json!(false))
    );
    let line: serde_json::Value =
        serde_json::from_slice(&ask("application/x-ndjson").await).unwrap();
    assert_eq!(line["start_unix_nano"], row[2]);
    let csv = ask("text/csv").await;
    assert!(
        String::from_utf8_lossy(&csv).contains("\"a \"\"quoted\"\", name\""),
        "{csv:?}"
    );
    let arrow = ask("application/vnd.apache.arrow.stream").await;
    let rows = arrow::ipc::reader::StreamReader::try_new(arrow.as_ref(), None)
        .unwrap()
        .map(Result::unwrap);
    assert_eq!(rows.map(|rows| rows.num_rows()).sum::<usize>(), 1);
    let parquet = ask("application/vnd.apache.parquet").await;
    let rows = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(parquet)
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(rows.map(|rows| rows.unwrap().num_rows()).sum::<usize>(), 1);
}
