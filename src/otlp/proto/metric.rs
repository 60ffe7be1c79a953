//! A metric and its points in protobuf. Exemplars are left out.

use super::value::Attributes;
use crate::model::Number;
use crate::otlp::allowance::Allowance;
use crate::otlp::metric::{Buckets, Draft, Form, Metric, Quantile, Spread};
use crate::otlp::refusal::Refusal;
use crate::otlp::wire::{Fields, Wire};

/// Reads one metric; a point that cannot be read is kept as the reason why.
pub(super) fn read(bytes: &[u8]) -> Result<Metric, Refusal> {
    let mut metric = Metric::default();
    let mut attributes = Attributes::of_item(bytes);
    let mut points = Allowance::of_items(bytes.len());
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        let form = match number {
            1 => {
                metric.name = wire.text("name")?.to_owned();
                continue;
            }
            3 => {
                metric.unit = wire.text("unit")?.to_owned();
                continue;
            }
            5 => Form::Gauge,
            7 => Form::Sum,
            9 => Form::Histogram,
            10 => Form::Exponential,
            11 => Form::Summary,
            _ => continue,
        };
        metric.become_form(form);
        data(
            wire.message("data")?,
            &mut metric,
            &mut attributes,
            &mut points,
        )?;
    }
    Ok(metric)
}

fn data(
    mut fields: Fields<'_>,
    metric: &mut Metric,
    attributes: &mut Attributes,
    points: &mut Allowance,
) -> Result<(), Refusal> {
    let has_temporality = !matches!(metric.form, Form::Gauge | Form::Summary);
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => {
                let bytes = wire.bytes("a point")?;
                points.take()?;
                metric.drafts.push(point(metric.form, bytes, attributes));
            }
            2 if has_temporality => metric.temporality = wire.int32("aggregation_temporality")?,
            3 if metric.form == Form::Sum => metric.monotonic = wire.varint("is_monotonic")? != 0,
            _ => {}
        }
    }
    Ok(())
}

/// All five kinds of point put the two times in the same fields, the attributes and the flags in different ones.
fn point(form: Form, bytes: &[u8], attributes: &mut Attributes) -> Result<Draft, Refusal> {
    let (attributes_field, flags_field) = match form {
        Form::Empty | Form::Gauge | Form::Sum | Form::Summary => (7, 8),
        Form::Histogram => (9, 10),
        Form::Exponential => (1, 10),
    };
    let mut draft = Draft::default();
    let mut fields = Fields::of(bytes);
    while let Some((number, wire)) = fields.next()? {
        match number {
            2 => draft.start_unix_nano = wire.fixed64("start_time_unix_nano")?,
            3 => draft.time_unix_nano = wire.fixed64("time_unix_nano")?,
            _ if number == attributes_field => attributes.read(wire, &mut draft.attributes)?,
            _ if number == flags_field => draft.flags = wire.uint32("flags")?,
            _ => match form {
                Form::Empty => {}
                Form::Gauge | Form::Sum => number_field(number, wire, &mut draft.number)?,
                Form::Histogram => explicit_field(number, wire, spread(&mut draft))?,
                Form::Exponential => exponential_field(number, wire, spread(&mut draft))?,
                Form::Summary => summary_field(number, wire, spread(&mut draft), attributes)?,
            },
        }
    }
    draft.spread.as_deref().map_or(Ok(()), Spread::check)?;
    Ok(draft)
}

fn spread(draft: &mut Draft) -> &mut Spread {
    draft.spread.get_or_insert_default()
}

fn number_field(number: u32, wire: Wire<'_>, out: &mut Option<Number>) -> Result<(), Refusal> {
    match number {
        4 => *out = Some(Number::Double(wire.double("as_double")?)),
        6 => *out = Some(Number::Int(wire.fixed64("as_int")?.cast_signed())),
        _ => {}
    }
    Ok(())
}

fn explicit_field(number: u32, wire: Wire<'_>, spread: &mut Spread) -> Result<(), Refusal> {
    match number {
        4 => spread.count = wire.fixed64("count")?,
        5 => spread.sum = Some(wire.double("sum")?),
        6 => wire.fixed64s("bucket_counts", &mut spread.counts)?,
        7 => {
            let mut bits = Vec::new();
            wire.fixed64s("explicit_bounds", &mut bits)?;
            spread.bounds.extend(bits.into_iter().map(f64::from_bits));
        }
        11 => spread.min = Some(wire.double("min")?),
        12 => spread.max = Some(wire.double("max")?),
        _ => {}
    }
    Ok(())
}

fn exponential_field(number: u32, wire: Wire<'_>, spread: &mut Spread) -> Result<(), Refusal> {
    match number {
        4 => spread.count = wire.fixed64("count")?,
        5 => spread.sum = Some(wire.double("sum")?),
        6 => spread.scale = wire.sint32("scale")?,
        7 => spread.zero_count = wire.fixed64("zero_count")?,
        8 => buckets(wire.message("positive")?, &mut spread.positive)?,
        9 => buckets(wire.message("negative")?, &mut spread.negative)?,
        12 => spread.min = Some(wire.double("min")?),
        13 => spread.max = Some(wire.double("max")?),
        14 => spread.zero_threshold = wire.double("zero_threshold")?,
        _ => {}
    }
    Ok(())
}

fn buckets(mut fields: Fields<'_>, out: &mut Buckets) -> Result<(), Refusal> {
    while let Some((number, wire)) = fields.next()? {
        match number {
            1 => out.offset = wire.sint32("offset")?,
            2 => wire.varints("bucket_counts", &mut out.counts)?,
            _ => {}
        }
    }
    Ok(())
}

fn summary_field(
    number: u32,
    wire: Wire<'_>,
    spread: &mut Spread,
    attributes: &mut Attributes,
) -> Result<(), Refusal> {
    match number {
        4 => spread.count = wire.fixed64("count")?,
        5 => spread.sum = Some(wire.double("sum")?),
        6 => {
            attributes.count()?;
            let mut quantile = Quantile::default();
            let mut fields = wire.message("a quantile")?;
            while let Some((number, wire)) = fields.next()? {
                match number {
                    1 => quantile.quantile = wire.double("quantile")?,
                    2 => quantile.value = wire.double("value")?,
                    _ => {}
                }
            }
            spread.quantiles.push(quantile);
        }
        _ => {}
    }
    Ok(())
}
