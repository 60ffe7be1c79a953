//! The functions a query may call: DataFusion's, capped where they can grow, and ours.

mod capped;
mod json;
mod kept;
mod series;
mod sizes;
mod stats;
mod text;

use std::sync::Arc;

use datafusion::catalog::TableFunction;
use datafusion::execution::SessionStateDefaults;
use datafusion::logical_expr::planner::ExprPlanner;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, WindowUDF};

pub(super) use capped::Rewrap;
#[cfg(test)]
pub(super) use series::ROWS_MAX;
pub(super) use sizes::{list_lengths, row_bytes};

/// DataFusion's functions that are not offered.
///
/// Casts by name reach types of a fixed, arbitrary size, of which even a null takes the whole; the rest tells about files
/// and about us.
const LEFT_OUT: [&str; 10] = [
    "arrow_cast",
    "arrow_field",
    "arrow_metadata",
    "arrow_try_cast",
    "cast_to_type",
    "file_row_index",
    "input_file_name",
    "try_cast_to_type",
    "version",
    "with_metadata",
];

/// Returns the scalar functions: DataFusion's and ours.
pub(super) fn scalar() -> Vec<Arc<ScalarUDF>> {
    let mut functions = SessionStateDefaults::default_scalar_functions();
    functions.retain(|function| !LEFT_OUT.contains(&function.name()));
    functions.extend(json::functions());
    functions.extend(stats::functions());
    functions.push(text::string_concat());
    functions
        .iter()
        .map(|f| capped::capped(f).unwrap_or_else(|| Arc::clone(f)))
        .collect()
}

/// Returns the aggregate functions, capped where they keep all they see. The states of the others are small, or seen by
/// the memory pool.
pub(super) fn aggregate() -> Vec<Arc<AggregateUDF>> {
    SessionStateDefaults::default_aggregate_functions()
        .into_iter()
        .map(kept::capped)
        .collect()
}

/// Returns the window functions.
pub(super) fn window() -> Vec<Arc<WindowUDF>> {
    SessionStateDefaults::default_window_functions()
}

/// Returns the table functions, capped.
pub(super) fn table() -> Vec<Arc<TableFunction>> {
    SessionStateDefaults::default_table_functions()
        .into_iter()
        .map(series::capped)
        .collect()
}

/// Returns what turns operators into functions, ours first.
pub(super) fn planners() -> Vec<Arc<dyn ExprPlanner>> {
    let concat = text::string_concat();
    let concat = capped::capped(&concat).unwrap_or(concat);
    let mut planners: Vec<Arc<dyn ExprPlanner>> = vec![
        Arc::new(json::JsonPlanner::new()),
        Arc::new(text::TextPlanner(concat)),
    ];
    planners.extend(SessionStateDefaults::default_expr_planners());
    planners
}

#[cfg(test)]
mod tests;
