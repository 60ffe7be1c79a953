//! What published SDKs really sent, read as `completeness.md` beside the captures says a perfect reader reads it.
//!
//! Only captures in which no call is told twice: counting those once is the settling's work, not the mapping's.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::base::testing::shared;
use crate::model::{RawBatch, Table};
use crate::normalise::normalise;
use crate::normalise::support::{Rows, context};
use crate::otlp::{Encoding, Signal, decode};

/// A capture, and what its spans say: model calls, failed ones, tokens in, out, cached and of thoughts, tool calls,
/// failed ones, hand-offs, traces with a session, calls with a response's id.
type Expected = (&'static str, [i64; 11]);

const EXPECTED: [Expected; 8] = [
    (
        "adk-gemini",
        [21, 1, 8662, 1320, 4928, 832, 13, 1, 1, 11, 0],
    ),
    ("oi-agno", [23, 1, 11042, 1339, 6656, 0, 14, 1, 0, 10, 0]),
    ("oi-dspy", [11, 1, 0, 0, 0, 0, 2, 1, 0, 0, 0]),
    (
        "oi-langgraph",
        [24, 1, 10164, 1362, 5568, 832, 13, 1, 1, 12, 0],
    ),
    (
        "oi-openai",
        [29, 3, 7862, 2100, 4736, 1664, 12, 2, 0, 14, 0],
    ),
    (
        "oi-openai-js",
        [21, 0, 7502, 1157, 4544, 832, 12, 2, 0, 12, 0],
    ),
    (
        "otelv2-openai-gzip-dup",
        [25, 3, 8570, 1224, 0, 0, 12, 2, 0, 13, 23],
    ),
    ("strands", [25, 1, 11582, 1367, 6848, 0, 16, 2, 0, 10, 0]),
];

/// Names that carry content in the dialects known here, and beginnings of such names.
const CONTENT: [&str; 12] = [
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "input.value",
    "output.value",
    "llm.input_messages.",
    "llm.output_messages.",
    "gen_ai.completion",
    "exception.message",
];

fn capture(folder: &Path) -> RawBatch {
    let mut all = RawBatch::default();
    for number in 1.. {
        let Ok(head) = fs::read_to_string(folder.join(format!("request-{number}.json"))) else {
            break;
        };
        let head: serde_json::Value = serde_json::from_str(&head).unwrap();
        let mut body = fs::read(folder.join(format!("request-{number}.bin"))).unwrap();
        if head["headers"]["content-encoding"] == "gzip" {
            let packed = std::mem::take(&mut body);
            MultiGzDecoder::new(&*packed)
                .read_to_end(&mut body)
                .unwrap();
        }
        let json = head["headers"]["content-type"] == "application/json";
        let encoding = if json {
            Encoding::Json
        } else {
            Encoding::Protobuf
        };
        let signal = Signal::ALL
            .into_iter()
            .find(|signal| head["signal"] == signal.label())
            .unwrap();
        let (batch, rejected) = decode(signal, &body, encoding).unwrap();
        assert_eq!(rejected.total(), 0);
        all.resources.extend(batch.resources);
    }
    all
}

fn said(rows: &Rows) -> [i64; 11] {
    let spans: Vec<_> = (0..rows.count(Table::Spans)).collect();
    let cell = |row: usize, column: &str| rows.cell(Table::Spans, row, column);
    let of_kind = |kind: &str| {
        spans
            .iter()
            .copied()
            .filter(|row| cell(*row, "kind") == kind)
            .collect::<Vec<_>>()
    };
    let failed = |rows: &[usize]| {
        let failed =
            |row: &&usize| ["error", "cancelled"].contains(&cell(**row, "status").as_str());
        i64::try_from(rows.iter().filter(failed).count()).unwrap()
    };
    let count = |rows: &[usize]| i64::try_from(rows.len()).unwrap();
    let (calls, tools) = (of_kind("llm"), of_kind("tool"));
    let sum = |column: &str| {
        calls
            .iter()
            .map(|row| cell(*row, column).parse::<i64>().unwrap_or(0))
            .sum::<i64>()
    };
    let with_session = spans
        .iter()
        .filter(|row| !cell(**row, "session_id").is_empty());
    let sessions: BTreeSet<_> = with_session.map(|row| cell(*row, "trace_id")).collect();
    let ids = calls
        .iter()
        .filter(|row| !cell(**row, "response_id").is_empty())
        .count();
    [
        count(&calls),
        failed(&calls),
        sum("tokens_input"),
        sum("tokens_output"),
        sum("tokens_cache_read"),
        sum("tokens_reasoning"),
        count(&tools),
        failed(&tools),
        count(&of_kind("handoff")),
        i64::try_from(sessions.len()).unwrap(),
        i64::try_from(ids).unwrap(),
    ]
}

#[test]
fn captures_say_what_a_perfect_reader_can_know() {
    let Some(root) = shared("otlp-captures") else {
        return;
    };
    for (name, expected) in EXPECTED {
        let rows = Rows(normalise(capture(&root.join(name)), &context()).0);
        assert_eq!(said(&rows), expected, "{name}");
    }
}

#[test]
fn no_content_remains_in_attributes() {
    let Some(root) = shared("otlp-captures") else {
        return;
    };
    let folders = fs::read_dir(root)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let mut content = 0;
    for folder in folders.filter(|path| path.join("truth.json").exists()) {
        let rows = Rows(normalise(capture(&folder), &context()).0);
        content += rows.count(Table::SpanContent);
        for table in [Table::Spans, Table::SpanEvents, Table::LogRecords] {
            for row in 0..rows.count(table) {
                let attributes = rows.cell(table, row, "attributes");
                let json: serde_json::Map<String, serde_json::Value> =
                    serde_json::from_str(&attributes).unwrap();
                let found = json
                    .keys()
                    .find(|key| CONTENT.iter().any(|content| key.starts_with(content)));
                assert_eq!(found, None, "{}", folder.display());
            }
        }
    }
    assert!(content > 1000, "{content}");
}
