//! It is your table: another Delta reader counts the same rows while the server runs, and any store will do.

use std::process::Command;

use crate::support::{Node, outspan, request, say, scratch, shared, span};

/// Counts the rows of each table with the Python package `deltalake`.
const COUNT: &str = "
import json, os, sys
from deltalake import DeltaTable
root = sys.argv[1]
counts = {}
for name in sorted(os.listdir(root)):
    counts[name] = DeltaTable(os.path.join(root, name)).to_pyarrow_dataset().count_rows()
print(json.dumps(counts))
";

#[tokio::test(flavor = "multi_thread")]
async fn another_delta_reader_counts_the_same_rows_while_the_server_runs() {
    let Some(python) = std::env::var_os("OUTSPAN_PYTHON") else {
        assert!(
            std::env::var_os("OUTSPAN_REQUIRE_SHARED").is_none(),
            "OUTSPAN_PYTHON is required and missing"
        );
        say("SKIPPED: OUTSPAN_PYTHON names no Python with the package deltalake");
        return;
    };
    let Some(folder) = shared("truth/airline") else {
        return;
    };
    let (_room, dir) = scratch();
    let node = Node::start_with(&dir, &[("OUTSPAN_FLUSH_AFTER_MS", "200")]);
    let files = [
        folder.join("traces.otlp.pb.gz"),
        folder.join("outcomes.jsonl"),
    ];
    let imported = outspan()
        .arg("import")
        .args(files)
        .args(["--server", &node.url("http")])
        .output()
        .unwrap();
    assert!(imported.status.success());
    while !node
        .text("http", "/metrics")
        .await
        .contains("outspan_buffer_rows 0")
    {}
    let counted = Command::new(python)
        .args(["-c", COUNT])
        .arg(dir.join("tables"))
        .output()
        .unwrap();
    assert!(
        counted.status.success(),
        "{}",
        String::from_utf8_lossy(&counted.stderr)
    );
    let counted: std::collections::BTreeMap<String, i64> =
        serde_json::from_slice(&counted.stdout).unwrap();
    assert_eq!((counted["spans"], counted["outcomes"]), (3_818, 200));
    for (table, rows) in counted {
        assert_eq!(
            node.number(&format!("select count(*) from {table}")).await,
            rows,
            "{table}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_live_in_an_s3_bucket_as_they_do_in_a_directory() {
    let (room, dir) = scratch();
    std::fs::create_dir_all(room.path().join("buckets/traces")).unwrap();
    let endpoint = s3(&room.path().join("buckets")).await;
    let store = r#"{aws_access_key_id="key",aws_secret_access_key="secret",aws_region="eu-central-1",aws_allow_http="true",aws_endpoint="ENDPOINT"}"#;
    let store = store.replace("ENDPOINT", &endpoint);
    std::fs::create_dir_all(&dir).unwrap();
    let config = room.path().join("outspan.toml");
    std::fs::write(
        &config,
        format!("wal = {:?}\nstore = {store}\n", dir.join("wal")),
    )
    .unwrap();
    let mut node = Node::start_on("s3://traces/outspan", &dir, &config);
    assert!(
        node.send(&request((1..=30).map(|id| span(1, id, "work")).collect()))
            .await
    );
    assert_eq!(node.number("select count(*) from spans").await, 30);
    assert_eq!(node.terminate(), Some(0));
    assert!(
        room.path()
            .join("buckets/traces/outspan/tables/spans/_delta_log")
            .is_dir()
    );
    node.start_again();
    assert!(
        node.send(&request((1..=31).map(|id| span(1, id, "work")).collect()))
            .await
    );
    assert_eq!(node.number("select count(*) from spans").await, 31);
}

/// Serves a directory of buckets as S3; returns the endpoint.
async fn s3(buckets: &std::path::Path) -> String {
    let mut service =
        s3s::service::S3ServiceBuilder::new(s3s_fs::FileSystem::new(buckets).unwrap());
    service.set_auth(s3s::auth::SimpleAuth::from_single("key", "secret"));
    let service = service.build();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let serve = async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let service = service.clone();
            let connection = async move {
                let io = hyper_util::rt::TokioIo::new(socket);
                let executor = hyper_util::rt::TokioExecutor::new();
                let _broken = hyper_util::server::conn::auto::Builder::new(executor)
                    .serve_connection(io, service)
                    .await
                    .is_err();
            };
            tokio::task::spawn(connection);
        }
    };
    tokio::task::spawn(serve);
    endpoint
}
