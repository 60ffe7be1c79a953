//! Metric points as rows: kept apart, never added to what spans say.

use std::sync::Arc;

use super::json;
use super::origin::{Origin, micros, nanos};
use super::rows::Rows;
use super::sheet::Sheet;
use crate::model::{Hex, MetricRow, Number, PointData, RawPoint, Reason, Rejected};

/// Reads one point into `rows`.
pub(super) fn read(
    point: RawPoint,
    origin: &Origin,
    sheet: &mut Sheet,
    rows: &mut Rows,
    rejected: &mut Rejected,
) {
    let (Some(start), Some(time)) = (nanos(point.start_unix_nano), nanos(point.time_unix_nano))
    else {
        return rejected.add(Reason::Time, || {
            format!(
                "point of metric {:?}: a time is after the year 2262",
                point.name
            )
        });
    };
    let mut series = String::new();
    json::write_object(&mut series, &point.attributes);
    let form = form(&point.data);
    let digest = origin.key.digest(
        "point",
        &[
            point.name.as_bytes(),
            point.unit.as_bytes(),
            form.as_bytes(),
            series.as_bytes(),
            origin.scope_name.as_bytes(),
            origin.scope_version.as_bytes(),
            origin.resource.as_bytes(),
            &point.start_unix_nano.to_le_bytes(),
            &point.time_unix_nano.to_le_bytes(),
        ],
    );
    let mut attributes = String::new();
    sheet.read(point.attributes, &mut attributes);
    let mut row = MetricRow {
        tenant: Arc::clone(&origin.tenant),
        point_id: Hex(digest),
        ts: micros(time),
        start_ts: (start > 0).then(|| micros(start)),
        name: point.name,
        unit: Some(point.unit).filter(|unit| !unit.is_empty()),
        form,
        service_name: Arc::clone(&origin.service_name),
        scope_name: Arc::clone(&origin.scope_name),
        attributes,
        resource_attributes: Arc::clone(&origin.resource),
        ingest_ts: origin.receipt.ts,
        received_date: origin.receipt.day,
        ..MetricRow::default()
    };
    measure(&mut row, point.data);
    rows.metrics.push(row);
}

fn form(data: &PointData) -> &'static str {
    match data {
        PointData::Gauge(_) => "gauge",
        PointData::Sum { .. } => "sum",
        PointData::Histogram { form, .. } => form,
    }
}

fn measure(row: &mut MetricRow, data: PointData) {
    match data {
        PointData::Gauge(value) => set(row, value),
        PointData::Sum {
            value,
            temporality,
            monotonic,
        } => {
            set(row, value);
            row.temporality = temporality_name(temporality);
            row.monotonic = Some(monotonic);
        }
        PointData::Histogram {
            count,
            sum,
            min,
            max,
            temporality,
            buckets_json,
            ..
        } => {
            row.count = Some(i64::try_from(count).unwrap_or(i64::MAX));
            row.sum = sum;
            row.min = min;
            row.max = max;
            row.temporality = temporality_name(temporality);
            row.buckets = Some(buckets_json);
        }
    }
}

fn set(row: &mut MetricRow, value: Number) {
    match value {
        Number::Int(value) => row.value_int = Some(value),
        Number::Double(value) => row.value_double = Some(value),
    }
}

fn temporality_name(temporality: i32) -> Option<&'static str> {
    match temporality {
        1 => Some("delta"),
        2 => Some("cumulative"),
        _ => None,
    }
}
