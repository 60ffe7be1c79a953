//! The statistics behind the rates: Wilson's interval and pass^k.
//!
//! Each is null where there is nothing to divide by, never 0.

use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray, Float64Array};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{
    ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};

/// The 97.5th percentile of the normal distribution: intervals of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Terms of the product behind pass^k.
const K_MAX: f64 = 1_000.0;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Formula {
    WilsonLow,
    WilsonHigh,
    PassHatK,
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Statistic {
    formula: Formula,
    signature: Signature,
}

/// Returns the functions of this module.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    [
        (Formula::WilsonLow, 2),
        (Formula::WilsonHigh, 2),
        (Formula::PassHatK, 3),
    ]
    .into_iter()
    .map(|(formula, args)| {
        let types = vec![DataType::Float64; args];
        let signature = Signature::exact(types, Volatility::Immutable);
        Arc::new(ScalarUDF::from(Statistic { formula, signature }))
    })
    .collect()
}

impl Formula {
    fn of(self, args: &[f64]) -> Option<f64> {
        match (self, args) {
            (Self::WilsonLow, [k, n]) => wilson(*k, *n).map(|(low, _)| low),
            (Self::WilsonHigh, [k, n]) => wilson(*k, *n).map(|(_, high)| high),
            (Self::PassHatK, [successes, trials, k]) => pass_hat_k(*successes, *trials, *k),
            _ => None,
        }
    }
}

/// Returns the bounds of the 95 % interval of a rate of `k` in `n`.
fn wilson(k: f64, n: f64) -> Option<(f64, f64)> {
    if n.is_nan() || n <= 0.0 || !(0.0..=n).contains(&k) {
        return None;
    }
    let (rate, z2) = (k / n, Z * Z);
    let middle = rate + z2 / (2.0 * n);
    let half = Z * ((rate * (1.0 - rate) + z2 / (4.0 * n)) / n).sqrt();
    let scale = 1.0 + z2 / n;
    Some((
        ((middle - half) / scale).max(0.0),
        ((middle + half) / scale).min(1.0),
    ))
}

/// Returns C(successes, k) / C(trials, k): the chance that `k` tries out of these all succeed.
fn pass_hat_k(successes: f64, trials: f64, k: f64) -> Option<f64> {
    let whole = [successes, trials, k]
        .iter()
        .all(|n| n.is_finite() && n.fract() == 0.0);
    if !whole || trials <= 0.0 || !(0.0..=trials).contains(&successes) {
        return None;
    }
    if !(1.0..=trials.min(K_MAX)).contains(&k) {
        return None;
    }
    let mut chance = 1.0;
    let mut i = 0.0;
    while i < k {
        chance *= ((successes - i) / (trials - i)).max(0.0);
        i += 1.0;
    }
    Some(chance)
}

impl ScalarUDFImpl for Statistic {
    fn name(&self) -> &'static str {
        match self.formula {
            Formula::WilsonLow => "wilson_low",
            Formula::WilsonHigh => "wilson_high",
            Formula::PassHatK => "pass_hat_k",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args
            .args
            .iter()
            .all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let columns: Vec<_> = arrays
            .iter()
            .map(|a| a.as_primitive::<Float64Type>())
            .collect();
        let rows = columns.first().map_or(0, |column| column.len());
        let made: Float64Array = (0..rows)
            .map(|row| {
                let args = columns
                    .iter()
                    .map(|c| c.is_valid(row).then(|| c.value(row)));
                self.formula.of(&args.collect::<Option<Vec<f64>>>()?)
            })
            .collect();
        if constant {
            return Ok(ColumnarValue::Scalar(ScalarValue::try_from_array(
                &made, 0,
            )?));
        }
        Ok(ColumnarValue::Array(Arc::new(made)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: Option<f64>, expected: f64) -> bool {
        found.is_some_and(|found| (found - expected).abs() < 5e-5)
    }

    #[test]
    fn wilson_gives_the_published_intervals() {
        // Newcombe 1998, table I, method 3 (score).
        for (k, n, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0000, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            assert!(near(Formula::WilsonLow.of(&[k, n]), low), "{k} of {n}");
            assert!(near(Formula::WilsonHigh.of(&[k, n]), high), "{k} of {n}");
        }
        assert!(near(Formula::WilsonHigh.of(&[20.0, 20.0]), 1.0));
    }

    #[test]
    fn pass_hat_k_counts_the_ways_to_choose_successes() {
        assert_eq!(pass_hat_k(3.0, 4.0, 1.0), Some(0.75));
        assert_eq!(pass_hat_k(3.0, 4.0, 2.0), Some(0.5), "3 of 6 pairs");
        assert_eq!(pass_hat_k(3.0, 4.0, 4.0), Some(0.0));
        assert_eq!(pass_hat_k(4.0, 4.0, 4.0), Some(1.0));
        assert_eq!(pass_hat_k(1.0, 4.0, 2.0), Some(0.0));
    }

    #[test]
    fn nothing_to_divide_by_is_null() {
        assert_eq!(wilson(0.0, 0.0), None);
        assert_eq!(wilson(3.0, 2.0), None);
        assert_eq!(wilson(-1.0, 2.0), None);
        assert_eq!(wilson(1.0, f64::NAN), None);
        assert_eq!(pass_hat_k(0.0, 0.0, 1.0), None);
        assert_eq!(
            pass_hat_k(1.0, 2.0, 3.0),
            None,
            "three of two cannot be chosen"
        );
        assert_eq!(pass_hat_k(1.0, 2.0, 0.5), None);
        assert_eq!(pass_hat_k(1.0, f64::INFINITY, 1.0), None);
    }
}
