//! An engine that does as it is told, behind real doors on port 0.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use http::uri::PathAndQuery;
use parking_lot::Mutex;
use prost::encoding::WireType;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Response, Status};

use crate::base::Tasks;
use crate::model::{RawBatch, RawOutcome, RawResource, RawScope, RawSpan};
use crate::otlp::encode_traces;
use crate::receive::{Config, Ingest, IngestError, Receipt, Receiver, Sender, serve_http};

/// Remembers what it is given and answers what it is told to.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) batches: Mutex<Vec<RawBatch>>,
    pub(super) reports: Mutex<Vec<RawOutcome>>,
    pub(super) answer: Mutex<Result<Receipt, IngestError>>,
    /// Each answer takes a permit: with none left the engine is slow.
    pub(super) gate: Semaphore,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            batches: Mutex::default(),
            reports: Mutex::default(),
            answer: Mutex::new(Ok(Receipt::default())),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
        }
    }
}

impl Engine {
    /// An engine that answers nobody until permits are added to its gate.
    pub(super) fn slow() -> Self {
        Self {
            gate: Semaphore::new(0),
            ..Self::default()
        }
    }

    async fn answer(&self) -> Result<Receipt, IngestError> {
        self.gate.acquire().await.unwrap().forget();
        self.answer.lock().clone()
    }

    pub(super) fn spans(&self) -> usize {
        let batches = self.batches.lock();
        let scopes = batches.iter().flat_map(|batch| &batch.resources);
        scopes
            .flat_map(|resource| &resource.scopes)
            .map(|scope| scope.spans.len())
            .sum()
    }
}

impl Ingest for Engine {
    async fn ingest(&self, batch: RawBatch, _: Sender) -> Result<Receipt, IngestError> {
        self.batches.lock().push(batch);
        self.answer().await
    }

    async fn outcomes(&self, reports: Vec<RawOutcome>, _: Sender) -> Result<Receipt, IngestError> {
        self.reports.lock().extend(reports);
        self.answer().await
    }
}

/// A running pair of doors.
pub(super) struct House {
    pub(super) engine: Arc<Engine>,
    pub(super) receiver: Receiver<Engine>,
    pub(super) tasks: Tasks,
    pub(super) http: SocketAddr,
    grpc: SocketAddr,
}

/// What an HTTP door answered.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

impl House {
    pub(super) async fn open() -> Self {
        Self::of(Engine::default(), Config::default()).await
    }

    pub(super) async fn of(engine: Engine, config: Config) -> Self {
        let engine = Arc::new(engine);
        let receiver = Receiver::new(config, Arc::clone(&engine)).unwrap();
        let listener = || TcpListener::bind("127.0.0.1:0");
        let (http, grpc) = (listener().await.unwrap(), listener().await.unwrap());
        let house = Self {
            engine,
            receiver: receiver.clone(),
            tasks: Tasks::default(),
            http: http.local_addr().unwrap(),
            grpc: grpc.local_addr().unwrap(),
        };
        let router = receiver.http_router().merge(receiver.outcomes_router());
        house
            .tasks
            .spawn("http", |stop| serve_http(http, router, stop));
        house
            .tasks
            .spawn("grpc", |stop| receiver.serve_grpc(grpc, stop));
        house
    }

    pub(super) async fn post(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let headers = headers.iter().map(|(name, value)| {
            let name: HeaderName = name.parse().unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let request = reqwest::Client::new()
            .post(format!("http://{}{path}", self.http))
            .headers(headers.collect())
            .body(body.into());
        let response = request.send().await.unwrap();
        Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }

    /// Posts spans in protobuf, compressed as named.
    pub(super) async fn post_traces(&self, encoding: &str, body: impl Into<Bytes>) -> Answer {
        let headers = [
            ("content-type", "application/x-protobuf"),
            ("content-encoding", encoding),
        ];
        self.post("/v1/traces", &headers, body).await
    }

    /// Calls a method over gRPC with the bytes of one message.
    pub(super) async fn call(
        &self,
        path: &'static str,
        compression: Option<CompressionEncoding>,
        message: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        let address = format!("http://{}", self.grpc);
        let channel = Channel::from_shared(address)
            .unwrap()
            .connect()
            .await
            .unwrap();
        let mut client = tonic::client::Grpc::new(channel);
        if let Some(compression) = compression {
            client = client.send_compressed(compression);
        }
        client.ready().await.unwrap();
        let path = PathAndQuery::from_static(path);
        client
            .unary(Request::new(message.into()), path, RawCodec)
            .await
    }

    pub(super) async fn call_traces(
        &self,
        message: impl Into<Bytes>,
    ) -> Result<Response<Bytes>, Status> {
        self.call(TRACES, None, message).await
    }

    /// Waits until a condition holds: the doors run beside the test.
    pub(super) async fn until(&self, condition: impl Fn(&Self) -> bool + Send + Sync) {
        let waiting = async {
            while !condition(self) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap();
    }
}

pub(super) const TRACES: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
pub(super) const LOGS: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
pub(super) const METRICS: &str = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";

/// A codec that leaves bytes as they are.
struct RawCodec;

impl Codec for RawCodec {
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

impl Encoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put(item);
        Ok(())
    }
}

impl Decoder for RawCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

/// A request of this many spans.
pub(super) fn traces(spans: u8) -> Vec<u8> {
    let span = |number: u8| RawSpan {
        trace_id: [9; 16],
        span_id: [number + 1; 8],
        name: format!("span {number}"),
        ..RawSpan::default()
    };
    let scope = RawScope {
        spans: (0..spans).map(span).collect(),
        ..RawScope::default()
    };
    let resource = RawResource {
        scopes: vec![scope],
        ..RawResource::default()
    };
    encode_traces(&RawBatch {
        resources: vec![resource],
    })
}

/// A request of two spans, the second of which has no trace id.
pub(super) fn traces_with_a_bad_one() -> Vec<u8> {
    let span = field(2, &[2; 8]);
    [traces(1), field(1, &field(2, &field(2, &span)))].concat()
}

/// A request of one span that is exactly this many bytes long: the rest is a field nobody knows.
pub(super) fn traces_of(length: usize) -> Vec<u8> {
    let body = traces(1);
    // A key of one byte and a length of four.
    let filler = length - body.len() - 5;
    let body = [body, field(15, &vec![0; filler])].concat();
    assert_eq!(body.len(), length);
    body
}

fn field(number: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(number, WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    out.extend_from_slice(bytes);
    out
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 1).unwrap()
}
