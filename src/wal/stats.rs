//! What the log counts.

/// Figures of the log since it was opened, for `/metrics`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Records made durable.
    pub records: u64,
    /// Bytes of their payloads.
    pub record_bytes: u64,
    /// Groups made durable: one write and one sync each.
    pub groups: u64,
    /// Groups that were answered with an error.
    pub groups_failed: u64,
    /// Syncs of groups, failed ones too.
    pub syncs: u64,
    /// How long the last of them took.
    pub sync_nanos_last: u64,
    /// How long all of them took.
    pub sync_nanos_total: u64,
    /// Appends refused because the queue was full.
    pub refused_busy: u64,
    /// Appends refused because the log had reached its cap.
    pub refused_full: u64,
    /// Appends refused because the record was too large.
    pub refused_too_large: u64,
    /// Appends refused after a failure.
    pub refused_poisoned: u64,
    /// Bytes of a torn tail that were cut when the log was opened.
    pub torn_bytes: u64,
    /// Damaged bytes that were moved aside when the log was opened.
    pub quarantined_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Their bytes.
    pub size_bytes: u64,
    /// Bytes that wait for their sync.
    pub queued_bytes: u64,
    /// Sequence of the last durable record; 0 before the first.
    pub durable_sequence: u64,
}
