//! What a plan may hold, and what can be told from it before it is optimised.
//!
//! The text has been checked, but a view may hide joins, and names may hide size: `select x + x as x` in thirty nested
//! subqueries is short, while a filter pushed through them is an expression of 2^30 terms. So the plan is measured as
//! the optimiser could write it out.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::expr::WindowFunction;
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{Aggregate, Expr, LogicalPlan, Operator, WindowFunctionDefinition};

use super::error::{Error, Result};

/// Nodes of a plan, views and subqueries written out.
pub(super) const NODES_MAX: usize = 2_000;
/// Terms of one expression once the columns it names are replaced by their own expressions.
pub(super) const TERMS_MAX: u64 = 10_000;
/// Entries of a type of fixed size, of which even a null takes all.
pub(super) const FIXED_SIZE_MAX: i32 = 1_024;
/// Bytes that copies of the constants of a query may take in one batch.
const CONSTANTS_PER_BATCH: usize = 16 << 20;

/// Columns that name one thing: a query that fixes one of them reads few rows, wherever they are.
const ID_COLUMNS: [&str; 6] = [
    "trace_id",
    "span_id",
    "session_id",
    "task_id",
    "response_id",
    "tool_call_id",
];

/// Aggregates from which a row can be taken out again as a window moves on.
const SLIDING: [&str; 11] = [
    "avg",
    "count",
    "first_value",
    "last_value",
    "max",
    "min",
    "nth_value",
    "stddev",
    "stddev_pop",
    "sum",
    "var",
];

/// Aggregates that are cheap to read at any time, while rows are only added.
const GROWING: [&str; 9] = [
    "bit_and",
    "bit_or",
    "bit_xor",
    "bool_and",
    "bool_or",
    "corr",
    "covar_pop",
    "covar_samp",
    "var_pop",
];

/// What the plan tells about how it should be run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    /// Some filter asks for the rows of one id.
    pub(super) by_id: bool,
}

/// Checks a plan as the SQL planner made it.
///
/// # Errors
/// `Refused` for anything but reading, `TooLarge` for what would explode.
pub(super) fn inspect(plan: &LogicalPlan) -> Result<Facts> {
    let mut nodes = 0;
    let mut facts = Facts::default();
    plan.apply_with_subqueries(|node| {
        nodes += 1;
        if nodes > NODES_MAX {
            let message = format!("the plan has more steps than the limit of {NODES_MAX}");
            return Err(Error::too_large(message).into());
        }
        refuse_writing(node)?;
        facts.by_id |= asks_for_an_id(node);
        node.apply_expressions(|expr| expr.apply(check_expression))
    })?;
    weigh(plan)?;
    Ok(facts)
}

fn refuse_writing(node: &LogicalPlan) -> Result<(), DataFusionError> {
    let what = match node {
        LogicalPlan::Ddl(_) => "a statement that defines something",
        LogicalPlan::Dml(_) => "a statement that writes",
        LogicalPlan::Copy(_) => "copy",
        LogicalPlan::Statement(_) => "a statement that changes the session",
        LogicalPlan::RecursiveQuery(_) => "a recursive cte",
        _ => return Ok(()),
    };
    Err(Error::refused(format!("{what} is refused")).into())
}

fn check_expression(expr: &Expr) -> Result<TreeNodeRecursion, DataFusionError> {
    match expr {
        Expr::Cast(cast) if is_oversized(cast.field.data_type()) => Err(oversized()),
        Expr::TryCast(cast) if is_oversized(cast.field.data_type()) => Err(oversized()),
        Expr::WindowFunction(call) => check_window(call).map(|()| TreeNodeRecursion::Continue),
        _ => Ok(TreeNodeRecursion::Continue),
    }
}

/// Refuses aggregates over windows that would be computed anew, or copied, for each row: one batch of them can take a
/// thread for hours, and nothing stops it in between.
fn check_window(call: &WindowFunction) -> Result<(), DataFusionError> {
    let WindowFunctionDefinition::AggregateUDF(function) = &call.fun else {
        return Ok(());
    };
    let (name, frame) = (function.name(), &call.params.window_frame);
    let from_start = frame.start_bound.is_unbounded();
    let whole = from_start && frame.end_bound.is_unbounded();
    let cheap = !call.params.distinct && SLIDING.contains(&name);
    let growing = !call.params.distinct && GROWING.contains(&name);
    let allowed = match name {
        "array_agg" | "string_agg" => false,
        _ => whole || cheap || (growing && from_start),
    };
    if allowed {
        return Ok(());
    }
    let error = Error::invalid(format!("{name} over this window is not supported"));
    Err(error
        .with_hint("aggregate in a subquery and join it")
        .into())
}

fn oversized() -> DataFusionError {
    Error::too_large(format!(
        "a type of fixed size has at most {FIXED_SIZE_MAX} entries"
    ))
    .into()
}

fn is_oversized(data_type: &DataType) -> bool {
    match data_type {
        DataType::FixedSizeBinary(size) => *size > FIXED_SIZE_MAX,
        DataType::FixedSizeList(inner, size) => {
            *size > FIXED_SIZE_MAX || is_oversized(inner.data_type())
        }
        DataType::List(inner) | DataType::LargeList(inner) | DataType::Map(inner, _) => {
            is_oversized(inner.data_type())
        }
        DataType::Struct(fields) => fields.iter().any(|field| is_oversized(field.data_type())),
        _ => false,
    }
}

fn asks_for_an_id(node: &LogicalPlan) -> bool {
    let LogicalPlan::Filter(filter) = node else {
        return false;
    };
    split_conjunction(&filter.predicate)
        .into_iter()
        .any(|term| match term {
            Expr::BinaryExpr(equal) if equal.op == Operator::Eq => {
                (is_id(&equal.left) && is_value(&equal.right))
                    || (is_id(&equal.right) && is_value(&equal.left))
            }
            Expr::InList(list) => {
                !list.negated
                    && list.list.len() <= 20
                    && is_id(&list.expr)
                    && list.list.iter().all(is_value)
            }
            _ => false,
        })
}

fn is_id(expr: &Expr) -> bool {
    matches!(expr, Expr::Column(column) if ID_COLUMNS.contains(&column.name.as_str()))
}

fn is_value(expr: &Expr) -> bool {
    match expr {
        Expr::Literal(..) | Expr::ScalarSubquery(_) => true,
        Expr::Cast(cast) => is_value(&cast.expr),
        _ => false,
    }
}

/// Returns how many terms each column of the plan stands for, once everything below is written into it.
fn weigh(plan: &LogicalPlan) -> Result<Vec<u64>, DataFusionError> {
    let inputs = plan.inputs();
    let below = inputs
        .iter()
        .map(|input| weigh(input))
        .collect::<Result<Vec<_>, _>>()?;
    let columns = Columns {
        inputs: &inputs,
        weights: &below,
    };
    let mut own = Vec::new();
    plan.apply_expressions(|expr| {
        let terms = columns.terms(expr)?;
        if terms > TERMS_MAX {
            let message =
                format!("an expression would be written out to more than {TERMS_MAX} terms");
            return Err(Error::too_large(message).into());
        }
        own.push(terms);
        Ok(TreeNodeRecursion::Continue)
    })?;
    let fields = plan.schema().fields().len();
    let passed: Vec<u64> = below.concat();
    let heaviest = passed.iter().copied().max().unwrap_or(1);
    Ok(match plan {
        LogicalPlan::Projection(_) if own.len() == fields => own,
        // An aggregate's or a window's own results are computed once; nothing is pushed through them.
        LogicalPlan::Aggregate(Aggregate { group_expr, .. }) => {
            let keys = own
                .iter()
                .take(group_expr.len())
                .copied()
                .max()
                .unwrap_or(1);
            vec![keys; fields]
        }
        LogicalPlan::Window(_) => padded(passed, fields),
        LogicalPlan::Union(_) | LogicalPlan::Unnest(_) => vec![heaviest; fields],
        LogicalPlan::Join(_) => padded(passed, fields),
        _ if inputs.len() == 1 && passed.len() == fields => passed,
        _ => vec![1; fields],
    })
}

fn padded(mut weights: Vec<u64>, fields: usize) -> Vec<u64> {
    weights.resize(fields, 1);
    weights
}

struct Columns<'a> {
    inputs: &'a [&'a LogicalPlan],
    weights: &'a [Vec<u64>],
}

impl Columns<'_> {
    fn terms(&self, expr: &Expr) -> Result<u64, DataFusionError> {
        let mut terms = 0_u64;
        expr.apply(|expr| {
            let one = match expr {
                Expr::Column(column) => self.weight(column),
                Expr::ScalarSubquery(subquery) => weigh(&subquery.subquery).map(|_| 1)?,
                Expr::Exists(exists) => weigh(&exists.subquery.subquery).map(|_| 1)?,
                Expr::InSubquery(within) => weigh(&within.subquery.subquery).map(|_| 1)?,
                // The values of a list are no terms: the gate counts them.
                Expr::InList(list) => {
                    terms = terms
                        .saturating_add(self.terms(&list.expr)?)
                        .saturating_add(1);
                    return Ok(TreeNodeRecursion::Jump);
                }
                _ => 1,
            };
            terms = terms.saturating_add(one);
            Ok(TreeNodeRecursion::Continue)
        })?;
        Ok(terms)
    }

    fn weight(&self, column: &Column) -> u64 {
        self.inputs
            .iter()
            .zip(self.weights)
            .find_map(|(input, weights)| {
                let at = input.schema().maybe_index_of_column(column)?;
                weights.get(at).copied()
            })
            .unwrap_or(1)
    }
}

/// Returns rows for one batch such that copies of the plan's constants stay small in it.
pub(super) fn batch_rows(plan: &LogicalPlan, usual: usize) -> Result<usize> {
    let mut bytes = 0_usize;
    plan.apply_with_subqueries(|node| {
        // A constant that is compared with a column is not copied.
        if matches!(node, LogicalPlan::Filter(_) | LogicalPlan::TableScan(_)) {
            return Ok(TreeNodeRecursion::Continue);
        }
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::Literal(value, _) = expr {
                    bytes += value.size();
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok((CONSTANTS_PER_BATCH / bytes.max(1)).clamp(16, usual))
}

#[cfg(test)]
mod tests;
