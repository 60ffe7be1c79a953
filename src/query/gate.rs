//! Decides from the text alone whether a query may be planned.
//!
//! Only statements that read are let through, one at a time, over the tables handed in. What makes parsing or planning
//! explode is counted here, because a planner that has begun cannot be stopped: depth and operators before parsing,
//! then joins, subqueries, lists, grouping sets, and how often the tables are read once every CTE is written out.

use std::collections::{BTreeSet, HashMap};
use std::ops::ControlFlow;

use datafusion::sql::parser::{DFParserBuilder, ExplainStatement, Statement};
use datafusion::sql::sqlparser::ast::{
    self, Expr, FunctionArg, FunctionArgExpr, GroupByExpr, Ident, ObjectName, Query, Select,
    SetExpr, TableFactor, TableWithJoins, Value, ValueWithSpan, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer, TokenizerError};

use super::error::{Error, Result};

/// Bytes of the text of a query.
pub(super) const TEXT_BYTES_MAX: usize = 64 << 10;
/// Parentheses, brackets and braces open at once.
pub(super) const DEPTH_MAX: usize = 64;
/// Operators, `and`, `or`, `not`, `like`, `union`... of a query.
pub(super) const OPERATORS_MAX: usize = 1_000;
/// Expressions that are not plain values.
pub(super) const EXPRESSIONS_MAX: usize = 4_000;
/// Entries of one `in (...)`.
pub(super) const LIST_MAX: usize = 10_000;
/// Parts of one name, `a.b.c[1]`; each nests in the next.
pub(super) const PARTS_MAX: usize = 64;
/// Joins, commas in `from` included.
pub(super) const JOINS_MAX: usize = 32;
/// Subqueries, CTEs included.
pub(super) const SUBQUERIES_MAX: usize = 100;
/// Tables read, each CTE counted as often as it is used.
pub(super) const READS_MAX: u64 = 128;
/// Groupings that `cube`, `rollup` and `grouping sets` of one `group by` write out.
pub(super) const GROUPINGS_MAX: u64 = 256;

/// Keywords in a row. The parser follows some (`interval interval ...`) without counting how deep it is.
pub(super) const KEYWORDS_MAX: usize = 32;

/// What the parser may recurse; a parenthesis takes up to three.
const RECURSION_MAX: usize = 4 * DEPTH_MAX;

/// Table functions, both capped in `functions::series`.
const TABLE_FUNCTIONS: [&str; 2] = ["range", "generate_series"];

/// Functions that a table function's arguments may call: the planner evaluates them, so none may grow.
const SERIES_ARGUMENTS: [&str; 8] = [
    "now",
    "current_timestamp",
    "current_date",
    "date_trunc",
    "to_timestamp",
    "to_date",
    "make_date",
    "date_bin",
];

/// The views of `information_schema` that may be read; `df_settings` names the spill directory.
const INFORMATION_SCHEMA: [&str; 6] = [
    "tables",
    "columns",
    "schemata",
    "views",
    "routines",
    "parameters",
];

/// The tokens of a text that is short, flat and simple enough to be parsed.
#[derive(Debug)]
pub(super) struct Measured(Vec<TokenWithSpan>);

/// A statement that may be planned.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) statement: Statement,
    /// Names of the `$parameters`, without the dollar.
    pub(super) parameters: BTreeSet<String>,
    /// Whether the answer is the rows of a query, rather than a plan or a description.
    pub(super) is_rows: bool,
}

/// Splits the text into tokens and refuses what would be costly to parse.
///
/// # Errors
/// `TooLarge` names the limit; `Syntax` where the text has no tokens; `Refused` for a statement that does not read.
pub(super) fn measure(sql: &str) -> Result<Measured> {
    if sql.len() > TEXT_BYTES_MAX {
        return Err(Error::too_large(format!(
            "the query is {} bytes long, more than the limit of {TEXT_BYTES_MAX}",
            sql.len()
        )));
    }
    let tokens = Tokenizer::new(&PostgreSqlDialect {}, sql)
        .tokenize_with_location()
        .map_err(|error: TokenizerError| Error::syntax(error.to_string().to_lowercase()))?;
    let (mut depth, mut deepest, mut operators) = (0_usize, 0, 0);
    let (mut keywords, mut longest, mut explains) = (0_usize, 0, 0);
    for token in &tokens {
        match &token.token {
            Token::LParen | Token::LBracket | Token::LBrace => {
                depth += 1;
                deepest = deepest.max(depth);
                // `a[1][1]...` nests as it goes on.
                operators += usize::from(token.token == Token::LBracket);
            }
            Token::RParen | Token::RBracket | Token::RBrace => depth = depth.saturating_sub(1),
            token if is_operator(token) => operators += 1,
            _ => {}
        }
        match &token.token {
            Token::Whitespace(_) => {}
            Token::Word(word) if word.keyword != Keyword::NoKeyword => {
                keywords += 1;
                longest = longest.max(keywords);
                explains += usize::from(word.keyword == Keyword::EXPLAIN);
            }
            _ => keywords = 0,
        }
    }
    if longest > KEYWORDS_MAX {
        return Err(Error::over("keywords in a row", longest, KEYWORDS_MAX));
    }
    if explains > 1 {
        return Err(Error::refused("explain of an explain is refused"));
    }
    if deepest > DEPTH_MAX {
        return Err(Error::over("levels of nesting", deepest, DEPTH_MAX));
    }
    if operators > OPERATORS_MAX {
        let hint = "compare with `in (...)` instead of many `or`";
        return Err(Error::over("operators", operators, OPERATORS_MAX).with_hint(hint));
    }
    refuse_by_first_word(&tokens)?;
    Ok(Measured(tokens))
}

fn is_operator(token: &Token) -> bool {
    match token {
        Token::Word(word) => matches!(
            word.keyword,
            Keyword::AND
                | Keyword::OR
                | Keyword::NOT
                | Keyword::IS
                | Keyword::IN
                | Keyword::LIKE
                | Keyword::ILIKE
                | Keyword::SIMILAR
                | Keyword::BETWEEN
                | Keyword::AT
                | Keyword::COLLATE
                | Keyword::UNION
                | Keyword::INTERSECT
                | Keyword::EXCEPT
                | Keyword::CASE
                | Keyword::WHEN
        ),
        Token::EOF
        | Token::Number(..)
        | Token::Char(_)
        | Token::Comma
        | Token::Whitespace(_)
        | Token::Period
        | Token::SemiColon
        | Token::Placeholder(_)
        | Token::SingleQuotedString(_)
        | Token::DoubleQuotedString(_)
        | Token::DollarQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::UnicodeStringLiteral(_)
        | Token::NationalStringLiteral(_)
        | Token::HexStringLiteral(_)
        | Token::SingleQuotedByteStringLiteral(_) => false,
        // Whatever else a dialect may know is an operator: counting too much is safe.
        _ => true,
    }
}

fn refuse_by_first_word(tokens: &[TokenWithSpan]) -> Result<()> {
    let mut solid = tokens.iter().map(|token| &token.token).filter(|token| {
        !matches!(
            token,
            Token::Whitespace(_) | Token::LParen | Token::SemiColon | Token::EOF
        )
    });
    match solid.next() {
        None => Err(Error::syntax("the query is empty")),
        Some(Token::Word(word)) => match word.keyword {
            Keyword::SELECT
            | Keyword::WITH
            | Keyword::VALUES
            | Keyword::EXPLAIN
            | Keyword::SHOW
            | Keyword::DESCRIBE
            | Keyword::DESC
            | Keyword::NoKeyword => Ok(()),
            _ => Err(Error::refused(format!(
                "{} statements are refused",
                word.value.to_lowercase()
            ))),
        },
        Some(_) => Ok(()),
    }
}

/// Parses the tokens and lets one reading statement through; `tables` are the names it may read.
///
/// # Errors
/// `Refused`, `TooLarge`, `Syntax`, or `Invalid` for a table that is not there.
pub(super) fn check(measured: Measured, tables: &[String]) -> Result<Checked> {
    let statement = parse(measured.0)?;
    let mut walk = Walk {
        tables,
        ..Walk::default()
    };
    let is_rows = walk.statement(&statement)?;
    Ok(Checked {
        statement,
        parameters: walk.parameters,
        is_rows,
    })
}

fn parse(tokens: Vec<TokenWithSpan>) -> Result<Statement> {
    let mut statements = DFParserBuilder::new(tokens)
        .with_dialect(&PostgreSqlDialect {})
        .with_recursion_limit(RECURSION_MAX)
        .build()?
        .parse_statements()?;
    if statements.len() > 1 {
        return Err(Error::refused(format!(
            "{} statements at once are refused, one at a time is answered",
            statements.len()
        )));
    }
    statements
        .pop_front()
        .ok_or_else(|| Error::syntax("the query is empty"))
}

/// Walks a statement, counting; stops at the first thing that is over a limit.
#[derive(Default)]
struct Walk<'a> {
    tables: &'a [String],
    parameters: BTreeSet<String>,
    expressions: usize,
    joins: usize,
    subqueries: usize,
    /// One scope for each query around the current place.
    scopes: Vec<Scope>,
}

#[derive(Default)]
struct Scope {
    /// Tables that the query reads once its CTEs are written out.
    reads: u64,
    /// What each CTE seen so far reads, by its name.
    ctes: HashMap<String, u64>,
    /// Names of the CTEs to come, by the address of their query.
    names: HashMap<*const Query, String>,
}

impl Walk<'_> {
    /// Returns whether the answer is the rows of a query.
    fn statement(&mut self, statement: &Statement) -> Result<bool> {
        match statement {
            Statement::Statement(inner) => self.sql_statement(inner),
            Statement::Explain(ExplainStatement { statement, .. }) => match statement.as_ref() {
                Statement::Statement(inner) => match inner.as_ref() {
                    ast::Statement::Query(query) => self.query(query).map(|()| false),
                    other => Err(refused(other)),
                },
                other => Err(refused(other)),
            },
            other => Err(refused(other)),
        }
    }

    fn sql_statement(&mut self, statement: &ast::Statement) -> Result<bool> {
        match statement {
            ast::Statement::Query(query) => self.query(query).map(|()| true),
            ast::Statement::Explain { statement, .. } => match statement.as_ref() {
                ast::Statement::Query(query) => self.query(query).map(|()| false),
                other => Err(refused(other)),
            },
            ast::Statement::ExplainTable { table_name, .. } => {
                self.reads(table_name).map(|_| false)
            }
            ast::Statement::ShowTables { .. } | ast::Statement::ShowFunctions { filter: None } => {
                Ok(false)
            }
            ast::Statement::ShowColumns { show_options, .. } => {
                let of = show_options
                    .show_in
                    .as_ref()
                    .and_then(|of| of.parent_name.as_ref());
                of.map_or(Ok(0), |name| self.reads(name)).map(|_| false)
            }
            ast::Statement::ShowVariable { .. } => {
                let error = Error::refused("show of a setting is refused");
                Err(error.with_hint("show tables, show columns from a table, show functions"))
            }
            other => Err(refused(other)),
        }
    }

    fn query(&mut self, query: &Query) -> Result<()> {
        match query.visit(self) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(error) => Err(error),
        }
    }

    /// Returns how many tables the name stands for, or says that there is none.
    fn reads(&self, name: &ObjectName) -> Result<u64> {
        let parts: Option<Vec<&Ident>> = name.0.iter().map(|part| part.as_ident()).collect();
        let parts = parts.unwrap_or_default();
        let parts: Vec<String> = parts.into_iter().map(normalised).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let table = match parts.as_slice() {
            [table] => {
                let cte = self
                    .scopes
                    .iter()
                    .rev()
                    .find_map(|scope| scope.ctes.get(*table));
                if let Some(reads) = cte {
                    return Ok(*reads);
                }
                Some(*table)
            }
            ["public", table] | ["outspan", "public", table] => Some(*table),
            ["information_schema", view] | ["outspan", "information_schema", view] => {
                if INFORMATION_SCHEMA.contains(view) {
                    return Ok(1);
                }
                None
            }
            _ => None,
        };
        if table.is_some_and(|table| self.tables.iter().any(|known| known == table)) {
            return Ok(1);
        }
        Err(Error::unknown(
            "table",
            &name.to_string().replace('"', ""),
            self.tables,
        ))
    }

    fn enter_query(&mut self, query: &Query) -> Result<()> {
        self.subqueries += 1;
        within(
            "subqueries",
            self.subqueries.saturating_sub(1),
            SUBQUERIES_MAX,
        )?;
        let mut scope = Scope::default();
        if let Some(with) = &query.with {
            if with.recursive {
                let hint = "generate_series(...) in `from` makes rows without recursion";
                return Err(Error::refused("recursive ctes are refused").with_hint(hint));
            }
            let named = with.cte_tables.iter();
            scope.names = named
                .map(|cte| (&raw const *cte.query, normalised(&cte.alias.name)))
                .collect();
        }
        if !query.locks.is_empty() {
            return Err(Error::refused("locking clauses are refused"));
        }
        if let SetExpr::Insert(_) | SetExpr::Update(_) | SetExpr::Delete(_) | SetExpr::Merge(_) =
            query.body.as_ref()
        {
            return Err(Error::refused(
                "a statement that writes is refused inside a query too",
            ));
        }
        self.scopes.push(scope);
        Ok(())
    }

    fn leave_query(&mut self, query: &Query) -> Result<()> {
        let Some(scope) = self.scopes.pop() else {
            return Ok(());
        };
        if scope.reads > READS_MAX {
            let error = Error::over("tables to read", scope.reads, READS_MAX);
            return Err(error.with_hint("a cte is read again for each of its uses"));
        }
        let Some(outer) = self.scopes.last_mut() else {
            return Ok(());
        };
        match outer.names.remove(&(&raw const *query)) {
            Some(name) => {
                outer.ctes.insert(name, scope.reads);
            }
            None => outer.reads = outer.reads.saturating_add(scope.reads),
        }
        Ok(())
    }

    fn select(&mut self, select: &Select) -> Result<()> {
        if select.into.is_some() {
            return Err(Error::refused("select into is refused"));
        }
        self.joins += select.from.len().saturating_sub(1);
        for table in &select.from {
            self.joins(table)?;
        }
        groupings(&select.group_by)
    }

    fn joins(&mut self, table: &TableWithJoins) -> Result<()> {
        self.joins += table.joins.len();
        within("joins", self.joins, JOINS_MAX)
    }

    fn table(&mut self, table: &TableFactor) -> Result<()> {
        match table {
            TableFactor::Table {
                name, args: None, ..
            } => {
                let reads = self.reads(name)?;
                if let Some(scope) = self.scopes.last_mut() {
                    scope.reads = scope.reads.saturating_add(reads);
                }
                Ok(())
            }
            TableFactor::Table {
                name,
                args: Some(args),
                ..
            } => series(name, &args.args),
            TableFactor::Function { name, args, .. } => series(name, args),
            TableFactor::NestedJoin {
                table_with_joins, ..
            } => self.joins(table_with_joins),
            TableFactor::Derived { .. } | TableFactor::UNNEST { .. } => Ok(()),
            _ => Err(Error::invalid(
                "this kind of table is not supported in `from`",
            )),
        }
    }

    fn expression(&mut self, expr: &Expr) -> Result<()> {
        if !matches!(expr, Expr::Value(_)) {
            self.expressions += 1;
            within("expressions", self.expressions, EXPRESSIONS_MAX)?;
        }
        match expr {
            Expr::InList { list, .. } => within("values in one list", list.len(), LIST_MAX),
            Expr::CompoundIdentifier(parts) => within("parts in one name", parts.len(), PARTS_MAX),
            Expr::CompoundFieldAccess { access_chain, .. } => {
                within("parts in one name", access_chain.len(), PARTS_MAX)
            }
            _ => Ok(()),
        }
    }
}

impl Visitor for Walk<'_> {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        flow(self.enter_query(query))
    }

    fn post_visit_query(&mut self, query: &Query) -> ControlFlow<Error> {
        flow(self.leave_query(query))
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<Error> {
        flow(self.select(select))
    }

    fn pre_visit_table_factor(&mut self, table: &TableFactor) -> ControlFlow<Error> {
        flow(self.table(table))
    }

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        flow(self.expression(expr))
    }

    fn pre_visit_statement(&mut self, statement: &ast::Statement) -> ControlFlow<Error> {
        ControlFlow::Break(refused(statement))
    }

    fn pre_visit_value(&mut self, value: &ValueWithSpan) -> ControlFlow<Error> {
        if let Value::Placeholder(name) = &value.value {
            self.parameters
                .insert(name.trim_start_matches('$').to_owned());
        }
        ControlFlow::Continue(())
    }
}

fn flow(result: Result<()>) -> ControlFlow<Error> {
    match result {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => ControlFlow::Break(error),
    }
}

fn within(what: &str, found: usize, limit: usize) -> Result<()> {
    if found > limit {
        return Err(Error::over(what, found, limit));
    }
    Ok(())
}

fn refused(statement: &impl std::fmt::Display) -> Error {
    let text = statement.to_string();
    let word = text
        .split_whitespace()
        .next()
        .unwrap_or("such")
        .to_lowercase();
    Error::refused(format!("{word} statements are refused"))
}

/// Returns the name as the planner will look it up.
fn normalised(ident: &Ident) -> String {
    match ident.quote_style {
        Some(_) => ident.value.clone(),
        None => ident.value.to_lowercase(),
    }
}

fn series(name: &ObjectName, args: &[FunctionArg]) -> Result<()> {
    let function = name.to_string().to_lowercase();
    if !TABLE_FUNCTIONS.contains(&function.as_str()) {
        let names = TABLE_FUNCTIONS.map(str::to_owned);
        return Err(Error::unknown("table function", &function, &names));
    }
    let mut calls = Calls;
    for arg in args {
        let (FunctionArg::Unnamed(arg)
        | FunctionArg::Named { arg, .. }
        | FunctionArg::ExprNamed { arg, .. }) = arg;
        if let FunctionArgExpr::Expr(expr) = arg
            && let ControlFlow::Break(error) = expr.visit(&mut calls)
        {
            return Err(error);
        }
    }
    Ok(())
}

/// Finds calls in the arguments of a table function that the planner should not evaluate.
struct Calls;

impl Visitor for Calls {
    type Break = Error;

    fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<Error> {
        let allowed = match expr {
            Expr::Function(call) => {
                SERIES_ARGUMENTS.contains(&call.name.to_string().to_lowercase().as_str())
            }
            Expr::Value(_)
            | Expr::UnaryOp { .. }
            | Expr::Nested(_)
            | Expr::Cast { .. }
            | Expr::Interval(_)
            | Expr::TypedString(_)
            | Expr::Identifier(_) => true,
            // `||` would build text.
            Expr::BinaryOp { op, .. } => *op != ast::BinaryOperator::StringConcat,
            _ => false,
        };
        if allowed {
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Error::invalid("a table function takes constants only"))
    }
}

/// Bounds the sets that a `group by` writes out: those of its parts multiply.
fn groupings(group_by: &GroupByExpr) -> Result<()> {
    let GroupByExpr::Expressions(exprs, modifiers) = group_by else {
        return Ok(());
    };
    if !modifiers.is_empty() {
        return Err(Error::invalid(
            "write `group by cube (...)` or `group by rollup (...)`",
        ));
    }
    let sets = exprs.iter().fold(1_u64, |sets, expr| {
        sets.saturating_mul(match expr {
            Expr::Cube(columns) => 1_u64.checked_shl(bits(columns.len())).unwrap_or(u64::MAX),
            Expr::Rollup(columns) => columns.len() as u64 + 1,
            Expr::GroupingSets(sets) => sets.len() as u64,
            _ => 1,
        })
    });
    if sets > GROUPINGS_MAX {
        return Err(Error::over("groupings", sets, GROUPINGS_MAX));
    }
    Ok(())
}

fn bits(columns: usize) -> u32 {
    u32::try_from(columns).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
