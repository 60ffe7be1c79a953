//! Every table: its columns, what makes two rows the same, how its files are sorted and pruned.

use std::sync::{Arc, LazyLock};

use arrow::datatypes::{Schema, SchemaRef};

use super::column::{Column, Row};
use super::{
    ContentRow, EvaluationRow, EventRow, LogContentRow, LogRow, MetricRow, OutcomeRow, SpanRow,
};

/// A stored table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// `spans`
    Spans,
    /// `span_content`
    SpanContent,
    /// `span_events`
    SpanEvents,
    /// `log_records`
    LogRecords,
    /// `log_content`
    LogContent,
    /// `metric_points`
    MetricPoints,
    /// `evaluations`
    Evaluations,
    /// `outcomes`
    Outcomes,
}

/// What makes two rows the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// Tenant, trace id and span id; the most complete version wins (see [`super::Version`]).
    Span,
    /// Tenant and a digest in this column; the newest version wins.
    Digest(&'static str),
    /// Part of a row of another table, and shares its fate: of a log record where `log_id` is set, else of a span.
    Owned,
}

impl Table {
    /// All stored tables. Owners stand behind what they own: a flush commits in this order, so that an owner's row is
    /// never in its table before all that belongs to it.
    pub const ALL: [Self; 8] = [
        Self::SpanContent,
        Self::SpanEvents,
        Self::LogContent,
        Self::Spans,
        Self::LogRecords,
        Self::MetricPoints,
        Self::Evaluations,
        Self::Outcomes,
    ];

    /// Returns the name in SQL and of the folder.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spans => "spans",
            Self::SpanContent => "span_content",
            Self::SpanEvents => "span_events",
            Self::LogRecords => "log_records",
            Self::LogContent => "log_content",
            Self::MetricPoints => "metric_points",
            Self::Evaluations => "evaluations",
            Self::Outcomes => "outcomes",
        }
    }

    /// Returns the position in [`Table::ALL`].
    pub fn index(self) -> usize {
        Self::ALL
            .iter()
            .position(|table| *table == self)
            .expect("ALL holds every table")
    }

    /// Returns the columns.
    pub fn columns(self) -> &'static [Column] {
        &DEFINITIONS[self.index()].columns
    }

    /// Returns the Arrow schema.
    pub fn schema(self) -> SchemaRef {
        Arc::clone(&DEFINITIONS[self.index()].schema)
    }

    /// Returns what makes two rows the same.
    pub fn identity(self) -> Identity {
        match self {
            Self::Spans => Identity::Span,
            Self::SpanContent | Self::SpanEvents | Self::LogContent => Identity::Owned,
            Self::LogRecords => Identity::Digest("log_id"),
            Self::MetricPoints => Identity::Digest("point_id"),
            Self::Evaluations => Identity::Digest("evaluation_id"),
            Self::Outcomes => Identity::Digest("outcome_id"),
        }
    }

    /// Returns the column by whose value a file is looked up: it carries a bloom filter.
    pub fn lookup_column(self) -> &'static str {
        match self.identity() {
            Identity::Digest(column) => column,
            Identity::Span | Identity::Owned if self == Self::LogContent => "log_id",
            Identity::Span | Identity::Owned => "trace_id",
        }
    }

    /// Returns the column of the row's own time.
    pub fn time_column(self) -> &'static str {
        if self == Self::Outcomes {
            "reported_at"
        } else {
            "ts"
        }
    }

    /// Returns the columns that carry minimum and maximum in the table's log: those that prune.
    pub fn pruning_columns(self) -> &'static [&'static str] {
        match self {
            Self::Spans => &[
                "tenant",
                "ts",
                "end_ts",
                "ingest_seq",
                "trace_id",
                "service_name",
            ],
            Self::SpanContent | Self::SpanEvents => &["tenant", "ts", "ingest_seq", "trace_id"],
            Self::Outcomes => &["tenant", "reported_at", "ingest_seq"],
            _ => &["tenant", "ts", "ingest_seq"],
        }
    }
}

/// The column that every table is partitioned by: the UTC day of receipt.
pub const PARTITION_COLUMN: &str = "received_date";
/// The column that holds the sequence number in the log.
pub const SEQUENCE_COLUMN: &str = "ingest_seq";

struct Definition {
    columns: Vec<Column>,
    schema: SchemaRef,
}

static DEFINITIONS: LazyLock<[Definition; 8]> = LazyLock::new(|| Table::ALL.map(define));

fn define(table: Table) -> Definition {
    let columns = match table {
        Table::Spans => SpanRow::columns(),
        Table::SpanContent => ContentRow::columns(),
        Table::SpanEvents => EventRow::columns(),
        Table::LogRecords => LogRow::columns(),
        Table::LogContent => LogContentRow::columns(),
        Table::MetricPoints => MetricRow::columns(),
        Table::Evaluations => EvaluationRow::columns(),
        Table::Outcomes => OutcomeRow::columns(),
    };
    let schema = Arc::new(Schema::new(
        columns.iter().map(Column::field).collect::<Vec<_>>(),
    ));
    Definition { columns, schema }
}
