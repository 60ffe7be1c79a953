//! The same table in a bucket.

use std::collections::HashMap;
use std::sync::Arc;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use tokio::net::TcpListener;

use crate::base::store::Store;
use crate::base::{Clock, Tasks, Timestamp};
use crate::model::Table;
use crate::table::{Commit, DeltaTable};

use super::support::*;

/// Starts a real S3 server in this process and returns the options to reach it.
async fn server(tasks: &Tasks, root: &std::path::Path) -> HashMap<String, String> {
    std::fs::create_dir(root.join("bucket")).unwrap();
    let service = {
        let mut builder = S3ServiceBuilder::new(s3s_fs::FileSystem::new(root).unwrap());
        builder.set_auth(SimpleAuth::from_single("key", "secret"));
        builder.build()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let connections = tasks.clone();
    tasks.spawn("s3", move |mut stop| async move {
        loop {
            let socket = tokio::select! {
                () = stop.asked() => return Ok::<_, std::io::Error>(()),
                accepted = listener.accept() => accepted?.0,
            };
            let service = service.clone();
            connections.spawn("s3 connection", move |mut stop| async move {
                let builder = Builder::new(TokioExecutor::new());
                tokio::select! {
                    () = stop.asked() => {}
                    _ = builder.serve_connection(TokioIo::new(socket), service) => {}
                }
                Ok::<_, std::io::Error>(())
            });
        }
    });
    let options = [
        ("aws_access_key_id", "key"),
        ("aws_secret_access_key", "secret"),
        ("aws_region", "us-east-1"),
        ("aws_allow_http", "true"),
        ("aws_endpoint", &format!("http://{address}")),
    ];
    options
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_in_a_bucket_is_committed_scanned_and_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let tasks = Tasks::default();
    let options = server(&tasks, directory.path()).await;
    let store = Store::open("s3://bucket/some/prefix", &options).unwrap();
    let clock = Clock::set_to(Timestamp(NOON * 1_000));
    let table = DeltaTable::open(&store, Table::Spans, "node", &clock)
        .await
        .unwrap();
    let old = span(1, 1, 0, 1);
    table
        .commit(put(&[old.clone(), span(2, 1, 1, 1)], 1))
        .await
        .unwrap();
    let racing = DeltaTable::open(&store, Table::Spans, "node", &clock)
        .await
        .unwrap();
    table.commit(put(&[span(3, 1, 2, 2)], 2)).await.unwrap();
    assert_eq!(
        racing
            .commit(put(&[span(3, 1, 2, 2)], 2))
            .await
            .unwrap()
            .rows(),
        3
    );
    let commit = Commit {
        rows: vec![],
        dead: rows_named(&[&old]),
        sequence: 3,
    };
    racing.commit(commit).await.unwrap();
    let snapshot = DeltaTable::open(&store, Table::Spans, "node", &clock)
        .await
        .unwrap()
        .snapshot();
    assert_eq!(
        (snapshot.version(), snapshot.flushed_sequence()),
        (3, Some(3))
    );
    let engine = engine(&store, &snapshot, &Arc::default());
    assert_eq!(
        texts(&engine, "select name from t order by ts").await,
        ["span 2/1", "span 3/1"]
    );
    assert!(
        directory
            .path()
            .join("bucket/some/prefix/tables/spans/_delta_log")
            .is_dir()
    );
    assert_eq!(
        tasks.stop_within(std::time::Duration::from_secs(5)).await,
        Vec::<String>::new()
    );
}
