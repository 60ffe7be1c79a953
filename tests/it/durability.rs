//! Durable before acknowledged: what was answered for is there after any kill, once.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;
use rand::Rng;
use tokio::task::JoinSet;

use crate::support::{Node, request, say, scratch, span};

/// Senders that write at the same time.
const SENDERS: u64 = 8;

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_span_is_lost_or_doubled_by_kills_at_random_moments() {
    let rounds = std::env::var_os("OUTSPAN_KILL_ROUNDS")
        .and_then(|rounds| rounds.to_str()?.parse().ok())
        .unwrap_or(10);
    let (_room, dir) = scratch();
    let acknowledged: Arc<Mutex<BTreeSet<String>>> = Arc::default();
    let next = Arc::new(AtomicU64::new(1));
    // Flushes all the time, so that kills meet commits as well as appends.
    let mut node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "50")]);
    for round in 1..=rounds {
        node = load_and_kill(node, &acknowledged, &next).await;
        node.start_again();
        let all = acknowledged.lock().clone();
        check(&node, &all, round).await;
    }
    let commits = files(&dir.join("tables/spans/_delta_log"), "json");
    assert!(
        commits > rounds / 2,
        "only {commits} commits: the kills met none"
    );
    say(&format!(
        "{rounds} kills, {commits} commits, {} acknowledged spans, none lost, none doubled",
        acknowledged.lock().len()
    ));
}

/// Sends from several tasks until one of them has had a random number of answers, then kills the server.
async fn load_and_kill(
    node: Node,
    acknowledged: &Arc<Mutex<BTreeSet<String>>>,
    next: &Arc<AtomicU64>,
) -> Node {
    let enough = rand::rng().random_range(1..60);
    let node = Arc::new(tokio::sync::RwLock::new(node));
    let mut senders = JoinSet::new();
    let (answered, heard) = tokio::sync::mpsc::channel(1024);
    for _ in 0..SENDERS {
        let (node, acknowledged, next, answered) = (
            Arc::clone(&node),
            Arc::clone(acknowledged),
            Arc::clone(next),
            answered.clone(),
        );
        senders.spawn(async move {
            loop {
                let size = rand::rng().random_range(1..20);
                let first = next.fetch_add(size, Ordering::Relaxed);
                let ids = first..first + size;
                let spans = ids
                    .clone()
                    .map(|id| span(u128::from(id / 7 + 1), id, "load"))
                    .collect();
                if !node.read().await.send(&request(spans)).await {
                    return;
                }
                acknowledged
                    .lock()
                    .extend(ids.map(|id| format!("{id:016x}")));
                if answered.send(()).await.is_err() {
                    return;
                }
            }
        });
    }
    let process = node.read().await.process();
    let mut heard = heard;
    for _ in 0..enough {
        heard.recv().await;
    }
    assert!(
        std::process::Command::new("kill")
            .args(["-9", &process.to_string()])
            .status()
            .unwrap()
            .success()
    );
    drop(heard);
    while let Some(sender) = senders.join_next().await {
        sender.unwrap();
    }
    let mut node = Arc::into_inner(node).unwrap().into_inner();
    node.kill();
    node
}

async fn check(node: &Node, acknowledged: &BTreeSet<String>, round: usize) {
    let rows = node.number("select count(*) from spans").await;
    let distinct = node
        .number("select count(distinct span_id) from spans")
        .await;
    assert_eq!(rows, distinct, "round {round}: a span is there twice");
    let missing = missing(node, acknowledged).await;
    assert!(
        missing.is_empty(),
        "round {round}: {} acknowledged spans are missing: {missing:?}",
        missing.len()
    );
}

async fn missing(node: &Node, acknowledged: &BTreeSet<String>) -> Vec<String> {
    let stored = node.rows("select span_id from spans").await;
    let stored: BTreeSet<&str> = stored.iter().filter_map(|row| row[0].as_str()).collect();
    acknowledged
        .iter()
        .filter(|id| !stored.contains(id.as_str()))
        .take(5)
        .cloned()
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_writes_the_buffer_and_the_log_is_empty_afterwards() {
    let (_room, dir) = scratch();
    let mut node = Node::start(&dir);
    assert!(
        node.send(&request((1..=50).map(|id| span(1, id, "work")).collect()))
            .await
    );
    assert_eq!(node.terminate(), Some(0));
    assert!(
        files(&dir.join("tables/spans"), "parquet") > 0,
        "the table has a file"
    );
    node.start_again();
    assert_eq!(node.number("select count(*) from spans").await, 50);
    let buffered = node.text("http", "/metrics").await;
    assert!(
        buffered.contains("outspan_buffer_rows 0"),
        "nothing had to be recovered"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_a_directory_is_refused_with_the_address_of_the_first() {
    let (_room, dir) = scratch();
    let node = Node::start(&dir);
    let second = crate::support::outspan()
        .args([
            "serve",
            "--listen-grpc",
            "127.0.0.1:0",
            "--listen-otlp",
            "127.0.0.1:0",
            "--listen-http",
            "127.0.0.1:0",
            "--data",
        ])
        .arg(&dir)
        .output()
        .unwrap();
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(
        said.contains("in use") && said.contains(node.address("http")),
        "{said}"
    );
}

fn files(dir: &Path, extension: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .map(|path| {
            if path.is_dir() {
                files(&path, extension)
            } else {
                usize::from(path.extension().is_some_and(|is| is == extension))
            }
        })
        .sum()
}
