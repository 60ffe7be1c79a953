//! A metric and its points between an encoding and the model.
//!
//! A point's name, unit, temporality and monotony stand on its metric, on the wire often after the points.

use serde::{Serialize, Serializer};

use super::refusal::Refusal;
use crate::model::{Attributes, Number, PointData, RawPoint, Reason};

/// One metric as read.
#[derive(Debug, Default)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) form: Form,
    pub(super) temporality: i32,
    pub(super) monotonic: bool,
    pub(super) drafts: Vec<Result<Draft, Refusal>>,
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Form {
    #[default]
    Empty,
    Gauge,
    Sum,
    Histogram,
    Exponential,
    Summary,
}

/// A point without what its metric says of it.
#[derive(Debug, Default)]
pub(super) struct Draft {
    pub(super) start_unix_nano: u64,
    pub(super) time_unix_nano: u64,
    pub(super) attributes: Attributes,
    pub(super) flags: u32,
    pub(super) number: Option<Number>,
    pub(super) spread: Option<Box<Spread>>,
}

/// The part of a point that only histograms and summaries have.
#[derive(Debug, Default)]
pub(super) struct Spread {
    pub(super) count: u64,
    pub(super) sum: Option<f64>,
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    pub(super) bounds: Vec<f64>,
    pub(super) counts: Vec<u64>,
    pub(super) scale: i32,
    pub(super) zero_count: u64,
    pub(super) zero_threshold: f64,
    pub(super) positive: Buckets,
    pub(super) negative: Buckets,
    pub(super) quantiles: Vec<Quantile>,
}

/// Buckets on one side of zero of an exponential histogram.
#[derive(Debug, Default, Serialize)]
pub(super) struct Buckets {
    pub(super) offset: i32,
    #[serde(rename = "bucket_counts")]
    pub(super) counts: Vec<u64>,
}

/// One quantile of a summary.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub(super) struct Quantile {
    #[serde(serialize_with = "double")]
    pub(super) quantile: f64,
    #[serde(serialize_with = "double")]
    pub(super) value: f64,
}

/// OTLP's flag on a point that only says "nothing was measured here any more".
const NO_RECORDED_VALUE: u32 = 1;
/// Bytes of a metric's name and of its unit: every point repeats them. OpenTelemetry allows 255 and 63.
const NAME_BYTES_MAX: usize = 255;
/// Buckets, bounds or quantiles of one point; an SDK's own limit for exponential histograms is 160 a side.
const BUCKETS_MAX: usize = 4096;

impl Metric {
    /// Starts over as `form`: of several kinds of data in one metric the last one counts.
    pub(super) fn become_form(&mut self, form: Form) {
        if self.form != form {
            *self = Self {
                name: std::mem::take(&mut self.name),
                unit: std::mem::take(&mut self.unit),
                form,
                ..Self::default()
            };
        }
    }

    /// Hands out each point, whole, or what is wrong with it.
    pub(super) fn points(mut self, mut out: impl FnMut(Result<RawPoint, Refusal>)) {
        for draft in std::mem::take(&mut self.drafts) {
            match draft {
                Ok(draft) if draft.flags & NO_RECORDED_VALUE != 0 => {}
                Ok(draft) => out(self.point(draft)),
                Err(refusal) => out(Err(refusal)),
            }
        }
    }

    fn point(&self, draft: Draft) -> Result<RawPoint, Refusal> {
        let spread = draft.spread.unwrap_or_default();
        for (field, text) in [("name", &self.name), ("unit", &self.unit)] {
            if text.len() > NAME_BYTES_MAX {
                let length = text.len();
                return Err(Refusal::new(
                    Reason::Field,
                    format!("{field} is {length} bytes long, more than {NAME_BYTES_MAX}"),
                ));
            }
        }
        Ok(RawPoint {
            name: self.name.clone(),
            unit: self.unit.clone(),
            data: self.data(draft.number, &spread)?,
            start_unix_nano: draft.start_unix_nano,
            time_unix_nano: draft.time_unix_nano,
            attributes: draft.attributes,
        })
    }

    fn data(&self, number: Option<Number>, spread: &Spread) -> Result<PointData, Refusal> {
        let value = || number.ok_or_else(|| Refusal::new(Reason::Field, "a point has no value"));
        let (form, buckets) = match self.form {
            Form::Empty => return Err(Refusal::new(Reason::Field, "has no data")),
            Form::Gauge => return Ok(PointData::Gauge(value()?)),
            Form::Sum => {
                return Ok(PointData::Sum {
                    value: value()?,
                    temporality: self.temporality,
                    monotonic: self.monotonic,
                });
            }
            Form::Histogram => ("histogram", spread.explicit()),
            Form::Exponential => ("exponential_histogram", spread.exponential()),
            Form::Summary => ("summary", spread.summary()),
        };
        // A summary's sum is not optional on the wire: left out, it is zero.
        let sum = if self.form == Form::Summary {
            spread.sum.or(Some(0.0))
        } else {
            spread.sum
        };
        Ok(PointData::Histogram {
            count: spread.count,
            sum,
            min: spread.min,
            max: spread.max,
            temporality: self.temporality,
            buckets_json: buckets,
            form,
        })
    }
}

impl Spread {
    /// Returns whether each list is short enough.
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let longest = [
            self.bounds.len(),
            self.counts.len(),
            self.positive.counts.len(),
            self.negative.counts.len(),
            self.quantiles.len(),
        ];
        match longest.into_iter().max() {
            Some(length) if length > BUCKETS_MAX => Err(Refusal::new(
                Reason::Field,
                format!("a point has {length} buckets, more than {BUCKETS_MAX}"),
            )),
            _ => Ok(()),
        }
    }

    fn explicit(&self) -> String {
        #[derive(Serialize)]
        struct Explicit<'a> {
            #[serde(serialize_with = "doubles")]
            explicit_bounds: &'a [f64],
            bucket_counts: &'a [u64],
        }
        text(&Explicit {
            explicit_bounds: &self.bounds,
            bucket_counts: &self.counts,
        })
    }

    fn exponential(&self) -> String {
        #[derive(Serialize)]
        struct Exponential<'a> {
            scale: i32,
            zero_count: u64,
            #[serde(serialize_with = "double")]
            zero_threshold: f64,
            positive: &'a Buckets,
            negative: &'a Buckets,
        }
        text(&Exponential {
            scale: self.scale,
            zero_count: self.zero_count,
            zero_threshold: self.zero_threshold,
            positive: &self.positive,
            negative: &self.negative,
        })
    }

    fn summary(&self) -> String {
        #[derive(Serialize)]
        struct Summary<'a> {
            quantiles: &'a [Quantile],
        }
        text(&Summary {
            quantiles: &self.quantiles,
        })
    }
}

fn text(buckets: &impl Serialize) -> String {
    serde_json::to_string(buckets).expect("numbers and lists of them always have a JSON form")
}

/// Writes a number as OTLP's JSON does: what JSON has no number for becomes text.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn double<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match *value {
        value if value.is_nan() => serializer.serialize_str("NaN"),
        f64::INFINITY => serializer.serialize_str("Infinity"),
        f64::NEG_INFINITY => serializer.serialize_str("-Infinity"),
        value => serializer.serialize_f64(value),
    }
}

fn doubles<S: Serializer>(values: &[f64], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Double(#[serde(serialize_with = "double")] f64);
    serializer.collect_seq(values.iter().copied().map(Double))
}
