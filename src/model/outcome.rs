//! Outcomes: how a run or a task ended, as somebody reported it. Every report is kept; the latest one wins.

use std::sync::Arc;

use super::column::{Day, Hex, Micros, table};
use super::money::Usd;

/// The outcomes that a report may name.
pub const OUTCOMES: [&str; 6] = [
    "success",
    "partial",
    "failure",
    "escalated",
    "safe_fail",
    "abandoned",
];

table! {
    /// One report of an outcome.
    OutcomeRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Keyed digest of the reporter's own id where given, else of its fields: the report's identity.
        outcome_id: Hex<16>, Keep;
        /// The run, where the report names one.
        trace_id: Option<Hex<16>>, Keep;
        /// The task, where the report names one.
        task_id: Option<String>, Text;
        /// One of [`OUTCOMES`].
        outcome: &'static str, Keep;
        /// The score.
        score: Option<f64>, Keep;
        /// What the outcome was worth.
        value_usd: Option<Usd>, Keep;
        /// When it was reported, by the reporter's clock.
        reported_at: Micros, Keep;
        /// When it was received.
        received_at: Micros, Keep;
        /// Who says so.
        source: Option<String>, Text;
        /// Minutes that a person spent.
        human_minutes: Option<f64>, Keep;
        /// Minutes that a person was spared.
        minutes_saved: Option<f64>, Keep;
        /// Free words.
        note: Option<String>, Text;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}
