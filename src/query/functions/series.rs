//! `range` and `generate_series` in `from`, for up to [`ROWS_MAX`] rows.

use std::sync::Arc;

use datafusion::catalog::{TableFunction, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::Expr;

use crate::query::error::Error;

/// Rows that one call may make.
pub(crate) const ROWS_MAX: u64 = 10_000_000;

/// A table function that first counts what it would make.
#[derive(Debug)]
struct Series(Arc<TableFunction>);

/// Puts the cap around one of DataFusion's table functions.
pub(super) fn capped(function: Arc<TableFunction>) -> Arc<TableFunction> {
    Arc::new(TableFunction::new(
        function.name().to_owned(),
        Arc::new(Series(function)),
    ))
}

impl TableFunctionImpl for Series {
    fn call_with_args(&self, args: TableFunctionArgs<'_, '_>) -> Result<Arc<dyn TableProvider>> {
        let rows = rows(args.exprs());
        if rows > u128::from(ROWS_MAX) {
            let name = self.0.name();
            let message =
                format!("{name} would make {rows} rows, more than the limit of {ROWS_MAX}");
            return Err(Error::too_large(message).into());
        }
        self.0.create_table_provider_with_args(args)
    }
}

/// Returns at least as many rows as the call makes; 0 where the function will refuse its arguments by itself.
fn rows(args: &[Expr]) -> u128 {
    let ticks: Vec<Option<i128>> = args.iter().map(ticks).collect();
    let (start, stop, step) = match ticks.as_slice() {
        [stop] => (Some(0), *stop, Some(1)),
        [start, stop] => (*start, *stop, Some(1)),
        [start, stop, step] => (*start, *stop, *step),
        _ => return 0,
    };
    match (start, stop, step) {
        (Some(start), Some(stop), Some(step)) if step != 0 => {
            if (stop - start).signum() * step.signum() < 0 {
                return 0;
            }
            start.abs_diff(stop) / step.unsigned_abs() + 1
        }
        _ => 0,
    }
}

fn ticks(arg: &Expr) -> Option<i128> {
    const DAY: i128 = 86_400_000_000_000;
    let Expr::Literal(value, _) = arg else {
        return None;
    };
    match value {
        ScalarValue::Int64(Some(n)) | ScalarValue::TimestampNanosecond(Some(n), _) => {
            Some(i128::from(*n))
        }
        ScalarValue::Date32(Some(days)) => Some(i128::from(*days) * DAY),
        // A month has at least 28 days: the shorter step gives the larger count.
        ScalarValue::IntervalMonthDayNano(Some(i)) => Some(
            i128::from(i.months) * 28 * DAY + i128::from(i.days) * DAY + i128::from(i.nanoseconds),
        ),
        _ => None,
    }
}
