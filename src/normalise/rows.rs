//! The rows of one request while it is read, and which of them remain: each key once.
//!
//! A batch must hold every key at most once (see [`Batch`]). Of two deliveries of a span in one request the better
//! version stays, by the same rule as between requests, with its own content and events.

use std::hash::Hash;

use ahash::RandomState;
use hashbrown::HashMap;

use crate::model::column::Row;
use crate::model::{
    Batch, ContentRow, EvaluationRow, EventRow, LogContentRow, LogRow, MetricRow, SpanRow, Table,
    versions,
};

/// Rows, with the number of the row that each owned one belongs to.
#[derive(Debug, Default)]
pub(super) struct Rows {
    spans: Vec<SpanRow>,
    /// Content and events of spans.
    content: Owned<ContentRow>,
    events: Owned<EventRow>,
    logs: Vec<LogRow>,
    /// What log records said, in the content of their span or in a table of its own.
    log_span_content: Owned<ContentRow>,
    log_content: Owned<LogContentRow>,
    pub(super) metrics: Vec<MetricRow>,
    pub(super) evaluations: Vec<EvaluationRow>,
}

#[derive(Debug)]
struct Owned<R> {
    rows: Vec<R>,
    owners: Vec<usize>,
}

impl<R> Default for Owned<R> {
    fn default() -> Self {
        Self {
            rows: Vec::new(),
            owners: Vec::new(),
        }
    }
}

impl<R> Owned<R> {
    fn push(&mut self, row: R, owner: usize) {
        self.rows.push(row);
        self.owners.push(owner);
    }

    fn keep(&mut self, owners: &[bool]) {
        let mut at = 0;
        self.rows.retain(|_| {
            at += 1;
            owners[self.owners[at - 1]]
        });
    }
}

impl Rows {
    /// Makes room for spans: rows are wide, and growing would copy them.
    pub(super) fn with_room_for(spans: usize) -> Self {
        Self {
            spans: Vec::with_capacity(spans),
            ..Self::default()
        }
    }

    /// Adds a span; what was added with `push_content` and `push_event` since the last one belongs to it.
    pub(super) fn push_span(&mut self, row: SpanRow) {
        self.spans.push(row);
    }

    /// Adds content of the span that comes next.
    pub(super) fn push_content(&mut self, row: ContentRow) {
        self.content.push(row, self.spans.len());
    }

    /// Adds an event of the span that comes next.
    pub(super) fn push_event(&mut self, row: EventRow) {
        self.events.push(row, self.spans.len());
    }

    /// Adds a log record; what was added with the two functions below since the last one belongs to it.
    pub(super) fn push_log(&mut self, row: LogRow) {
        self.logs.push(row);
    }

    /// Adds what the log record that comes next says about its span.
    pub(super) fn push_log_span_content(&mut self, row: ContentRow) {
        self.log_span_content.push(row, self.logs.len());
    }

    /// Adds what the log record that comes next says.
    pub(super) fn push_log_content(&mut self, row: LogContentRow) {
        self.log_content.push(row, self.logs.len());
    }

    /// Returns the rows as tables, each key once.
    pub(super) fn into_batch(mut self) -> Batch {
        if let Some(kept) = best(Table::Spans, &self.spans, |row| {
            (&*row.tenant, row.trace_id, row.span_id)
        }) {
            self.content.keep(&kept);
            self.events.keep(&kept);
            retain(&mut self.spans, &kept);
        }
        if let Some(kept) = best(Table::LogRecords, &self.logs, |row| {
            (&*row.tenant, row.log_id)
        }) {
            self.log_span_content.keep(&kept);
            self.log_content.keep(&kept);
            retain(&mut self.logs, &kept);
        }
        if let Some(kept) = best(Table::MetricPoints, &self.metrics, |row| {
            (&*row.tenant, row.point_id)
        }) {
            retain(&mut self.metrics, &kept);
        }
        if let Some(kept) = best(Table::Evaluations, &self.evaluations, |row| {
            (&*row.tenant, row.evaluation_id)
        }) {
            retain(&mut self.evaluations, &kept);
        }
        self.content.rows.append(&mut self.log_span_content.rows);
        let mut batch = Batch::default();
        batch.set_rows(Table::SpanContent, &self.content.rows);
        batch.set_rows(Table::SpanEvents, &self.events.rows);
        batch.set_rows(Table::LogContent, &self.log_content.rows);
        batch.set_rows(Table::Spans, &self.spans);
        batch.set_rows(Table::LogRecords, &self.logs);
        batch.set_rows(Table::MetricPoints, &self.metrics);
        batch.set_rows(Table::Evaluations, &self.evaluations);
        batch
    }
}

fn retain<R>(rows: &mut Vec<R>, kept: &[bool]) {
    let mut kept = kept.iter();
    rows.retain(|_| kept.next().copied().unwrap_or(true));
}

/// Returns which rows are the best of their key; `None` where every key occurs once.
fn best<'a, R: Row + Clone, K: Hash + Eq>(
    table: Table,
    rows: &'a [R],
    key: impl Fn(&'a R) -> K,
) -> Option<Vec<bool>> {
    if rows.len() < 2 {
        return None;
    }
    let mut firsts =
        HashMap::with_capacity_and_hasher(rows.len(), RandomState::with_seeds(5, 6, 7, 8));
    let mut groups: HashMap<usize, Vec<usize>, RandomState> = HashMap::default();
    for (at, row) in rows.iter().enumerate() {
        let first = *firsts.entry(key(row)).or_insert(at);
        if first != at {
            groups.entry(first).or_insert_with(|| vec![first]).push(at);
        }
    }
    if groups.is_empty() {
        return None;
    }
    let mut kept = vec![true; rows.len()];
    let doubled: Vec<usize> = groups.values().flatten().copied().collect();
    let copies: Vec<R> = doubled.iter().map(|at| rows[*at].clone()).collect();
    let mut batch = Batch::default();
    batch.set_rows(table, &copies);
    let versions = versions(table, batch.table(table)?);
    let mut versions = versions.iter();
    for group in groups.values() {
        let (Some(mut best), Some(mut winner)) = (versions.next(), group.first()) else {
            break;
        };
        for (at, version) in group[1..].iter().zip(&mut versions) {
            let better = version.replaces(best);
            kept[if better { *winner } else { *at }] = false;
            if better {
                (best, winner) = (version, at);
            }
        }
    }
    Some(kept)
}
