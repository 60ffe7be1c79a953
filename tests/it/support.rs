//! A real server in a directory of its own, and the words that tests speak to it in.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use prost::Message;
use serde_json::Value;

pub(crate) const PROTOBUF: &str = "application/x-protobuf";
pub(crate) const JSON: &str = "application/json";

/// A running server; killed when dropped.
pub(crate) struct Node {
    child: Child,
    client: reqwest::Client,
    at: BTreeMap<String, String>,
    start: Start,
}

/// How a server is started, for starting it again.
struct Start {
    data: String,
    /// Where its address file and its log go: beside this.
    beside: PathBuf,
    config: Option<PathBuf>,
    environment: Vec<(&'static str, String)>,
}

impl Node {
    /// Starts a server on a directory and waits until its doors are open.
    pub(crate) fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[])
    }

    /// Starts a server with words in its environment.
    pub(crate) fn start_with(dir: &Path, environment: &[(&'static str, &str)]) -> Self {
        let environment = environment
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()))
            .collect();
        let data = dir.to_str().unwrap().to_owned();
        Self::started(Start {
            data,
            beside: dir.to_owned(),
            config: None,
            environment,
        })
    }

    /// Starts a server on a store elsewhere, with a configuration file.
    pub(crate) fn start_on(data: &str, beside: &Path, config: &Path) -> Self {
        let (data, beside, config) = (data.to_owned(), beside.to_owned(), Some(config.to_owned()));
        Self::started(Start {
            data,
            beside,
            config,
            environment: Vec::new(),
        })
    }

    fn started(start: Start) -> Self {
        let (child, at) = start
            .spawn()
            .unwrap_or_else(|log| panic!("the server did not start: {log}"));
        Self {
            child,
            client: reqwest::Client::new(),
            at,
            start,
        }
    }

    /// Kills the server as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same directory.
    pub(crate) fn start_again(&mut self) {
        let (child, at) = self
            .start
            .spawn()
            .unwrap_or_else(|log| panic!("no restart: {log}"));
        (self.child, self.at) = (child, at);
    }

    /// Asks it to stop as an init system does, and returns its exit code.
    pub(crate) fn terminate(&mut self) -> Option<i32> {
        let id = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &id])
                .status()
                .unwrap()
                .success()
        );
        self.child.wait().unwrap().code()
    }

    /// Returns the id of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn url(&self, door: &str) -> String {
        format!("http://{}", self.at[door])
    }

    pub(crate) fn address(&self, door: &str) -> &str {
        &self.at[door]
    }

    /// Posts a body to the OTLP door.
    pub(crate) async fn post(
        &self,
        path: &str,
        media: &str,
        body: Vec<u8>,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}{path}", self.url("otlp_http"));
        self.client
            .post(url)
            .header("content-type", media)
            .body(body)
            .send()
            .await
    }

    /// Sends spans; returns whether they were acknowledged.
    pub(crate) async fn send(&self, request: &ExportTraceServiceRequest) -> bool {
        let sent = self
            .post("/v1/traces", PROTOBUF, request.encode_to_vec())
            .await;
        sent.is_ok_and(|answer| answer.status().is_success())
    }

    /// Asks a query; returns the status and the body.
    pub(crate) async fn ask(&self, sql: &str) -> (u16, Value) {
        let url = format!("{}/api/v1/sql", self.url("http"));
        let answer = self
            .client
            .post(url)
            .header("content-type", "text/plain")
            .body(sql.to_owned())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = answer.bytes().await.unwrap();
        (
            status,
            serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{error}: {body:?}")),
        )
    }

    /// Returns the rows of an answer.
    pub(crate) async fn rows(&self, sql: &str) -> Vec<Vec<Value>> {
        let (status, body) = self.ask(sql).await;
        assert_eq!(status, 200, "{sql}: {body}");
        serde_json::from_value(body["rows"].clone()).unwrap()
    }

    /// Returns the one number that is the answer.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let rows = self.rows(sql).await;
        rows[0][0]
            .as_i64()
            .unwrap_or_else(|| panic!("{sql} gave {rows:?}"))
    }

    pub(crate) async fn text(&self, door: &str, path: &str) -> String {
        self.client
            .get(format!("{}{path}", self.url(door)))
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _gone = self.child.kill().is_err();
        let _gone = self.child.wait().is_err();
    }
}

/// Returns the program under test.
pub(crate) fn outspan() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_outspan"));
    command
        .env_remove("RUST_LOG")
        .env_remove("OUTSPAN_REQUIRE_SHARED");
    command
}

type Started = (Child, BTreeMap<String, String>);

impl Start {
    /// Starts a server; its last line of welcome is printed when all doors accept, so reading up to it is waiting for it.
    fn spawn(&self) -> Result<Started, String> {
        let (addresses, log) = (
            self.beside.with_extension("addresses"),
            self.beside.with_extension("log"),
        );
        let doors = ["grpc", "otlp", "http", "pg", "flight"];
        let free = doors
            .iter()
            .flat_map(|door| [format!("--listen-{door}"), "127.0.0.1:0".to_owned()]);
        let stderr = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&log)
            .unwrap();
        let mut command = outspan();
        command
            .args(["serve", "--data", &self.data, "--addr-file"])
            .arg(&addresses)
            .args(free);
        if let Some(config) = &self.config {
            command.arg("--config").arg(config);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        if !lines
            .map_while(Result::ok)
            .any(|line| line.starts_with("next step"))
        {
            child.wait().unwrap();
            return Err(std::fs::read_to_string(log).unwrap_or_default());
        }
        let at = serde_json::from_str(&std::fs::read_to_string(addresses).unwrap()).unwrap();
        Ok((child, at))
    }
}

/// Says something past the test runner, which keeps what a passing test prints to itself.
pub(crate) fn say(text: &str) {
    let _unread = writeln!(std::io::stderr(), "{text}").is_err();
}

/// Returns a path below the shared data; where it is absent the test that asks is skipped, visibly, and where it must be
/// there (in CI), fails.
pub(crate) fn shared(relative: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../shared")
        .join(relative);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("OUTSPAN_REQUIRE_SHARED").is_none(),
        "{} is required and missing",
        path.display()
    );
    say(&format!("SKIPPED: {} is absent", path.display()));
    None
}

/// Returns one span.
pub(crate) fn span(trace: u128, id: u64, name: &str) -> Span {
    const START: u64 = 1_760_000_000_000_000_000;
    Span {
        trace_id: trace.to_be_bytes().to_vec(),
        span_id: id.to_be_bytes().to_vec(),
        name: name.to_owned(),
        kind: 1,
        start_time_unix_nano: START + id,
        end_time_unix_nano: START + id + 5_000_000,
        ..Span::default()
    }
}

/// Returns a text attribute.
pub(crate) fn text(key: &str, value: &str) -> KeyValue {
    let value = AnyValue {
        value: Some(any_value::Value::StringValue(value.to_owned())),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(value),
        ..KeyValue::default()
    }
}

/// Returns a request that holds spans of one service.
pub(crate) fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let resource = Resource {
        attributes: vec![text("service.name", "test-agent")],
        ..Resource::default()
    };
    let scopes = vec![ScopeSpans {
        spans,
        ..ScopeSpans::default()
    }];
    let spans = ResourceSpans {
        resource: Some(resource),
        scope_spans: scopes,
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![spans],
    }
}

/// Returns a directory of its own for a server, and what removes it.
pub(crate) fn scratch() -> (tempfile::TempDir, PathBuf) {
    let room = tempfile::tempdir().unwrap();
    let dir = room.path().join("data");
    (room, dir)
}
