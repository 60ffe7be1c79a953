//! A metric and its points in JSON. Exemplars are left out.

use opentelemetry_proto::tonic::metrics::v1::AggregationTemporality;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::field::{self, Raw, RawList, parse};
use super::value::Values;
use crate::model::Number;
use crate::otlp::allowance::Allowance;
use crate::otlp::metric::{self, Buckets, Draft, Form, Quantile, Spread};
use crate::otlp::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Metric<'a> {
    #[serde(borrow)]
    name: Raw<'a>,
    #[serde(borrow)]
    unit: Raw<'a>,
    #[serde(borrow)]
    gauge: Raw<'a>,
    #[serde(borrow)]
    sum: Raw<'a>,
    #[serde(borrow)]
    histogram: Raw<'a>,
    #[serde(borrow, alias = "exponential_histogram")]
    exponential_histogram: Raw<'a>,
    #[serde(borrow)]
    summary: Raw<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Data<'a> {
    #[serde(borrow, alias = "data_points")]
    data_points: RawList<'a>,
    #[serde(borrow, alias = "aggregation_temporality")]
    aggregation_temporality: Raw<'a>,
    #[serde(borrow, alias = "is_monotonic")]
    is_monotonic: Raw<'a>,
}

/// A point of any kind: no two kinds give one name two meanings.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Point<'a> {
    #[serde(borrow)]
    attributes: RawList<'a>,
    #[serde(borrow, alias = "start_time_unix_nano")]
    start_time_unix_nano: Raw<'a>,
    #[serde(borrow, alias = "time_unix_nano")]
    time_unix_nano: Raw<'a>,
    #[serde(borrow)]
    flags: Raw<'a>,
    #[serde(borrow, alias = "as_double")]
    as_double: Raw<'a>,
    #[serde(borrow, alias = "as_int")]
    as_int: Raw<'a>,
    #[serde(borrow)]
    count: Raw<'a>,
    #[serde(borrow)]
    sum: Raw<'a>,
    #[serde(borrow)]
    min: Raw<'a>,
    #[serde(borrow)]
    max: Raw<'a>,
    #[serde(borrow, alias = "bucket_counts")]
    bucket_counts: RawList<'a>,
    #[serde(borrow, alias = "explicit_bounds")]
    explicit_bounds: RawList<'a>,
    #[serde(borrow)]
    scale: Raw<'a>,
    #[serde(borrow, alias = "zero_count")]
    zero_count: Raw<'a>,
    #[serde(borrow, alias = "zero_threshold")]
    zero_threshold: Raw<'a>,
    #[serde(borrow)]
    positive: Raw<'a>,
    #[serde(borrow)]
    negative: Raw<'a>,
    #[serde(borrow, alias = "quantile_values")]
    quantile_values: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Side<'a> {
    #[serde(borrow)]
    offset: Raw<'a>,
    #[serde(borrow, alias = "bucket_counts")]
    bucket_counts: RawList<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ValueAtQuantile<'a> {
    #[serde(borrow)]
    quantile: Raw<'a>,
    #[serde(borrow)]
    value: Raw<'a>,
}

/// Reads one metric; a point that cannot be read is kept as the reason why.
pub(super) fn read(raw: &RawValue) -> Result<metric::Metric, Refusal> {
    let sent: Metric<'_> = parse(raw, "metric")?;
    let data = match sent {
        Metric {
            gauge: Some(data), ..
        } => Some((Form::Gauge, data)),
        Metric {
            sum: Some(data), ..
        } => Some((Form::Sum, data)),
        Metric {
            histogram: Some(data),
            ..
        } => Some((Form::Histogram, data)),
        Metric {
            exponential_histogram: Some(data),
            ..
        } => Some((Form::Exponential, data)),
        Metric {
            summary: Some(data),
            ..
        } => Some((Form::Summary, data)),
        Metric { .. } => None,
    };
    let mut metric = metric::Metric {
        name: field::text(sent.name, "name")?,
        unit: field::text(sent.unit, "unit")?,
        ..metric::Metric::default()
    };
    let Some((form, data)) = data else {
        return Ok(metric);
    };
    let (mut values, mut points) = (Values::of_item(raw), Allowance::of_items(raw.get().len()));
    let data: Data<'_> = parse(data, "data")?;
    metric.form = form;
    metric.monotonic = field::boolean(data.is_monotonic, "is_monotonic")?;
    metric.temporality = field::enumeration(
        data.aggregation_temporality,
        "aggregation_temporality",
        |name| AggregationTemporality::from_str_name(name).map(i32::from),
    )?;
    for raw in data.data_points.into_iter().flatten() {
        points.take()?;
        metric.drafts.push(point(form, raw, &mut values));
    }
    Ok(metric)
}

fn point(form: Form, raw: &RawValue, values: &mut Values) -> Result<Draft, Refusal> {
    let sent: Point<'_> = parse(raw, "point")?;
    let spread = match form {
        Form::Empty | Form::Gauge | Form::Sum => None,
        Form::Histogram | Form::Exponential | Form::Summary => Some(spread(&sent, values)?),
    };
    Ok(Draft {
        start_unix_nano: field::integer(sent.start_time_unix_nano, "start_time_unix_nano")?,
        time_unix_nano: field::integer(sent.time_unix_nano, "time_unix_nano")?,
        attributes: values.attributes(sent.attributes)?,
        flags: field::integer(sent.flags, "flags")?,
        number: number(sent.as_int, sent.as_double)?,
        spread,
    })
}

fn number(int: Raw<'_>, double: Raw<'_>) -> Result<Option<Number>, Refusal> {
    match int {
        Some(_) => Ok(Some(Number::Int(field::integer(int, "as_int")?))),
        None => Ok(field::double(double, "as_double")?.map(Number::Double)),
    }
}

fn spread(sent: &Point<'_>, values: &mut Values) -> Result<Box<Spread>, Refusal> {
    let spread = Spread {
        count: field::integer(sent.count, "count")?,
        sum: field::double(sent.sum, "sum")?,
        min: field::double(sent.min, "min")?,
        max: field::double(sent.max, "max")?,
        bounds: numbers(sent.explicit_bounds.as_ref(), |raw| {
            Ok(field::double(raw, "explicit_bounds")?.unwrap_or_default())
        })?,
        counts: numbers(sent.bucket_counts.as_ref(), |raw| {
            field::integer(raw, "bucket_counts")
        })?,
        scale: field::integer(sent.scale, "scale")?,
        zero_count: field::integer(sent.zero_count, "zero_count")?,
        zero_threshold: field::double(sent.zero_threshold, "zero_threshold")?.unwrap_or_default(),
        positive: side(sent.positive, "positive")?,
        negative: side(sent.negative, "negative")?,
        quantiles: quantiles(sent.quantile_values.as_ref(), values)?,
    };
    spread.check()?;
    Ok(Box::new(spread))
}

fn numbers<T>(
    list: Option<&Vec<&RawValue>>,
    read: impl Fn(Raw<'_>) -> Result<T, Refusal>,
) -> Result<Vec<T>, Refusal> {
    list.into_iter()
        .flatten()
        .map(|raw| read(Some(raw)))
        .collect()
}

fn side(raw: Raw<'_>, field: &str) -> Result<Buckets, Refusal> {
    let Some(raw) = raw else {
        return Ok(Buckets::default());
    };
    let side: Side<'_> = parse(raw, field)?;
    Ok(Buckets {
        offset: field::integer(side.offset, "offset")?,
        counts: numbers(side.bucket_counts.as_ref(), |raw| {
            field::integer(raw, "bucket_counts")
        })?,
    })
}

fn quantiles(list: Option<&Vec<&RawValue>>, values: &mut Values) -> Result<Vec<Quantile>, Refusal> {
    let mut quantiles = Vec::new();
    for raw in list.into_iter().flatten() {
        values.count()?;
        let sent: ValueAtQuantile<'_> = parse(raw, "a quantile")?;
        quantiles.push(Quantile {
            quantile: field::double(sent.quantile, "quantile")?.unwrap_or_default(),
            value: field::double(sent.value, "value")?.unwrap_or_default(),
        });
    }
    Ok(quantiles)
}
