//! Caps the functions whose result can be larger than what they are given.
//!
//! DataFusion's memory pool sees what operators keep, not what a function makes for one batch, so `repeat` alone could
//! take all memory. [`Capped`] wraps such a function and computes the size of the result first. It stands in for the
//! function by name and, through [`Rewrap`], wherever the planner or a simplification writes the bare function into a
//! plan; constant folding calls the wrapper as execution does.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray};
use datafusion::arrow::compute::concat;
use datafusion::arrow::datatypes::{DataType, FieldRef, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::expr_rewriter::FunctionRewrite;
use datafusion::logical_expr::interval_arithmetic::Interval;
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::{ExprSimplifyResult, SimplifyContext};
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, Expr, ExpressionPlacement, LogicalPlan, ReturnFieldArgs,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, StructFieldMapping,
};
use datafusion::optimizer::{ApplyOrder, OptimizerConfig, OptimizerRule};
use memchr::memmem;

use super::sizes::{integers, list_lengths, row_bytes, texts};
use crate::query::error::Error;

/// Bytes that one call may make for one batch.
pub(crate) const BATCH_BYTES_MAX: u64 = 32 << 20;
/// Bytes of a constant, which stands for a whole batch of copies of itself: as much as a text may write out.
pub(crate) const CONSTANT_BYTES_MAX: u64 = 64 << 10;
/// Comparisons that one call may make for one batch.
pub(crate) const STEPS_MAX: u64 = 1 << 30;

/// How the size, or the time, of a function's result follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Growth {
    /// `repeat(text, n)`.
    Times,
    /// `array_repeat(value, n)`.
    Copies,
    /// `lpad(text, n, fill)`.
    Pad,
    /// `array_resize(list, n, value)`.
    Resize,
    /// `range(from, to, step)` as a list; whether `to` belongs to it makes no difference here.
    Series,
    /// The sum of all arguments, each constant counted for every row.
    Sum,
    /// `concat_ws(separator, ...)`.
    SumWithSeparators,
    /// `array_to_string(list, separator, null)`.
    Join,
    /// `string_to_array(text, separator)`.
    Split,
    /// `replace(text, from, to)`.
    Replace,
    /// `regexp_replace(text, pattern, to, flags)`.
    RegexReplace,
    /// `regexp_match(text, pattern)`: every group may hold the whole text.
    RegexGroups,
    /// `array_replace(list, from, to)`.
    ListReplace,
    /// `arrays_zip(...)`: as long as the longest.
    Zip,
    /// `to_char(time, format)`: a letter of the format becomes up to sixteen.
    Format,
    /// `encode(bytes, 'hex')`.
    Double,
    /// Time grows with the product of the first two arguments.
    StepsOfBytes,
    /// Time grows with the product of the lengths of two lists.
    StepsOfLists,
}

impl Growth {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "repeat" => Self::Times,
            "array_repeat" => Self::Copies,
            "lpad" | "rpad" => Self::Pad,
            "array_resize" => Self::Resize,
            "range" | "generate_series" => Self::Series,
            "concat" | "overlay" | "array_append" | "array_prepend" | "array_concat"
            | "array_union" | "make_array" | "map" | "struct" | "named_struct"
            | "string_concat" => Self::Sum,
            "concat_ws" => Self::SumWithSeparators,
            "array_to_string" => Self::Join,
            "string_to_array" => Self::Split,
            "replace" => Self::Replace,
            "regexp_replace" => Self::RegexReplace,
            "regexp_match" => Self::RegexGroups,
            "array_replace" | "array_replace_n" | "array_replace_all" => Self::ListReplace,
            "arrays_zip" => Self::Zip,
            "to_char" => Self::Format,
            "encode" => Self::Double,
            "levenshtein" | "btrim" | "ltrim" | "rtrim" => Self::StepsOfBytes,
            "array_has_all" | "array_has_any" => Self::StepsOfLists,
            _ => return None,
        })
    }

    /// Whether the estimate is a worst case that real results stay far below.
    fn is_loose(self) -> bool {
        matches!(self, Self::RegexReplace | Self::RegexGroups | Self::Split)
    }

    fn counts_steps(self) -> bool {
        matches!(self, Self::StepsOfBytes | Self::StepsOfLists)
    }

    /// Returns the estimate for each row.
    fn estimate(self, columns: &Columns) -> Result<Vec<u64>> {
        match self {
            Self::Times => columns.repeated(0),
            Self::Copies => columns.repeated(8),
            Self::Pad => columns.padded(),
            Self::Resize => columns.resized(),
            Self::Series => columns.series(),
            Self::Sum => Ok(columns.rows(columns.sum())),
            Self::SumWithSeparators => Ok(columns.separated()),
            Self::Join => Ok(columns.joined()),
            Self::Split => Ok(columns.scaled(0, 17)),
            Self::Replace => columns.replaced(),
            Self::RegexReplace => columns.regex_replaced(),
            Self::RegexGroups => {
                let (bytes, groups) = (columns.bytes(0), columns.occurrences(1, b"(")?);
                Ok(columns.rows(|row| (groups.at(row) + 1).saturating_mul(bytes.at(row))))
            }
            Self::ListReplace => {
                let (bytes, lengths, to) = (columns.bytes(0), columns.lengths(0), columns.bytes(2));
                Ok(columns.rows(|row| {
                    bytes
                        .at(row)
                        .saturating_add(lengths.at(row).saturating_mul(to.at(row)))
                }))
            }
            Self::Zip => Ok(columns.zipped()),
            Self::Format => Ok(columns.scaled(1, 16)),
            Self::Double => Ok(columns.scaled(0, 2)),
            Self::StepsOfBytes => Ok(columns.product(&columns.bytes(0), &columns.bytes(1))),
            Self::StepsOfLists => Ok(columns.product(&columns.lengths(0), &columns.lengths(1))),
        }
    }
}

/// One number for each row, or one for all of them.
struct Numbers(Vec<u64>, bool);

impl Numbers {
    fn at(&self, row: usize) -> u64 {
        self.0
            .get(if self.1 { 0 } else { row })
            .copied()
            .unwrap_or(0)
    }
}

/// The arguments of one call; constants are arrays of one row.
struct Columns {
    arrays: Vec<(ArrayRef, bool)>,
    rows: usize,
}

impl Columns {
    fn of(args: &ScalarFunctionArgs) -> Result<Self> {
        let arrays = args.args.iter().map(|arg| match arg {
            ColumnarValue::Array(array) => Ok((Arc::clone(array), false)),
            ColumnarValue::Scalar(value) => value.to_array().map(|array| (array, true)),
        });
        let arrays = arrays.collect::<Result<Vec<_>>>()?;
        let constant = arrays.iter().all(|(_, constant)| *constant);
        Ok(Self {
            arrays,
            rows: if constant { 1 } else { args.number_rows },
        })
    }

    fn is_constant(&self) -> bool {
        self.arrays.iter().all(|(_, constant)| *constant)
    }

    fn rows(&self, estimate: impl Fn(usize) -> u64) -> Vec<u64> {
        (0..self.rows).map(estimate).collect()
    }

    fn each(&self, arg: usize, of: impl Fn(&dyn Array) -> Vec<u64>) -> Numbers {
        self.arrays
            .get(arg)
            .map_or(Numbers(Vec::new(), true), |(array, constant)| {
                Numbers(of(array.as_ref()), *constant)
            })
    }

    fn bytes(&self, arg: usize) -> Numbers {
        self.each(arg, row_bytes)
    }

    fn lengths(&self, arg: usize) -> Numbers {
        self.each(arg, list_lengths)
    }

    /// Returns a count argument, negative as none.
    fn counts(&self, arg: usize) -> Result<Numbers> {
        let Some((array, constant)) = self.arrays.get(arg) else {
            return Ok(Numbers(Vec::new(), true));
        };
        let counts = integers(array)?
            .into_iter()
            .map(|n| u64::try_from(n).unwrap_or(0));
        Ok(Numbers(counts.collect(), *constant))
    }

    /// Returns how often any of `letters` stands in a text argument.
    fn occurrences(&self, arg: usize, letters: &[u8]) -> Result<Numbers> {
        let Some((array, constant)) = self.arrays.get(arg) else {
            return Ok(Numbers(Vec::new(), true));
        };
        let texts = texts(array)?;
        let counts = texts.as_string_view().iter().map(|text| {
            text.map_or(0, |text| {
                text.bytes().filter(|b| letters.contains(b)).count() as u64
            })
        });
        Ok(Numbers(counts.collect(), *constant))
    }

    fn sum(&self) -> impl Fn(usize) -> u64 + use<> {
        let bytes: Vec<_> = (0..self.arrays.len()).map(|arg| self.bytes(arg)).collect();
        move |row| {
            bytes
                .iter()
                .fold(0_u64, |sum, b| sum.saturating_add(b.at(row)))
        }
    }

    fn scaled(&self, arg: usize, factor: u64) -> Vec<u64> {
        let bytes = self.bytes(arg);
        self.rows(|row| bytes.at(row).saturating_mul(factor))
    }

    fn product(&self, a: &Numbers, b: &Numbers) -> Vec<u64> {
        self.rows(|row| a.at(row).saturating_mul(b.at(row)))
    }

    /// Copies of the first argument, each `entry` bytes larger.
    fn repeated(&self, entry: u64) -> Result<Vec<u64>> {
        let (bytes, times) = (self.bytes(0), self.counts(1)?);
        Ok(self.rows(|row| (bytes.at(row) + entry).saturating_mul(times.at(row))))
    }

    fn resized(&self) -> Result<Vec<u64>> {
        let (bytes, times, value) = (self.bytes(0), self.counts(1)?, self.bytes(2));
        Ok(self.rows(|row| {
            let added = (value.at(row) + 8).saturating_mul(times.at(row));
            bytes.at(row).saturating_add(added)
        }))
    }

    fn separated(&self) -> Vec<u64> {
        let (sum, separator) = (self.sum(), self.bytes(0));
        let args = self.arrays.len() as u64;
        self.rows(|row| sum(row).saturating_add(separator.at(row).saturating_mul(args)))
    }

    fn joined(&self) -> Vec<u64> {
        let (bytes, lengths) = (self.bytes(0), self.lengths(0));
        let (separator, null) = (self.bytes(1), self.bytes(2));
        self.rows(|row| {
            // Numbers and times may become 32 letters each.
            let each = separator.at(row) + null.at(row) + 32;
            bytes
                .at(row)
                .saturating_add(lengths.at(row).saturating_mul(each))
        })
    }

    fn zipped(&self) -> Vec<u64> {
        let lengths: Vec<_> = (0..self.arrays.len())
            .map(|arg| self.lengths(arg))
            .collect();
        let (sum, args) = (self.sum(), lengths.len() as u64);
        self.rows(|row| {
            let longest = lengths
                .iter()
                .map(|length| length.at(row))
                .max()
                .unwrap_or(0);
            sum(row).saturating_add(longest.saturating_mul(16 * args))
        })
    }

    fn padded(&self) -> Result<Vec<u64>> {
        let (bytes, letters) = (self.bytes(0), self.counts(1)?);
        let widest = match self.arrays.get(2) {
            None => 1,
            Some((fill, _)) if texts(fill)?.as_string_view().is_ascii() => 1,
            Some(_) => 4,
        };
        Ok(self.rows(|row| {
            bytes
                .at(row)
                .saturating_add(letters.at(row).saturating_mul(widest))
        }))
    }

    fn series(&self) -> Result<Vec<u64>> {
        let (start, stop, step) = match self.arrays.as_slice() {
            [] => return Ok(Vec::new()),
            [stop] => (None, stop, None),
            [start, stop, step @ ..] => (Some(start), stop, step.first()),
        };
        let start = start.map_or(Ok(Moments(vec![0], true)), Moments::of)?;
        let step = step.map_or(Ok(Moments(vec![1], true)), Moments::of)?;
        let stop = Moments::of(stop)?;
        Ok(self.rows(|row| {
            let span = start.at(row).abs_diff(stop.at(row));
            let count = span / step.at(row).unsigned_abs().max(1) + 1;
            u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(8)
        }))
    }

    fn replaced(&self) -> Result<Vec<u64>> {
        let (bytes, from, to) = (self.bytes(0), self.bytes(1), self.bytes(2));
        let quick = self.rows(|row| {
            let places = bytes.at(row) / from.at(row).max(1) + 1;
            bytes
                .at(row)
                .saturating_add(places.saturating_mul(to.at(row)))
        });
        if total(&quick) <= self.limit() {
            return Ok(quick);
        }
        let (Some(text), Some(pattern)) = (self.arrays.first(), self.arrays.get(1)) else {
            return Ok(quick);
        };
        let (texts, patterns) = (texts(&text.0)?, texts(&pattern.0)?);
        Ok(self.rows(|row| {
            let text = value(&texts, text.1, row).unwrap_or_default();
            let pattern = value(&patterns, pattern.1, row).unwrap_or_default();
            let places = if pattern.is_empty() {
                text.chars().count() + 1
            } else {
                memmem::find_iter(text.as_bytes(), pattern.as_bytes()).count()
            };
            bytes
                .at(row)
                .saturating_add((places as u64).saturating_mul(to.at(row)))
        }))
    }

    fn regex_replaced(&self) -> Result<Vec<u64>> {
        let (bytes, to) = (self.bytes(0), self.bytes(2));
        let groups = self.occurrences(2, b"\\$")?;
        let everywhere = self.occurrences(3, b"g")?;
        Ok(self.rows(|row| {
            let places = if everywhere.at(row) > 0 {
                bytes.at(row) + 1
            } else {
                1
            };
            let written = places.saturating_mul(to.at(row));
            // Each group that is written copies at most the whole text, over all matches.
            let copied = (groups.at(row) + 1).saturating_mul(bytes.at(row));
            written.saturating_add(copied)
        }))
    }

    fn limit(&self) -> u64 {
        if self.is_constant() {
            CONSTANT_BYTES_MAX
        } else {
            BATCH_BYTES_MAX
        }
    }
}

/// Points or lengths of time in nanoseconds, or plain numbers.
struct Moments(Vec<i128>, bool);

impl Moments {
    fn of((array, constant): &(ArrayRef, bool)) -> Result<Self> {
        Ok(Self(ticks(array)?, *constant))
    }

    fn at(&self, row: usize) -> i128 {
        self.0
            .get(if self.1 { 0 } else { row })
            .copied()
            .unwrap_or(0)
    }
}

fn ticks(array: &ArrayRef) -> Result<Vec<i128>> {
    const DAY: i128 = 86_400_000_000_000;
    let scale = match array.data_type() {
        DataType::Date32 => DAY,
        DataType::Timestamp(TimeUnit::Second, _) => 1_000_000_000,
        DataType::Timestamp(TimeUnit::Millisecond, _) | DataType::Date64 => 1_000_000,
        DataType::Timestamp(TimeUnit::Microsecond, _) => 1_000,
        DataType::Interval(_) => return intervals(array),
        _ => 1,
    };
    Ok(integers(array)?
        .into_iter()
        .map(|n| i128::from(n) * scale)
        .collect())
}

fn intervals(array: &ArrayRef) -> Result<Vec<i128>> {
    const DAY: i128 = 86_400_000_000_000;
    (0..array.len())
        .map(|row| match ScalarValue::try_from_array(array, row)? {
            // A month has at least 28 days: counting with fewer overestimates the steps, which is safe.
            ScalarValue::IntervalMonthDayNano(Some(i)) => Ok(i128::from(i.months) * 28 * DAY
                + i128::from(i.days) * DAY
                + i128::from(i.nanoseconds)),
            ScalarValue::IntervalYearMonth(Some(months)) => Ok(i128::from(months) * 28 * DAY),
            ScalarValue::IntervalDayTime(Some(i)) => {
                Ok(i128::from(i.days) * DAY + i128::from(i.milliseconds) * 1_000_000)
            }
            _ => Ok(0),
        })
        .collect()
}

fn value(texts: &ArrayRef, constant: bool, row: usize) -> Option<&str> {
    let texts = texts.as_string_view();
    let row = if constant { 0 } else { row };
    (row < texts.len() && texts.is_valid(row)).then(|| texts.value(row))
}

fn total(rows: &[u64]) -> u64 {
    rows.iter().fold(0, |sum, bytes| sum.saturating_add(*bytes))
}

/// A function that refuses to make more than [`BATCH_BYTES_MAX`] for one batch, or [`CONSTANT_BYTES_MAX`] as a constant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Capped {
    inner: Arc<ScalarUDF>,
    growth: Growth,
}

/// Wraps the function where its result can grow; returns nothing where it cannot, or is wrapped already.
pub(crate) fn capped(function: &Arc<ScalarUDF>) -> Option<Arc<ScalarUDF>> {
    if function.inner().is::<Capped>() {
        return None;
    }
    let growth = Growth::of(function.name())?;
    Some(Arc::new(ScalarUDF::from(Capped {
        inner: Arc::clone(function),
        growth,
    })))
}

impl Capped {
    fn refuse(&self, found: u64, limit: u64, constant: bool) -> DataFusionError {
        let name = self.inner.name();
        if self.growth.counts_steps() {
            let message = format!("{name} would take {found} steps for one batch, limit {limit}");
            return Error::too_large(message).into();
        }
        let what = if constant {
            "as a constant"
        } else {
            "for one batch"
        };
        let message = format!("{name} would make {found} bytes {what}, limit {limit}");
        let hint = match self.growth {
            Growth::Series => "use generate_series in `from`, which makes its rows one by one",
            _ => "shorten the text, or repeat it less often",
        };
        Error::too_large(message).with_hint(hint).into()
    }

    /// Calls the function for as many rows at a time as surely stay below the limit, and adds up what it makes.
    fn in_pieces(
        &self,
        args: &ScalarFunctionArgs,
        rows: &[u64],
        limit: u64,
    ) -> Result<ColumnarValue> {
        let (mut made, mut bytes, mut start) = (Vec::new(), 0_u64, 0);
        while start < rows.len() {
            let (mut end, mut worst) = (start, 0_u64);
            while end < rows.len() && worst.saturating_add(rows[end]) <= limit {
                worst += rows[end];
                end += 1;
            }
            if end == start {
                return Err(self.refuse(rows[start], limit, false));
            }
            let piece = self
                .inner
                .invoke_with_args(slice(args, start, end - start))?;
            let piece = piece.into_array(end - start)?;
            bytes = bytes.saturating_add(total(&row_bytes(&piece)));
            if bytes > limit {
                return Err(self.refuse(bytes, limit, false));
            }
            made.push(piece);
            start = end;
        }
        let made: Vec<&dyn Array> = made.iter().map(AsRef::as_ref).collect();
        Ok(ColumnarValue::Array(concat(&made)?))
    }
}

fn slice(args: &ScalarFunctionArgs, start: usize, rows: usize) -> ScalarFunctionArgs {
    let sliced = args.args.iter().map(|arg| match arg {
        ColumnarValue::Array(array) => ColumnarValue::Array(array.slice(start, rows)),
        ColumnarValue::Scalar(value) => ColumnarValue::Scalar(value.clone()),
    });
    ScalarFunctionArgs {
        args: sliced.collect(),
        arg_fields: args.arg_fields.clone(),
        number_rows: rows,
        return_field: Arc::clone(&args.return_field),
        config_options: Arc::clone(&args.config_options),
    }
}

impl ScalarUDFImpl for Capped {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        self.inner.inner().schema_name(args)
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arg_types: &[DataType]) -> Result<DataType> {
        self.inner.inner().return_type(arg_types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.inner().return_field_from_args(args)
    }

    fn with_updated_config(&self, config: &ConfigOptions) -> Option<ScalarUDF> {
        let inner = Arc::new(self.inner.inner().with_updated_config(config)?);
        Some(ScalarUDF::from(Self {
            inner,
            growth: self.growth,
        }))
    }

    fn is_strict(&self) -> bool {
        self.inner.inner().is_strict()
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let columns = Columns::of(&args)?;
        let rows = self.growth.estimate(&columns)?;
        let (found, constant) = (total(&rows), columns.is_constant());
        let limit = if self.growth.counts_steps() {
            STEPS_MAX
        } else {
            columns.limit()
        };
        if found <= limit {
            return self.inner.invoke_with_args(args);
        }
        if self.growth.is_loose() && !constant {
            return self.in_pieces(&args, &rows, limit);
        }
        Err(self.refuse(found, limit, constant))
    }

    fn simplify(&self, args: Vec<Expr>, info: &SimplifyContext) -> Result<ExprSimplifyResult> {
        match self.inner.inner().simplify(args, info)? {
            ExprSimplifyResult::Simplified(expr) => Ok(ExprSimplifyResult::Simplified(
                expr.transform(|expr| Ok(rewrapped(expr)))?.data,
            )),
            original @ ExprSimplifyResult::Original(_) => Ok(original),
        }
    }

    fn preimage(
        &self,
        args: &[Expr],
        literal: &Expr,
        info: &SimplifyContext,
    ) -> Result<PreimageResult> {
        self.inner.inner().preimage(args, literal, info)
    }

    fn short_circuits(&self) -> bool {
        self.inner.inner().short_circuits()
    }

    fn conditional_arguments<'a>(
        &self,
        args: &'a [Expr],
    ) -> Option<(Vec<&'a Expr>, Vec<&'a Expr>)> {
        self.inner.inner().conditional_arguments(args)
    }

    fn evaluate_bounds(&self, input: &[&Interval]) -> Result<Interval> {
        self.inner.inner().evaluate_bounds(input)
    }

    fn propagate_constraints(
        &self,
        interval: &Interval,
        inputs: &[&Interval],
    ) -> Result<Option<Vec<Interval>>> {
        self.inner.inner().propagate_constraints(interval, inputs)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.inner().output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.inner().preserves_lex_ordering(inputs)
    }

    fn strictly_order_preserving(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.inner.inner().strictly_order_preserving(inputs)
    }

    fn coerce_types(&self, arg_types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(arg_types)
    }

    fn struct_field_mapping(&self, literals: &[Option<ScalarValue>]) -> Option<StructFieldMapping> {
        self.inner.inner().struct_field_mapping(literals)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.inner().documentation()
    }

    fn placement(&self, args: &[ExpressionPlacement]) -> ExpressionPlacement {
        self.inner.inner().placement(args)
    }
}

fn rewrapped(expr: Expr) -> Transformed<Expr> {
    if let Expr::ScalarFunction(call) = &expr
        && let Some(func) = capped(&call.func)
    {
        let args = call.args.clone();
        return Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args }));
    }
    Transformed::no(expr)
}

/// Wraps the functions that the planner (`[1, 2]`, `a || b`, `overlay(...)`) and the optimizer write into a plan.
#[derive(Debug)]
pub(crate) struct Rewrap;

impl FunctionRewrite for Rewrap {
    fn name(&self) -> &str {
        "cap_functions"
    }

    fn rewrite(&self, expr: Expr, _: &DFSchema, _: &ConfigOptions) -> Result<Transformed<Expr>> {
        Ok(rewrapped(expr))
    }
}

impl OptimizerRule for Rewrap {
    fn name(&self) -> &str {
        "cap_functions"
    }

    fn apply_order(&self) -> Option<ApplyOrder> {
        Some(ApplyOrder::TopDown)
    }

    fn rewrite(
        &self,
        plan: LogicalPlan,
        _: &dyn OptimizerConfig,
    ) -> Result<Transformed<LogicalPlan>> {
        plan.map_expressions(|expr| expr.transform(|expr| Ok(rewrapped(expr))))
    }
}

#[cfg(test)]
mod tests;
