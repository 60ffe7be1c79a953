//! Whose telemetry it is and where it came from: what all spans of one resource and scope share, computed once.

use std::sync::Arc;

use super::hash::TenantKey;
use crate::model::{Day, Hex, MAPPING_VERSION, Micros, SCHEMA_VERSION, SpanRow};

/// When a request was received.
#[derive(Clone, Copy, Debug)]
pub(super) struct Receipt {
    /// The moment.
    pub(super) ts: Micros,
    /// Its UTC day.
    pub(super) day: Day,
}

impl Receipt {
    /// Takes the moment.
    pub(super) fn at(ts: Micros) -> Self {
        const MICROS_PER_DAY: i64 = 86_400_000_000;
        let day = ts.0.div_euclid(MICROS_PER_DAY);
        Self {
            ts,
            day: Day(i32::try_from(day).unwrap_or(i32::MAX)),
        }
    }
}

/// A resource and a scope.
#[derive(Debug)]
pub(super) struct Origin {
    pub(super) receipt: Receipt,
    pub(super) tenant: Arc<str>,
    pub(super) key: TenantKey,
    pub(super) service_name: Arc<str>,
    pub(super) service_version: Option<Arc<str>>,
    pub(super) environment: Arc<str>,
    /// As JSON.
    pub(super) resource: Arc<str>,
    pub(super) scope_name: Arc<str>,
    pub(super) scope_version: Arc<str>,
}

impl Origin {
    /// Begins the row of a span.
    pub(super) fn span_row(&self, trace_id: Hex<16>, span_id: Hex<8>) -> SpanRow {
        SpanRow {
            tenant: Arc::clone(&self.tenant),
            trace_id,
            span_id,
            schema_version: SCHEMA_VERSION,
            mapping_version: MAPPING_VERSION,
            signal: "span",
            scope_name: Arc::clone(&self.scope_name),
            scope_version: Arc::clone(&self.scope_version),
            ingest_ts: self.receipt.ts,
            received_date: self.receipt.day,
            service_name: Arc::clone(&self.service_name),
            service_version: self.service_version.as_ref().map(Arc::clone),
            environment: Arc::clone(&self.environment),
            resource_attributes: Arc::clone(&self.resource),
            ..SpanRow::default()
        }
    }
}

/// Nanoseconds since the epoch as a table holds them; `None` where they do not fit.
pub(super) fn nanos(unix_nano: u64) -> Option<i64> {
    i64::try_from(unix_nano).ok()
}

/// Microseconds of nanoseconds, rounded down.
pub(super) fn micros(nanos: i64) -> Micros {
    Micros(nanos.div_euclid(1_000))
}
