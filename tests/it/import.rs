//! Real runs in through the command line: the same numbers however often, however rudely.

use std::path::Path;
use std::process::{Output, Stdio};

use prost::Message;

use crate::support::{Node, outspan, request, scratch, shared, span};

struct Set {
    folder: &'static str,
    spans: i64,
    traces: i64,
}

const AIRLINE: Set = Set {
    folder: "truth/airline",
    spans: 3_818,
    traces: 200,
};
const COMPANY: Set = Set {
    folder: "truth/company",
    spans: 20_309,
    traces: 1_900,
};

fn import(target: &[&str], files: &[&Path]) -> Output {
    let output = outspan()
        .arg("import")
        .args(files)
        .args(target)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output
}

async fn check(node: &Node, set: &Set) {
    assert_eq!(node.number("select count(*) from spans").await, set.spans);
    assert_eq!(
        node.number("select count(distinct trace_id) from spans")
            .await,
        set.traces
    );
    let doubled = "select count(*) from (select trace_id, span_id from spans group by trace_id, span_id having count(*) > 1)";
    assert_eq!(node.number(doubled).await, 0);
}

/// Imports twice into a server, then looks after a restart and after a compaction.
async fn imported(set: &Set) {
    let Some(folder) = shared(set.folder) else {
        return;
    };
    let (_room, dir) = scratch();
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "300")]);
    let server = node.url("http");
    let traces = folder.join("traces.otlp.pb.gz");
    for _ in 0..2 {
        import(&["--server", &server], &[&traces]);
        check(&node, set).await;
    }
    assert_eq!(node.terminate(), Some(0));
    let compacted = outspan()
        .args(["maintain", "compact", "--data"])
        .arg(&dir)
        .output()
        .unwrap();
    assert!(
        compacted.status.success(),
        "{}",
        String::from_utf8_lossy(&compacted.stderr)
    );
    node.start_again();
    check(&node, set).await;
    import(&["--server", &node.url("http")], &[&traces]);
    check(&node, set).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn airline_counts_the_same_imported_once_or_twice_and_after_compaction() {
    imported(&AIRLINE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn company_counts_the_same_imported_once_or_twice_and_after_compaction() {
    imported(&COMPANY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_in_the_middle_can_be_done_again() {
    let Some(folder) = shared(COMPANY.folder) else {
        return;
    };
    let (_room, dir) = scratch();
    let traces = folder.join("traces.otlp.pb.gz");
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "100")]);
    let mut import_ = outspan();
    let import_ = import_
        .arg("import")
        .arg(&traces)
        .args(["--server", &node.url("http")]);
    let mut running = import_
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    while node.number("select count(*) from spans").await < 2_000 {}
    node.kill();
    assert!(
        !running.wait().unwrap().success(),
        "an import whose server is killed fails"
    );
    node.start_again();
    let kept = node.number("select count(*) from spans").await;
    assert!((2_000..COMPANY.spans).contains(&kept), "{kept}");
    import(&["--server", &node.url("http")], &[&traces]);
    check(&node, &COMPANY).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcome_reports_are_imported_once_and_join_their_runs() {
    let Some(folder) = shared(AIRLINE.folder) else {
        return;
    };
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let (traces, outcomes) = (
        folder.join("traces.otlp.pb.gz"),
        folder.join("outcomes.jsonl"),
    );
    for _ in 0..2 {
        import(&["--server", &node.url("http")], &[&traces, &outcomes]);
    }
    let by_outcome = node
        .rows("select outcome, count(*) from outcomes group by outcome order by outcome")
        .await;
    let expected = serde_json::json!([["escalated", 13], ["failure", 103], ["success", 84]]);
    assert_eq!(serde_json::to_value(by_outcome).unwrap(), expected);
    let joined =
        "select count(distinct o.trace_id) from outcomes o join spans s on s.trace_id = o.trace_id";
    assert_eq!(node.number(joined).await, 200);
}

#[test]
fn a_directory_that_no_server_holds_is_served_for_the_moment() {
    let Some(folder) = shared(AIRLINE.folder) else {
        return;
    };
    let (_room, dir) = scratch();
    let data = dir.to_str().unwrap();
    import(&["--data", data], &[&folder.join("traces.otlp.pb.gz")]);
    let asked = outspan()
        .args([
            "sql",
            "select count(*) as n from spans",
            "--format",
            "csv",
            "--data",
            data,
        ])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout), "n\n3818\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_span_in_a_file_costs_only_itself() {
    let (room, dir) = scratch();
    let node = Node::start(&dir);
    let mut bad = span(1, 2, "bad");
    bad.trace_id = vec![1, 2, 3];
    let file = room.path().join("spans.pb");
    std::fs::write(
        &file,
        request(vec![bad, span(1, 1, "good")]).encode_to_vec(),
    )
    .unwrap();
    let imported = import(&["--server", &node.url("http")], &[&file]);
    let said = String::from_utf8_lossy(&imported.stdout);
    assert!(
        said.contains("1 items refused") && said.contains("trace"),
        "{said}"
    );
    assert_eq!(node.number("select count(*) from spans").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_may_have_been_cut_off_says_so() {
    let (_room, dir) = scratch();
    let node = Node::start_with(&dir, &[("OUTSPAN_QUERY__ROWS_MAX", "5")]);
    let ask = |sql: &str| {
        let arguments = ["sql", sql, "--format", "csv", "--server", &node.url("http")];
        let output = outspan().args(arguments).output().unwrap();
        let lines = String::from_utf8_lossy(&output.stdout).lines().count();
        (lines, String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (lines, warning) = ask("select * from range(0, 10)");
    assert!(
        lines == 6 && warning.contains("there may be more"),
        "{lines} {warning}"
    );
    assert_eq!(ask("select * from range(0, 4)"), (5, String::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_imported_for_the_tenant_that_is_named() {
    let (room, dir) = scratch();
    let node = Node::start(&dir);
    let file = room.path().join("spans.pb");
    std::fs::write(&file, request(vec![span(1, 1, "a")]).encode_to_vec()).unwrap();
    let server = node.url("http");
    for tenant in ["acme", "umbrella"] {
        import(&["--server", &server, "--tenant", tenant], &[&file]);
    }
    let tenants = node.rows("select tenant from spans order by tenant").await;
    assert_eq!(
        serde_json::to_value(tenants).unwrap(),
        serde_json::json!([["acme"], ["umbrella"]])
    );
    let bad = outspan()
        .args(["import", "--server", &server, "--tenant", "No!"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        !bad.status.success() && String::from_utf8_lossy(&bad.stderr).contains("x-outspan-tenant")
    );
}
