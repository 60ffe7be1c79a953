//! Metric points: kept in a table of their own, never added to what spans say.

use std::sync::Arc;

use super::column::{Day, Hex, Micros, table};

table! {
    /// One point of a metric.
    MetricRow {
        /// Whose data it is.
        tenant: Arc<str>, Keep;
        /// Keyed digest of series, start and time: its identity.
        point_id: Hex<16>, Keep;
        /// Time of the point.
        ts: Micros, Keep;
        /// Start of its interval.
        start_ts: Option<Micros>, Keep;
        /// Name of the metric.
        name: String, Text;
        /// Its unit.
        unit: Option<String>, Text;
        /// `gauge`, `sum`, `histogram`, `exponential_histogram`, `summary`.
        form: &'static str, Keep;
        /// `delta` or `cumulative`.
        temporality: Option<&'static str>, Keep;
        /// Whether a sum only grows.
        monotonic: Option<bool>, Keep;
        /// Value of a gauge or sum that is an integer.
        value_int: Option<i64>, Keep;
        /// Value of a gauge or sum that is a floating point number.
        value_double: Option<f64>, Keep;
        /// Values counted in a histogram.
        count: Option<i64>, Keep;
        /// Their sum.
        sum: Option<f64>, Keep;
        /// The smallest.
        min: Option<f64>, Keep;
        /// The largest.
        max: Option<f64>, Keep;
        /// Bounds and counts, or quantiles, as JSON.
        buckets: Option<String>, Keep;
        /// `service.name`.
        service_name: Arc<str>, Text;
        /// Instrumentation scope.
        scope_name: Arc<str>, Text;
        /// Attributes of the point, as JSON with sorted keys.
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
