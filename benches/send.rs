//! Exporters: so many at a time, each waits for its acknowledgement before it sends the next request.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use bytes::{Buf, BufMut, Bytes};
use futures::future::try_join_all;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use parking_lot::Mutex;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Code, Status};

use crate::server::Addresses;
use crate::spans::Request;

/// How a request goes over the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Http,
    Grpc,
}

/// What it took until all requests were acknowledged.
#[derive(Debug, Default)]
pub(crate) struct Sent {
    pub(crate) wall: Duration,
    /// One for each request, the tries that were refused included.
    pub(crate) waits: Vec<Duration>,
    /// Answers that said "later".
    pub(crate) refused: usize,
}

impl Sent {
    /// Adds what was sent afterwards.
    pub(crate) fn extend(&mut self, later: Self) {
        self.wall += later.wall;
        self.waits.extend(later.waits);
        self.refused += later.refused;
    }
}

/// What an exporter is told.
enum Answer {
    Acknowledged,
    Later,
}

enum Exporter {
    Http(reqwest::Client, String),
    Grpc(Box<Grpc<Channel>>),
}

/// Sends all requests, from `clients` exporters with a connection each.
pub(crate) async fn send(
    door: Door,
    to: &Addresses,
    requests: Vec<Request>,
    clients: usize,
) -> Result<Sent> {
    let queue = Arc::new(Mutex::new(VecDeque::from(requests)));
    let mut exporters = Vec::with_capacity(clients);
    for _ in 0..clients {
        exporters.push(Exporter::connect(door, to).await?);
    }
    let began = Instant::now();
    let clients = exporters
        .into_iter()
        .map(|exporter| exporter.run(Arc::clone(&queue)));
    let mut all = Sent::default();
    for sent in try_join_all(clients).await? {
        all.extend(sent);
    }
    all.wall = began.elapsed();
    Ok(all)
}

impl Exporter {
    async fn connect(door: Door, to: &Addresses) -> Result<Self> {
        Ok(match door {
            Door::Http => {
                let client = reqwest::Client::builder().no_proxy().build()?;
                Self::Http(client, format!("http://{}/v1/traces", to.otlp_http))
            }
            Door::Grpc => {
                let channel = Channel::from_shared(format!("http://{}", to.otlp_grpc))?
                    .connect()
                    .await?;
                Self::Grpc(Box::new(Grpc::new(channel)))
            }
        })
    }

    async fn run(mut self, queue: Arc<Mutex<VecDeque<Request>>>) -> Result<Sent> {
        let mut sent = Sent::default();
        loop {
            let next = queue.lock().pop_front();
            let Some(request) = next else { return Ok(sent) };
            let began = Instant::now();
            while matches!(self.export(request.body.clone()).await?, Answer::Later) {
                sent.refused += 1;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            sent.waits.push(began.elapsed());
        }
    }

    async fn export(&mut self, body: Bytes) -> Result<Answer> {
        match self {
            Self::Http(client, url) => {
                let request = client
                    .post(url.as_str())
                    .header("content-type", "application/x-protobuf");
                let answer = request.body(body).send().await?;
                match answer.status().as_u16() {
                    200 => accepted(answer.bytes().await?),
                    429 | 503 => Ok(Answer::Later),
                    status => bail!("{status}: {}", answer.text().await?),
                }
            }
            Self::Grpc(client) => {
                let path = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
                client.ready().await?;
                let call = client.unary(
                    tonic::Request::new(body),
                    PathAndQuery::from_static(path),
                    AsItIs,
                );
                match call.await {
                    Ok(answer) => accepted(answer.into_inner()),
                    Err(status) if status.code() == Code::Unavailable => Ok(Answer::Later),
                    Err(status) => bail!("{status}"),
                }
            }
        }
    }
}

/// A bench whose spans are rejected measures nothing.
fn accepted(body: Bytes) -> Result<Answer> {
    let answer = ExportTraceServiceResponse::decode(body)?;
    let rejected = answer.partial_success.unwrap_or_default();
    ensure!(
        rejected.rejected_spans == 0,
        "rejected {}: {}",
        rejected.rejected_spans,
        rejected.error_message
    );
    Ok(Answer::Acknowledged)
}

/// Messages are encoded before the clock starts.
struct AsItIs;

impl Codec for AsItIs {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for AsItIs {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// Asks SQL questions and reads `/metrics`.
#[derive(Debug)]
pub(crate) struct Asker {
    client: reqwest::Client,
    http: String,
}

impl Asker {
    pub(crate) fn new(to: &Addresses) -> Result<Self> {
        let client = reqwest::Client::builder().no_proxy().build()?;
        Ok(Self {
            client,
            http: format!("http://{}", to.http),
        })
    }

    /// Returns the rows of an answer.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<serde_json::Value>> {
        let question = serde_json::json!({ "sql": sql });
        let answer = self
            .client
            .post(format!("{}/api/v1/sql", self.http))
            .json(&question)
            .send()
            .await?;
        let status = answer.status();
        let text = answer.text().await?;
        ensure!(status.is_success(), "{sql}: {text}");
        let mut body: serde_json::Value = serde_json::from_str(&text)?;
        match body["rows"].take() {
            serde_json::Value::Array(rows) => Ok(rows),
            _ => bail!("no rows in {text}"),
        }
    }

    pub(crate) async fn count(&self, table: &str) -> Result<u64> {
        let rows = self.rows(&format!("select count(*) from {table}")).await?;
        rows.first()
            .and_then(|row| row[0].as_u64())
            .context("no count")
    }

    /// Returns sum and count of every timer of flushes and commits, by its name and labels.
    pub(crate) async fn timers(&self) -> Result<Vec<(String, f64, f64)>> {
        let text = self
            .client
            .get(format!("{}/metrics", self.http))
            .send()
            .await?
            .text()
            .await?;
        let mut timers = Vec::new();
        for line in text
            .lines()
            .filter(|line| line.contains("flush") || line.contains("commit"))
        {
            let Some((name, sum)) = line
                .split_once("_seconds_sum")
                .filter(|(name, _)| !name.starts_with('#'))
            else {
                continue;
            };
            let (labels, sum) = sum.rsplit_once(' ').context("a line without a value")?;
            let counter = format!("{name}_seconds_count{labels} ");
            let count = text
                .lines()
                .find_map(|line| line.strip_prefix(counter.as_str()))
                .context("no count")?;
            timers.push((format!("{name}{labels}"), sum.parse()?, count.parse()?));
        }
        Ok(timers)
    }
}
