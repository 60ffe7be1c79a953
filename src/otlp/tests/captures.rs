//! What published agent SDKs really sent decodes without a loss.

use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value as Json;

use super::oracle;
use crate::base::testing::shared;
use crate::model::RawBatch;
use crate::otlp::{Encoding, Signal, decode};

struct Capture {
    signal: Signal,
    encoding: Encoding,
    /// Decompressed.
    body: Vec<u8>,
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn captures(folder: &Path) -> Vec<Capture> {
    let requests = (1..).map(|number| folder.join(format!("request-{number}.json")));
    requests
        .take_while(|path| path.exists())
        .map(|path| capture(&path))
        .collect()
}

fn capture(path: &Path) -> Capture {
    let head = json(path);
    let header = |name: &str| {
        head["headers"][name]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let mut body = fs::read(path.with_extension("bin")).unwrap();
    if header("content-encoding") == "gzip" {
        let mut plain = Vec::new();
        MultiGzDecoder::new(&*body).read_to_end(&mut plain).unwrap();
        body = plain;
    }
    let signal = Signal::ALL
        .into_iter()
        .find(|signal| head["signal"] == signal.label());
    let is_json = header("content-type") == "application/json";
    Capture {
        signal: signal.unwrap(),
        encoding: if is_json {
            Encoding::Json
        } else {
            Encoding::Protobuf
        },
        body,
    }
}

#[test]
fn every_recorded_request_decodes_whole() {
    let Some(root) = shared("otlp-captures") else {
        return;
    };
    let mut folders = 0;
    for folder in fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path())
    {
        if !folder.join("truth.json").exists() {
            continue;
        }
        folders += 1;
        let (mut spans, mut logs, mut points) = (0, 0, 0);
        for capture in captures(&folder) {
            let (batch, rejected) =
                decode(capture.signal, &capture.body, capture.encoding).unwrap();
            assert_eq!(rejected.message(), None, "{}", folder.display());
            agrees_with_prost(&capture, &batch);
            for scope in batch.resources.iter().flat_map(|resource| &resource.scopes) {
                spans += scope.spans.len();
                logs += scope.logs.len();
                points += scope.points.len();
            }
        }
        let export = &json(&folder.join("truth.json"))["export"];
        assert_eq!(export["spans"], spans, "{}", folder.display());
        assert_eq!(export["log_records"], logs, "{}", folder.display());
        // A metric has one point or more.
        let metrics = export["metrics"].as_u64().unwrap();
        assert!(
            points as u64 >= metrics && (points > 0) == (metrics > 0),
            "{points} {metrics}"
        );
    }
    assert_eq!(folders, 15);
}

fn agrees_with_prost(capture: &Capture, batch: &RawBatch) {
    if capture.encoding == Encoding::Json {
        return;
    }
    match capture.signal {
        Signal::Traces => assert_eq!(Some(batch), oracle::traces(&capture.body).as_ref()),
        Signal::Logs => assert_eq!(Some(batch), oracle::logs(&capture.body).as_ref()),
        Signal::Metrics => {}
    }
}
