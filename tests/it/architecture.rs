//! The drawing of ARCHITECTURE.md, held up against the sources.
//!
//! Imports go down the floors only, an outside crate is used only where it is at home, and each file says what it is
//! for. To move a line of these tables is to change the design: say why in the commit.

mod source;

use std::collections::BTreeSet;

use source::{Source, Target};

/// Who stands where. A module knows the floors below its own and nobody beside it.
const FLOORS: &[&[&str]] = &[
    &["base", "model"],
    &[
        "otlp",
        "normalise",
        "redact",
        "wal",
        "buffer",
        "table",
        "settle",
        "query",
    ],
    &["ledger"],
    &["receive", "serve", "watch", "replay", "agent"],
    &["cli"],
];

/// The reference runner is an ordinary OTLP client: it has no back door into the engine.
const AGENT_KNOWS: &[&str] = &["agent", "model"];

/// Tests that need a stage beside theirs: what real senders sent comes as bytes.
const ACROSS: &[(&str, &str)] = &[("src/normalise/tests/captures.rs", "otlp")];

/// Crates for plain data and plumbing, and our own telemetry: no I/O of their own, at home everywhere.
const EVERYWHERE: &[&str] = &[
    "ahash",
    "async_trait",
    "base64",
    "bytes",
    "chrono",
    "futures",
    "hashbrown",
    "hex",
    "jiff",
    "memchr",
    "metrics",
    "mime",
    "parking_lot",
    "rust_decimal",
    "serde",
    "serde_json",
    "thiserror",
    "tracing",
    "twox_hash",
    "url",
    "uuid",
];

/// Modules that know the network, then those that run on tokio; the others are functions of their input, or block.
const DOORS: &[&str] = &["receive", "serve", "watch", "agent", "cli"];
const ASYNC: &[&str] = &[
    "base", "table", "query", "ledger", "receive", "serve", "watch", "replay", "agent", "cli",
];

/// The homes of the other crates, and of the parts of `std` that touch the world. The longest match counts.
const HOMES: &[(&str, &[&str])] = &[
    ("aho_corasick", &["redact"]),
    ("anyhow", &["cli"]),
    ("arc_swap", &["table", "ledger"]),
    (
        "arrow",
        &[
            "model", "redact", "buffer", "table", "settle", "query", "ledger", "replay", "cli",
        ],
    ),
    ("axum", &["receive", "serve", "cli"]),
    ("backon", &["cli"]),
    ("clap", &["cli"]),
    ("crc32c", &["wal"]),
    ("datafusion", &["buffer", "table", "query", "ledger"]),
    ("deltalake_core", &["table"]),
    ("figment", &["cli"]),
    ("flate2", &["otlp", "receive", "cli"]),
    ("fs4", &["ledger"]),
    ("governor", &["receive"]),
    ("hmac", &["normalise"]),
    ("http_body_util", &["receive", "serve", "cli"]),
    ("indicatif", &["cli"]),
    ("metrics_exporter_prometheus", &["cli"]),
    ("object_store", &["base", "table", "query"]),
    ("opentelemetry_proto", &["otlp", "agent", "cli"]),
    ("parquet", &["table", "query"]),
    ("prost", &["otlp", "receive", "agent", "cli"]),
    ("rand", &["wal", "ledger", "agent"]),
    ("regex", &["redact"]),
    ("reqwest", &["watch", "agent", "cli"]),
    ("sha2", &["model", "normalise"]),
    ("std::env", &["cli"]),
    ("std::fs", &["base", "wal", "ledger", "replay", "cli"]),
    ("std::net", DOORS),
    ("std::process", &["main", "cli"]),
    ("std::thread", &["base", "wal", "query", "receive"]),
    ("tempfile", &["cli"]),
    ("tikv_jemalloc_ctl", &["cli"]),
    ("tikv_jemallocator", &["main"]),
    ("tokio", ASYNC),
    ("tokio::net", DOORS),
    (
        "tokio::sync::watch",
        &["base", "wal", "ledger", "receive", "serve", "cli"],
    ),
    ("tokio_util", ASYNC),
    ("toml", &["settle", "cli"]),
    ("tonic", &["receive", "agent", "cli"]),
    ("tower_http", DOORS),
    ("tracing_subscriber", &["cli"]),
    ("zstd", &["receive", "ledger", "cli"]),
];

/// Most files say what they have to say in this many lines; a longer one has its reason in `LONG`.
const LINES_MAX: usize = 600;
const LONG: &[(&str, &str)] = &[
    (
        "src/normalise/tests.rs",
        "the table of cases, one after the other",
    ),
    (
        "src/query/engine/tests.rs",
        "a test for each way to hurt a server",
    ),
    (
        "src/query/functions/capped.rs",
        "a row for each function that can outgrow its input",
    ),
    (
        "src/query/gate.rs",
        "one walk over every kind of syntax node",
    ),
];

#[test]
fn imports_go_down_the_floors_only() {
    let mut wrong = BTreeSet::new();
    for source in source::sources() {
        for path in source.inside() {
            let across = ACROSS.contains(&(source.file.as_str(), path));
            if !across && !may_import(&source.module, path) {
                wrong.insert(format!("{} imports {path}", source.file));
            }
        }
    }
    assert!(wrong.is_empty(), "upwards or sideways: {wrong:#?}");
}

/// `main` and the root of the library stand above the floors.
fn may_import(module: &str, target: &str) -> bool {
    match module {
        "main" | "lib" => true,
        "agent" => AGENT_KNOWS.contains(&target),
        _ => module == target || floor(target).is_some_and(|below| Some(below) < floor(module)),
    }
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

#[test]
fn every_module_stands_on_a_floor() {
    for source in source::sources() {
        let placed = ["lib", "main"].contains(&&*source.module) || floor(&source.module).is_some();
        assert!(placed, "{} stands on no floor", source.file);
    }
}

#[test]
fn outside_crates_are_used_only_where_they_are_at_home() {
    let dependencies = source::dependencies();
    let mut wrong = BTreeSet::new();
    for source in source::sources() {
        for path in source.outside() {
            let name = path.split("::").next().unwrap();
            if (name == "std" || dependencies.contains(name)) && !is_at_home(path, &source.module) {
                wrong.insert(format!("{} uses {path}", source.file));
            }
        }
    }
    assert!(wrong.is_empty(), "away from home: {wrong:#?}");
}

fn is_at_home(path: &str, module: &str) -> bool {
    let homes = HOMES.iter().filter(|(prefix, _)| {
        path.strip_prefix(prefix)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
    });
    homes
        .max_by_key(|(prefix, _)| prefix.len())
        .is_none_or(|(_, modules)| modules.contains(&module))
}

#[test]
fn every_dependency_has_one_home_or_is_at_home_everywhere() {
    let crates = HOMES
        .iter()
        .map(|(path, _)| *path)
        .filter(|path| !path.contains("::"));
    let listed: Vec<String> = crates
        .chain(EVERYWHERE.iter().copied())
        .map(str::to_owned)
        .collect();
    let once: BTreeSet<String> = listed.iter().cloned().collect();
    assert_eq!(once.len(), listed.len(), "a crate is listed twice");
    assert_eq!(
        once,
        source::dependencies(),
        "left: the tables above; right: Cargo.toml"
    );
}

#[test]
fn every_dependency_is_used() {
    let sources = source::sources();
    let used: BTreeSet<&str> = sources
        .iter()
        .flat_map(Source::outside)
        .map(|path| path.split("::").next().unwrap())
        .collect();
    let mut unused = source::dependencies();
    unused.retain(|name| !used.contains(name.as_str()));
    assert!(
        unused.is_empty(),
        "Cargo.toml names what nothing uses: {unused:?}"
    );
}

#[test]
fn every_file_belongs_to_a_module() {
    let read: BTreeSet<String> = source::sources()
        .into_iter()
        .map(|source| source.file)
        .collect();
    let there: BTreeSet<String> = source::files("src").into_iter().collect();
    assert_eq!(
        there, read,
        "left: the files; right: what a `mod` line leads to"
    );
}

#[test]
fn every_file_says_what_it_is_for_and_is_short() {
    let files = ["src", "tests", "benches"].map(source::files).concat();
    let (mut silent, mut long) = (Vec::new(), BTreeSet::new());
    for file in &files {
        let text = source::read(file);
        if !text.starts_with("//! ") {
            silent.push(file);
        }
        if text.lines().count() > LINES_MAX {
            long.insert(file.as_str());
        }
    }
    assert!(silent.is_empty(), "begin with `//! `: {silent:#?}");
    let listed: BTreeSet<&str> = LONG.iter().map(|(file, _)| *file).collect();
    assert_eq!(
        long, listed,
        "left: files over {LINES_MAX} lines; right: those with a reason"
    );
}

/// The tests above are worth what the reader finds.
#[test]
fn the_reader_finds_a_path_in_whatever_form_it_is_written() {
    let text = r#"
        //! Doc links to crate::cli are no imports.
        use crate::{model::{Span, Usd}, wal as log};
        use super::super::ledger::Ledger;
        use opentelemetry_proto::tonic::metrics::v1 as metrics;
        use async_trait::async_trait;
        mod clock { fn now() -> super::super::super::serve::Time { self::zone::utc() } }
        #[derive(thiserror::Error)] enum Error { A(#[from] ::tokio::io::Error) }
        fn f() { assert!(crate::query::ok("crate::agent::in_text")); tokio::net::bind(); metrics::inc(); }
        #[cfg(test)] mod tests { use crate::cli::run; fn g() { axum::serve() } }
        fn h() { parquet::read() }
    "#;
    let source = Source::parse("src/otlp/json.rs", &["otlp", "json"], text);
    let expected = [
        "model", "model", "wal", "ledger", "serve", "otlp", "query", "cli",
    ];
    assert!(source.inside().eq(expected));
    let outside: Vec<&str> = source
        .outside()
        .filter(|path| !path.starts_with("v1"))
        .collect();
    let expected = [
        "opentelemetry_proto::tonic::metrics::v1",
        "async_trait::async_trait",
        "thiserror::Error",
        "tokio::io::Error",
        "tokio::net::bind",
        "parquet::read",
    ];
    assert_eq!(outside, expected);
    assert!(
        source
            .paths
            .iter()
            .any(|path| path.target == Target::Outside("axum::serve".to_owned()) && path.in_test)
    );
}

#[test]
fn the_floors_and_homes_refuse_what_they_should() {
    assert!(may_import("wal", "base") && may_import("ledger", "wal") && may_import("cli", "serve"));
    assert!(
        !may_import("wal", "ledger") && !may_import("wal", "table"),
        "upwards, sideways"
    );
    assert!(
        !may_import("base", "model") && !may_import("model", "base"),
        "the words need no tools"
    );
    assert!(!may_import("agent", "ledger") && !may_import("serve", "nowhere"));
    assert!(
        is_at_home("datafusion::sql::parser", "query") && !is_at_home("datafusion::sql", "serve")
    );
    assert!(is_at_home("tokio::sync", "table") && !is_at_home("tokio::net::TcpListener", "table"));
    assert!(is_at_home("std::fmt", "model") && !is_at_home("std::fs", "model"));
}
