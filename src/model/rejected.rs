//! What could not be taken, and why: bad input is a value, not an error of ours.

use std::collections::BTreeMap;

/// Counts what was refused of one request, by reason, and keeps one sentence about the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rejected {
    counts: BTreeMap<Reason, u64>,
    first: Option<String>,
}

/// Why one span, log record, metric point or outcome report was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// Its bytes could not be read.
    Malformed,
    /// A trace id that is not 16 bytes, or all zero.
    TraceId,
    /// A span id that is not 8 bytes, or all zero.
    SpanId,
    /// A value nested deeper than allowed.
    Depth,
    /// A time outside of what a table can hold.
    Time,
    /// A tenant name that is not allowed.
    Tenant,
    /// A required field is missing, or a value is none of those allowed.
    Field,
}

impl Reason {
    /// Returns the reason as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::TraceId => "trace_id",
            Self::SpanId => "span_id",
            Self::Depth => "depth",
            Self::Time => "time",
            Self::Tenant => "tenant",
            Self::Field => "field",
        }
    }
}

impl Rejected {
    /// Counts one refusal; `message` names the item, the field and the limit.
    pub fn add(&mut self, reason: Reason, message: impl FnOnce() -> String) {
        *self.counts.entry(reason).or_default() += 1;
        self.first.get_or_insert_with(message);
    }

    /// Adds what another stage refused.
    pub fn merge(&mut self, other: Self) {
        for (reason, count) in other.counts {
            *self.counts.entry(reason).or_default() += count;
        }
        self.first = self.first.take().or(other.first);
    }

    /// Returns how many items were refused.
    pub fn total(&self) -> u64 {
        self.counts.values().sum()
    }

    /// Returns the counts by reason.
    pub fn counts(&self) -> impl Iterator<Item = (Reason, u64)> + '_ {
        self.counts.iter().map(|(reason, count)| (*reason, *count))
    }

    /// Returns one sentence for the sender; `None` where nothing was refused.
    pub fn message(&self) -> Option<String> {
        let first = self.first.as_ref()?;
        match self.total() {
            1 => Some(first.clone()),
            more => Some(format!("{first} (and {} more)", more - 1)),
        }
    }
}
