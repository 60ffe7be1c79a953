//! Evaluations: what a person, a model or a program thought of a span, a trace or a session.

use std::sync::Arc;

use super::column::{Day, Hex, Micros, table};

table! {
    /// One evaluation.
    EvaluationRow {
        /// When it was made.
        ts: Micros, Keep;
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Keyed digest of all that it says: its identity.
        evaluation_id: Hex<16>, Keep;
        /// Trace it is about.
        trace_id: Option<Hex<16>>, Keep;
        /// Span it is about, or that carried it.
        span_id: Option<Hex<8>>, Keep;
        /// Response it is about.
        response_id: Option<String>, Text;
        /// Session it is about.
        session_id: Option<String>, Text;
        /// `span`, `trace`, `session`.
        scope: &'static str, Keep;
        /// What was evaluated.
        name: String, Text;
        /// The score.
        score: Option<f64>, Keep;
        /// The label.
        label: Option<String>, Text;
        /// `human`, `llm`, `code`.
        annotator_kind: Option<&'static str>, Keep;
        /// Who evaluated.
        evaluator_id: Option<String>, Text;
        /// Why there is no verdict.
        error_type: Option<String>, Text;
        /// All else that came with it, as JSON.
        metadata: Option<String>, Json;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}
