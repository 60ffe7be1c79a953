//! Real input: what SDKs really sent is taken as it was sent, counted once, and holds no planted secret afterwards.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use bytes::{Buf, BufMut};
use http::uri::PathAndQuery;
use serde_json::Value;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};

use crate::support::{Node, scratch, shared};

/// One recorded request.
struct Recorded {
    transport: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

fn recorded(folder: &Path) -> Vec<Recorded> {
    let numbers = (1..).take_while(|number| folder.join(format!("request-{number}.json")).exists());
    numbers
        .map(|number| {
            let said =
                std::fs::read_to_string(folder.join(format!("request-{number}.json"))).unwrap();
            let said: Value = serde_json::from_str(&said).unwrap();
            let headers = said["headers"].as_object().unwrap().iter();
            Recorded {
                transport: said["transport"].as_str().unwrap().to_owned(),
                path: said["path"].as_str().unwrap().to_owned(),
                headers: headers
                    .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                    .collect(),
                body: std::fs::read(folder.join(format!("request-{number}.bin"))).unwrap(),
            }
        })
        .collect()
}

fn folders() -> Option<Vec<PathBuf>> {
    let all = shared("otlp-captures")?;
    let entries = std::fs::read_dir(all)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries
        .filter(|path| path.join("truth.json").exists())
        .collect();
    folders.sort();
    Some(folders)
}

fn truth(folder: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join("truth.json")).unwrap()).unwrap()
}

async fn send(node: &Node, request: Recorded) {
    if request.transport == "grpc" {
        return send_grpc(node, request).await;
    }
    let mut post =
        reqwest::Client::new().post(format!("{}{}", node.url("otlp_http"), request.path));
    let framing = ["transfer-encoding", "content-length", "host"];
    for (name, value) in request
        .headers
        .iter()
        .filter(|(name, _)| !framing.contains(&name.as_str()))
    {
        post = post.header(name, value);
    }
    let answer = post.body(request.body).send().await.unwrap();
    let (status, body) = (answer.status(), answer.bytes().await.unwrap());
    assert_eq!(status, 200, "{}: {body:?}", request.path);
    let json = request
        .headers
        .iter()
        .any(|(name, value)| name == "content-type" && value == "application/json");
    let nothing_refused = if json {
        body.as_ref() == b"{}"
    } else {
        body.is_empty()
    };
    assert!(nothing_refused, "{}: {body:?}", request.path);
}

/// Passes bytes through: the recorded message is sent as it is.
#[derive(Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;
    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = tonic::Status;
    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, tonic::Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining()).to_vec()))
    }
}

async fn send_grpc(node: &Node, request: Recorded) {
    let channel = tonic::transport::Endpoint::new(node.url("otlp_grpc"))
        .unwrap()
        .connect()
        .await
        .unwrap();
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await.unwrap();
    let path = PathAndQuery::try_from(request.path).unwrap();
    let answer = client
        .unary(tonic::Request::new(request.body), path, Bytes)
        .await
        .unwrap();
    assert_eq!(answer.into_inner(), Vec::<u8>::new(), "nothing is refused");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_recorded_request_is_taken_and_each_span_counts_once() {
    let Some(folders) = folders() else { return };
    assert!(folders.len() >= 15);
    let (_room, dir) = scratch();
    let mut node = Node::start(&dir);
    let mut expected = 0;
    for folder in &folders {
        for request in recorded(folder) {
            send(&node, request).await;
        }
        expected += truth(folder)["export"]["distinct_spans"].as_i64().unwrap();
        let name = folder.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!(
            node.number("select count(*) from spans where signal = 'span'")
                .await,
            expected,
            "{name}"
        );
    }
    let secrets = planted(&folders);
    let (gone, stays) = (&secrets, stays());
    // Everything is in the log now, then everything is in the tables.
    node.kill();
    check_disk(&dir, gone, &stays);
    node.start_again();
    assert_eq!(node.terminate(), Some(0));
    check_disk(&dir, gone, &stays);
    let log = std::fs::read(dir.with_extension("log")).unwrap();
    let leaked: Vec<_> = gone.iter().filter(|text| contains(&log, text)).collect();
    assert!(leaked.is_empty(), "in our own log output: {leaked:?}");
}

/// Strings that are meant to stay: the search is no use if it finds nothing.
fn stays() -> Vec<String> {
    ["get_weather", "gpt-4.1-mini", "transfer_to_billing"]
        .map(str::to_owned)
        .to_vec()
}

/// Kinds that no detector takes out yet.
const OTHER_KINDS: [&str; 1] = ["ip"];

/// Returns the planted strings of the kinds that are taken out so far.
fn planted(folders: &[PathBuf]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for folder in folders {
        let truth = truth(folder);
        for conversation in truth["conversations"].as_array().unwrap() {
            let planted = conversation["planted_pii"].as_object().unwrap();
            let covered = planted
                .iter()
                .filter(|(kind, _)| !OTHER_KINDS.contains(&kind.as_str()));
            all.extend(covered.map(|(_, planted)| planted["value"].as_str().unwrap().to_owned()));
        }
    }
    all
}

fn check_disk(dir: &Path, gone: &BTreeSet<String>, stays: &[String]) {
    let texts = everything_below(dir);
    let leaked: Vec<_> = gone
        .iter()
        .filter(|text| texts.iter().any(|(_, bytes)| contains(bytes, text)))
        .collect();
    assert!(leaked.is_empty(), "planted strings on disk: {leaked:?}");
    for text in stays {
        assert!(
            texts.iter().any(|(_, bytes)| contains(bytes, text)),
            "{text} should be found"
        );
    }
    assert!(
        gone.len() >= 10,
        "only {} planted strings to look for",
        gone.len()
    );
}

fn contains(bytes: &[u8], text: &str) -> bool {
    memchr::memmem::find(bytes, text.as_bytes()).is_some()
}

/// Returns each file below a directory, raw and decoded: log records unpacked, Parquet pages as values.
fn everything_below(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut all = Vec::new();
    let mut rest = vec![dir.to_owned()];
    while let Some(path) = rest.pop() {
        if path.is_dir() {
            rest.extend(
                std::fs::read_dir(&path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
            continue;
        }
        let raw = std::fs::read(&path).unwrap();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("parquet") => all.push((path.clone(), parquet_values(&raw))),
            Some("wal") => all.push((path.clone(), unpacked_frames(&raw))),
            _ => {}
        }
        all.push((path, raw));
    }
    all
}

fn parquet_values(raw: &[u8]) -> Vec<u8> {
    use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(raw))
        .unwrap()
        .build()
        .unwrap();
    let mut values = Vec::new();
    for rows in reader {
        arrow::json::LineDelimitedWriter::new(&mut values)
            .write(&rows.unwrap())
            .unwrap();
    }
    values
}

/// Unpacks every zstd frame in a file, wherever it stands.
fn unpacked_frames(raw: &[u8]) -> Vec<u8> {
    const MAGIC: [u8; 4] = [0x28, 0xB5, 0x2F, 0xFD];
    let mut all = Vec::new();
    for at in memchr::memmem::find_iter(raw, &MAGIC) {
        let mut frame = zstd::Decoder::new(&raw[at..]).unwrap().single_frame();
        std::io::Read::read_to_end(&mut frame, &mut all).unwrap();
    }
    assert!(
        raw.is_empty() || raw.len() < 64 || !all.is_empty(),
        "a segment with records has frames"
    );
    all
}
