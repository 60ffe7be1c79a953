//! Money is decimal: US dollars with twelve digits after the point, in SQL `DECIMAL(24,12)`.

use arrow::datatypes::DataType;

/// US dollars in units of 10^-12: one embedding token costs about 2e-8, so 1e-9 would be too coarse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub i128);

impl Usd {
    /// Digits in all.
    pub const PRECISION: u8 = 24;
    /// Digits after the point.
    pub const SCALE: i8 = 12;
    /// The largest amount that the column can hold.
    pub const MAX: Self = Self(10i128.pow(24) - 1);

    /// Returns the Arrow type of a column of money.
    pub fn data_type_of_column() -> DataType {
        DataType::Decimal128(Self::PRECISION, Self::SCALE)
    }

    /// Reads a decimal text such as `0.0023` or `2.3e-3`; `None` where it is no number or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        use rust_decimal::Decimal;
        let text = text.trim();
        let value = text
            .parse::<Decimal>()
            .or_else(|_| Decimal::from_scientific(text))
            .ok()?;
        let scaled = value.round_dp(12);
        let by = 10i128.checked_pow(12u32.checked_sub(scaled.scale())?)?;
        let units = scaled.mantissa().checked_mul(by)?;
        (units.abs() <= Self::MAX.0).then_some(Self(units))
    }

    /// Converts a floating point amount, rounded to 12 digits; `None` where it is not finite or does not fit.
    pub fn from_f64(value: f64) -> Option<Self> {
        // The shortest text that reads back as the same number: 0.1 stays 0.1.
        value
            .is_finite()
            .then(|| Self::parse(&format!("{value:e}")))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_exactly() {
        assert_eq!(Usd::parse("0.1"), Some(Usd(100_000_000_000)));
        assert_eq!(Usd::parse("2.3e-3"), Some(Usd(2_300_000_000)));
        assert_eq!(Usd::from_f64(0.1), Some(Usd(100_000_000_000)));
        assert_eq!(Usd::from_f64(-2.0), Some(Usd(-2_000_000_000_000)));
    }

    #[test]
    fn what_is_no_amount_is_none() {
        for text in ["", "abc", "1e30", "NaN"] {
            assert_eq!(Usd::parse(text), None, "{text}");
        }
        assert_eq!(Usd::from_f64(f64::INFINITY), None);
        assert_eq!(
            Usd::parse("999999999999"),
            Some(Usd(999_999_999_999_000_000_000_000))
        );
        assert_eq!(Usd::parse("1000000000000"), None);
    }
}
