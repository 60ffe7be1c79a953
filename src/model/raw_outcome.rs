//! A report of an outcome as its reporter meant it.

use super::money::Usd;
use super::raw::TraceId;

/// One report: how a run or a task ended. At least one of `trace_id` and `task_id` is set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RawOutcome {
    /// The reporter's own id of the report: one that comes again corrects the earlier one.
    pub id: Option<String>,
    /// Whose data it is, honoured only where the data may say so.
    pub tenant: Option<String>,
    /// The run.
    pub trace_id: Option<TraceId>,
    /// The task.
    pub task_id: Option<String>,
    /// One of [`crate::model::outcome::OUTCOMES`].
    pub outcome: &'static str,
    /// The score.
    pub score: Option<f64>,
    /// What the outcome was worth.
    pub value_usd: Option<Usd>,
    /// When it was reported, Unix nanoseconds; where absent, when it is received.
    pub reported_at_unix_nano: Option<i64>,
    /// Who says so.
    pub source: Option<String>,
    /// Minutes that a person was spared.
    pub minutes_saved: Option<f64>,
    /// Minutes that a person spent.
    pub human_minutes: Option<f64>,
    /// Free words.
    pub note: Option<String>,
}
