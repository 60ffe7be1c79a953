//! Log records and what they said.

use std::sync::Arc;

use super::column::{Day, Hex, Micros, table};

table! {
    /// One log record, without its body.
    LogRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Keyed digest of all that the record says: its identity.
        log_id: Hex<16>, Keep;
        /// Trace it was written in.
        trace_id: Option<Hex<16>>, Keep;
        /// Span it was written in.
        span_id: Option<Hex<8>>, Keep;
        /// When it happened; where unknown, when it was observed.
        ts: Micros, Keep;
        /// When it was collected.
        observed_ts: Option<Micros>, Keep;
        /// Name of the event.
        event_name: Option<String>, Text;
        /// 1 to 24.
        severity_number: Option<i32>, Keep;
        /// `service.name`.
        service_name: Arc<str>, Text;
        /// Deployment environment.
        environment: Arc<str>, Text;
        /// Instrumentation scope.
        scope_name: Arc<str>, Text;
        /// Conversation, session, thread.
        session_id: Option<String>, Text;
        /// Keyed hash of the body; null where it has none.
        body_hash: Option<String>, Keep;
        /// Attributes without content, as JSON with sorted keys.
        attributes: String, Json;
        /// Attributes of the resource, as JSON with sorted keys.
        resource_attributes: Arc<str>, Json;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}

table! {
    /// The body of a log record that belongs to no span.
    LogContentRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// The record.
        log_id: Hex<16>, Keep;
        /// Its time.
        ts: Micros, Keep;
        /// JSON or text.
        body: String, Text;
        /// `json` or `text`.
        format: &'static str, Keep;
        /// Bytes before redaction.
        bytes_in: i64, Keep;
        /// How many values redaction replaced.
        redactions: i32, Keep;
        /// Cut by the sender or by us.
        truncated: bool, Keep;
        /// Time received.
        ingest_ts: Micros, Keep;
        /// Sequence number in the log.
        ingest_seq: i64, Keep;
        /// UTC day of receipt; the partition.
        received_date: Day, Keep;
    }
}
