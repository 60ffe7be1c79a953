//! Puts the values of `$parameters` into a statement, as literals of its syntax tree.
//!
//! A value never becomes text that is parsed, so it cannot be anything but a value; and because it stands there before
//! planning, a parameter may be a limit, an interval or a bound of `generate_series` too.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::parser::{ExplainStatement, Statement};
use datafusion::sql::sqlparser::ast::{Array, Expr, Value as Literal, VisitMut, VisitorMut};
use serde_json::{Map, Value};

use super::error::{Error, Result};
use super::gate::{LIST_MAX, TEXT_BYTES_MAX};

/// Replaces each parameter; `expected` are those that the statement names.
///
/// # Errors
/// `Invalid` for a parameter without a value, a value without a parameter, or an object; `TooLarge` for values larger
/// than a query's text.
pub(super) fn bind(
    statement: &mut Statement,
    expected: &BTreeSet<String>,
    values: &Map<String, Value>,
) -> Result<()> {
    if let Some(missing) = expected.iter().find(|name| !values.contains_key(*name)) {
        let hint = format!("pass it in `params`: {{\"{missing}\": ...}}");
        return Err(Error::invalid(format!("parameter ${missing} has no value")).with_hint(hint));
    }
    let names: Vec<String> = expected.iter().cloned().collect();
    if let Some(extra) = values.keys().find(|name| !expected.contains(*name)) {
        return Err(Error::unknown("parameter", extra, &names));
    }
    let bytes: usize = values.values().map(size).sum();
    if bytes > TEXT_BYTES_MAX {
        return Err(Error::too_large(format!(
            "the parameters are {bytes} bytes long, more than the limit of {TEXT_BYTES_MAX}"
        )));
    }
    let literals = values
        .iter()
        .map(|(name, value)| Ok((name.as_str(), literal(name, value)?)));
    let mut bind = Bind(literals.collect::<Result<_>>()?);
    let _visited = match statement {
        Statement::Statement(inner) => VisitMut::visit(inner, &mut bind),
        Statement::Explain(ExplainStatement { statement, .. }) => match statement.as_mut() {
            Statement::Statement(inner) => VisitMut::visit(inner, &mut bind),
            _ => ControlFlow::Continue(()),
        },
        _ => ControlFlow::Continue(()),
    };
    Ok(())
}

struct Bind<'a>(std::collections::HashMap<&'a str, Expr>);

impl VisitorMut for Bind<'_> {
    type Break = ();

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Expr::Value(value) = expr
            && let Literal::Placeholder(name) = &value.value
            && let Some(bound) = self.0.get(name.trim_start_matches('$'))
        {
            *expr = bound.clone();
        }
        ControlFlow::Continue(())
    }
}

fn literal(name: &str, value: &Value) -> Result<Expr> {
    let literal = match value {
        Value::Null => Literal::Null,
        Value::Bool(truth) => Literal::Boolean(*truth),
        Value::Number(number) => Literal::Number(number.to_string(), false),
        Value::String(text) => Literal::SingleQuotedString(text.clone()),
        Value::Array(values) if values.len() <= LIST_MAX => {
            if values
                .iter()
                .any(|value| value.is_array() || value.is_object())
            {
                return Err(Error::invalid(format!(
                    "parameter ${name} is a list of lists"
                )));
            }
            let elem = values
                .iter()
                .map(|value| literal(name, value))
                .collect::<Result<_>>()?;
            return Ok(Expr::Array(Array { elem, named: true }));
        }
        Value::Array(values) => {
            return Err(Error::over("values in one list", values.len(), LIST_MAX));
        }
        Value::Object(_) => {
            let error = Error::invalid(format!("parameter ${name} is an object"));
            return Err(error.with_hint("pass a text, a number, true, false, null or a list"));
        }
    };
    Ok(Expr::value(literal))
}

fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Array(values) => values.iter().map(size).sum(),
        _ => 8,
    }
}
