//! `outspan import`: OTLP files and outcome reports, sent to a server the way their senders would have.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use bytes::Bytes;
use clap::Args;
use futures::stream::{self, StreamExt, TryStreamExt};
use indicatif::ProgressBar;
use serde_json::Value;

use crate::otlp::{self, Encoding, JSON, PROTOBUF, Signal};

use super::{output, target};

/// Import OTLP files and outcome reports; what is there already counts once, so a file may be imported again.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// OTLP: one request (.pb), requests each preceded by a varint length (.pb too), or OTLP JSON, one request a line
    /// (.json, .jsonl); outcome reports, one a line (.jsonl). Each also .gz or .zst
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The tenant of everything in the files, instead of what their resources say
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    #[command(flatten)]
    target: target::Flags,
}

/// Requests that are under way at once: enough for the server to sync several together.
const AT_ONCE: usize = 8;
/// Reports that are sent in one request.
const REPORTS_AT_ONCE: usize = 1_000;
/// The largest request that a file may hold; the server takes no larger one.
const REQUEST_BYTES_MAX: u64 = 20 << 20;

/// Runs the command.
///
/// # Errors
/// Where a file cannot be read, or the server does not take a request.
pub(super) async fn run(flags: Flags) -> anyhow::Result<()> {
    let mut target = flags.target.open(true).await?;
    target.tenant = flags.tenant;
    let total = flags
        .files
        .iter()
        .filter_map(|file| file.metadata().ok())
        .map(|file| file.len())
        .sum();
    let bar = output::bytes_bar(total);
    let mut counted = Counted::default();
    for file in &flags.files {
        bar.set_message(
            file.file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
        );
        let done = import(&target, file, &bar)
            .await
            .with_context(|| format!("cannot import {}", file.display()))?;
        counted.add(&done);
    }
    bar.finish_and_clear();
    target.finish().await?;
    output::line(&counted);
    Ok(())
}

/// What was sent, and what was refused of it.
#[derive(Debug, Default)]
struct Counted {
    requests: u64,
    refused: u64,
    reason: Option<String>,
}

impl Counted {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.refused += other.refused;
        self.reason = self.reason.take().or_else(|| other.reason.clone());
    }
}

impl std::fmt::Display for &Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "imported {} requests", self.requests)?;
        match &self.reason {
            Some(reason) => write!(f, ", {} items refused: {reason}", self.refused),
            None => Ok(()),
        }
    }
}

/// One request to the server.
#[derive(Debug)]
struct Request {
    path: &'static str,
    media: &'static str,
    body: Bytes,
}

async fn import(
    target: &target::Target,
    file: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<Counted> {
    let requests = stream::iter(requests(file, bar)?);
    let answers = requests.map(|request| async move {
        let request = request?;
        let answer = target
            .post(
                request.path,
                request.media,
                "application/json",
                request.body,
            )
            .await?;
        answer_of(request.media, &answer.bytes().await?)
    });
    answers
        .buffer_unordered(AT_ONCE)
        .try_fold(Counted::default(), |mut all, one| async move {
            all.add(&one);
            Ok(all)
        })
        .await
}

/// Reads what the server refused; an answer in protobuf says so in its partial success.
fn answer_of(media: &str, body: &[u8]) -> anyhow::Result<Counted> {
    let (refused, reason) = match media {
        PROTOBUF => otlp::refused(body).unwrap_or_default(),
        _ => {
            let body: Value = serde_json::from_slice(body).unwrap_or_default();
            let partial = body.get("partialSuccess");
            let otlp = ["rejectedSpans", "rejectedLogRecords", "rejectedDataPoints"];
            let count = otlp
                .iter()
                .find_map(|name| partial?.get(name))
                .or_else(|| body.get("rejected"));
            let count =
                count.and_then(|count| count.as_u64().or_else(|| count.as_str()?.parse().ok()));
            let reason = partial.and_then(|partial| partial.get("errorMessage"));
            let reason = reason.or_else(|| body.get("errors")?.get(0)?.get("message"));
            (
                count.unwrap_or(0),
                reason.and_then(Value::as_str).map(str::to_owned),
            )
        }
    };
    Ok(Counted {
        requests: 1,
        refused,
        reason: reason.filter(|_| refused > 0),
    })
}

type Requests = Box<dyn Iterator<Item = anyhow::Result<Request>> + Send>;

/// Returns the requests in a file, read as they are needed.
fn requests(file: &Path, bar: &ProgressBar) -> anyhow::Result<Requests> {
    let opened = File::open(file)?;
    let read = bar.wrap_read(opened);
    let name = file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let (name, content): (&str, Box<dyn Read + Send>) = match name.rsplit_once('.') {
        Some((name, "gz")) => (name, Box::new(flate2::read::MultiGzDecoder::new(read))),
        Some((name, "zst")) => (name, Box::new(zstd::Decoder::new(read)?)),
        _ => (name.as_str(), Box::new(read)),
    };
    let content = BufReader::with_capacity(1 << 20, content);
    match name.rsplit_once('.') {
        Some((_, "pb" | "bin")) => protobuf(content),
        Some((_, "json" | "jsonl" | "ndjson")) => Ok(lines(content)),
        _ => bail!(
            "the name says no format\nhint: names end in .pb, .json or .jsonl, then .gz or .zst where packed"
        ),
    }
}

/// One request, or requests each preceded by its length: told apart by the first byte, which is 10 in a request. A first
/// message of ten bytes begins with 10 too; a request that goes on as such a message does would hold nothing.
fn protobuf(mut content: BufReader<Box<dyn Read + Send>>) -> anyhow::Result<Requests> {
    const REQUEST_TAG: u8 = 10;
    let start = content.fill_buf()?;
    if start.first() != Some(&REQUEST_TAG) || start.starts_with(&[10, REQUEST_TAG, 8]) {
        return Ok(Box::new(delimited(content)));
    }
    let mut body = Vec::new();
    content.take(REQUEST_BYTES_MAX + 1).read_to_end(&mut body)?;
    anyhow::ensure!(
        body.len() as u64 <= REQUEST_BYTES_MAX,
        "the file is one request of more than {REQUEST_BYTES_MAX} bytes, the most that a server takes\nhint: export smaller batches"
    );
    let path = signal_of(&body)?;
    Ok(Box::new(std::iter::once(Ok(Request {
        path,
        media: PROTOBUF,
        body: body.into(),
    }))))
}

fn delimited(
    mut content: BufReader<Box<dyn Read + Send>>,
) -> impl Iterator<Item = anyhow::Result<Request>> {
    let mut path = None;
    let mut number = 0u64;
    let mut read = move || -> anyhow::Result<Option<Request>> {
        if content.fill_buf()?.is_empty() {
            return Ok(None);
        }
        number += 1;
        let length = length(&mut content)?;
        anyhow::ensure!(
            length <= REQUEST_BYTES_MAX,
            "message {number} claims {length} bytes, the most is {REQUEST_BYTES_MAX}"
        );
        let mut body = Vec::new();
        let got = content.by_ref().take(length).read_to_end(&mut body)? as u64;
        anyhow::ensure!(
            got == length,
            "message {number} ends after {got} of {length} bytes"
        );
        let path = match path {
            Some(path) => path,
            None => *path.insert(
                signal_of(&body).with_context(|| format!("message {number} is no OTLP request"))?,
            ),
        };
        Ok(Some(Request {
            path,
            media: PROTOBUF,
            body: body.into(),
        }))
    };
    std::iter::from_fn(move || read().transpose())
}

/// Reads a varint, as protobuf writes lengths.
fn length(content: &mut impl BufRead) -> anyhow::Result<u64> {
    let mut head = Vec::new();
    while head.last().is_none_or(|byte| byte & 0x80 != 0) && head.len() < 10 {
        let mut byte = [0];
        content
            .read_exact(&mut byte)
            .context("the file ends inside a length")?;
        head.push(byte[0]);
    }
    prost::encoding::decode_varint(&mut head.as_slice()).context("a length is no varint")
}

/// Returns where a request belongs: the signal that most of its items can be read as. A bad item among good ones is the
/// server's to refuse and name.
fn signal_of(body: &[u8]) -> anyhow::Result<&'static str> {
    let items = |signal| {
        let (batch, rejected) = otlp::decode(signal, body, Encoding::Protobuf).ok()?;
        let scopes = batch.resources.iter().flat_map(|resource| &resource.scopes);
        let items: usize = scopes
            .map(|scope| scope.spans.len() + scope.logs.len() + scope.points.len())
            .sum();
        (items > 0 || rejected.total() == 0).then_some(items)
    };
    let signals = [
        (Signal::Traces, "/v1/traces"),
        (Signal::Logs, "/v1/logs"),
        (Signal::Metrics, "/v1/metrics"),
    ];
    // Of equals the first: a request without items is a request all the same.
    let read = signals
        .iter()
        .rev()
        .filter_map(|(signal, path)| Some((items(*signal)?, *path)));
    let best = read.max_by_key(|(items, _)| *items);
    best.map(|(_, path)| path)
        .context("it is no request of any signal")
}

/// OTLP JSON requests and outcome reports, one a line; reports are sent many at once.
fn lines(content: BufReader<Box<dyn Read + Send>>) -> Requests {
    let mut lines = content.lines().enumerate().peekable();
    let mut read = move || -> anyhow::Result<Option<Request>> {
        let mut reports: Vec<u8> = Vec::new();
        let mut count = 0;
        while let Some((number, line)) = lines.next() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            match path_of(&line).with_context(|| format!("line {}", number + 1))? {
                OUTCOMES => {
                    reports.extend_from_slice(line.as_bytes());
                    reports.push(b'\n');
                    count += 1;
                    // A request between reports ends their batch, so that the order is the file's.
                    let more = lines.peek().and_then(|(_, next)| next.as_ref().ok());
                    let more =
                        more.is_some_and(|next| path_of(next).is_ok_and(|path| path == OUTCOMES));
                    if count == REPORTS_AT_ONCE || !more {
                        let body = std::mem::take(&mut reports).into();
                        return Ok(Some(Request {
                            path: OUTCOMES,
                            media: "application/x-ndjson",
                            body,
                        }));
                    }
                }
                path => {
                    return Ok(Some(Request {
                        path,
                        media: JSON,
                        body: line.into(),
                    }));
                }
            }
        }
        Ok(None)
    };
    Box::new(std::iter::from_fn(move || read().transpose()))
}

const OUTCOMES: &str = "/api/v1/outcomes";

/// Returns where a line belongs, by the one name that only it has.
fn path_of(line: &str) -> anyhow::Result<&'static str> {
    let line: std::collections::HashMap<String, serde::de::IgnoredAny> =
        serde_json::from_str(line)?;
    let paths = [
        ("resourceSpans", "/v1/traces"),
        ("resource_spans", "/v1/traces"),
        ("resourceLogs", "/v1/logs"),
        ("resource_logs", "/v1/logs"),
        ("resourceMetrics", "/v1/metrics"),
        ("resource_metrics", "/v1/metrics"),
        ("outcome", OUTCOMES),
    ];
    let found = paths.into_iter().find(|(name, _)| line.contains_key(*name));
    found
        .map(|(_, path)| path)
        .context("it is neither an OTLP request nor an outcome report")
}
