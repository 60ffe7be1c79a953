//! Where a ledger keeps its data and how much memory it may use.

use std::collections::HashMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::model::Table;
use crate::query;

/// Settings of a ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The directory or URL of the tables.
    pub data: String,
    /// The directory of the log; always on a local disk. Where absent: `wal` below a local `data`, else
    /// `outspan-wal` in the working directory.
    pub wal: Option<PathBuf>,
    /// The secret behind all keyed hashes, where nodes share a store; where absent, one is made up and kept.
    #[serde(skip_serializing)]
    pub secret_key: Option<String>,
    /// Options of the object store, such as `aws_region` or `aws_endpoint`.
    #[serde(skip_serializing)]
    pub store: HashMap<String, String>,
    /// All memory that the server may use, in bytes; split by fixed shares.
    pub memory_bytes: usize,
    /// The log may take so many bytes, and never more than a tenth of its disk; beyond it senders are asked to wait.
    pub wal_bytes_max: u64,
    /// Whether damage in the log is moved aside when it is opened, rather than refused.
    pub wal_salvage: bool,
    /// How long a row may wait before it is written to its table.
    pub flush_after_ms: u64,
    /// Take the tenant from the resource attribute `outspan.tenant.id` (embedded use, without keys).
    pub tenant_from_resource: bool,
    /// How long rows are kept.
    pub retention: Retention,
    /// Limits of queries.
    pub query: query::Config,
}

/// How many days rows are kept, counted from the day of their receipt; 0 keeps them for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Prompts, answers, arguments, results; bodies of log records.
    pub content_days: u32,
    /// Log records and metric points.
    pub logs_days: u32,
    /// Spans, their events, and evaluations.
    pub spans_days: u32,
    /// Reports of outcomes.
    pub outcomes_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            content_days: 30,
            logs_days: 90,
            spans_days: 396,
            outcomes_days: 1826,
        }
    }
}

impl Retention {
    /// Returns the first day, since the epoch, whose rows are kept today; `None` where all are.
    pub(super) fn first_day(&self, table: Table, today: i32) -> Option<i32> {
        let days = match table {
            Table::SpanContent | Table::LogContent => self.content_days,
            Table::LogRecords | Table::MetricPoints => self.logs_days,
            Table::Spans | Table::SpanEvents | Table::Evaluations => self.spans_days,
            Table::Outcomes => self.outcomes_days,
        };
        (days > 0).then(|| today.saturating_sub(i32::try_from(days).unwrap_or(i32::MAX)))
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: "./outspan-data".to_owned(),
            wal: None,
            secret_key: None,
            store: HashMap::new(),
            memory_bytes: 1 << 30,
            wal_bytes_max: 8 << 30,
            wal_salvage: false,
            flush_after_ms: 30_000,
            tenant_from_resource: true,
            retention: Retention::default(),
            query: query::Config::default(),
        }
    }
}

impl Config {
    /// Returns the directory of the log.
    pub fn wal_dir(&self) -> PathBuf {
        let beside_tables = || self.data_dir().map(|data| data.join("wal"));
        self.wal
            .clone()
            .or_else(beside_tables)
            .unwrap_or_else(|| PathBuf::from("outspan-wal"))
    }

    /// Returns the limits of queries; their operators share a quarter of the memory at the most.
    pub(super) fn query(&self) -> query::Config {
        let memory_bytes = self.query.memory_bytes.min(self.memory_bytes / 4);
        query::Config {
            memory_bytes,
            ..self.query.clone()
        }
    }

    /// Returns the directory of the secrets: that of the tables, or the log's where the tables are elsewhere.
    pub(super) fn secrets_dir(&self) -> PathBuf {
        self.data_dir().unwrap_or_else(|| self.wal_dir())
    }

    /// Returns whether the log stands in the directory of the tables.
    pub(super) fn is_beside_tables(&self) -> bool {
        self.data_dir()
            .is_some_and(|data| data.join("wal") == self.wal_dir())
    }

    /// Returns the directory of the tables; `None` where they are in a bucket.
    fn data_dir(&self) -> Option<PathBuf> {
        let path = self.data.strip_prefix("file://").unwrap_or(&self.data);
        (!path.contains("://")).then(|| PathBuf::from(path))
    }

    /// A quarter of the memory: rows that wait for their table. While the store is away, this is how long senders are
    /// still served.
    pub(super) fn buffer_bytes_max(&self) -> usize {
        self.memory_bytes / 4
    }

    /// A flush is due when rows take a sixteenth of the memory.
    pub(super) fn flush_bytes(&self) -> usize {
        self.memory_bytes / 16
    }

    /// An eighth of the memory, at about 100 bytes a key: keys of stored rows that are recognised without a look into
    /// files.
    pub(super) fn recent_keys(&self) -> usize {
        self.memory_bytes / 8 / 100
    }
}
