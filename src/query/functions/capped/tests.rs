//! Functions that grow their input stop at the cap.

use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::logical_expr::registry::FunctionRegistry;
use datafusion::prelude::SessionContext;

use super::*;
use crate::query::functions::{planners, scalar};

fn context() -> SessionContext {
    let mut state = SessionStateBuilder::new_with_default_features()
        .with_scalar_functions(scalar())
        .with_expr_planners(planners())
        .with_optimizer_rule(Arc::new(Rewrap))
        .build();
    state.register_function_rewrite(Arc::new(Rewrap)).unwrap();
    SessionContext::new_with_state(state)
}

/// Returns the first value of the answer as text.
async fn first(sql: &str) -> Result<String, Error> {
    let frame = context().sql(sql).await.map_err(Error::from)?;
    let batches = frame.collect().await.map_err(Error::from)?;
    let value = ScalarValue::try_from_array(batches[0].column(0), 0).map_err(Error::from)?;
    Ok(value.to_string())
}

async fn code(sql: &str) -> &'static str {
    first(sql)
        .await
        .map_or_else(|error| error.code(), |_| "passed")
}

#[tokio::test]
async fn constants_are_capped_when_they_are_folded() {
    assert_eq!(
        first("select length(repeat('x', 65535))").await.unwrap(),
        "65535"
    );
    let limit = CONSTANT_BYTES_MAX;
    for sql in [
        "select repeat('x', 1000000000)",
        "select repeat('x', 9223372036854775807)",
        "select lpad('x', 1000000000)",
        "select rpad('x', 1000000000, 'ab')",
        "select array_repeat(1, 1000000000)",
        "select array_resize([1], 1000000000, 2)",
        "select range(1000000000)",
        "select generate_series(1, 1000000000000)",
        "select generate_series(1, 1000000000000, 3)",
        "select range(date '0001-01-01', date '9999-01-01', interval '1 day')",
        "select range(timestamp '2000-01-01', timestamp '2001-01-01', interval '1 second')",
        "select replace(repeat('x', 1000), 'x', repeat('y', 1000))",
        "select replace(repeat('x', 1000), '', repeat('y', 1000))",
        "select regexp_replace(repeat('x', 1000), 'x', repeat('y', 1000), 'g')",
        "select to_char(timestamp '2000-01-01', repeat('%c', 30000))",
        "select encode(repeat('x', 60000), 'hex')",
        "select array_to_string(range(8000), repeat(',', 1000))",
    ] {
        let error = first(sql).await.unwrap_err();
        assert_eq!(error.code(), "too_large", "{sql}: {error}");
        assert!(
            error.to_string().contains(&format!("limit {limit}")),
            "{sql}: {error}"
        );
    }
}

#[tokio::test]
async fn both_sides_of_the_limit_of_a_constant() {
    assert_eq!(
        code(&format!(
            "select repeat('xxxxxxxx', {})",
            CONSTANT_BYTES_MAX / 8
        ))
        .await,
        "passed"
    );
    assert_eq!(
        code(&format!(
            "select repeat('xxxxxxxx', {})",
            CONSTANT_BYTES_MAX / 8 + 1
        ))
        .await,
        "too_large"
    );
    assert_eq!(
        code(&format!("select range({})", CONSTANT_BYTES_MAX / 8 - 1)).await,
        "passed"
    );
    assert_eq!(
        code(&format!("select range({})", CONSTANT_BYTES_MAX / 8)).await,
        "too_large"
    );
}

#[tokio::test]
async fn both_sides_of_the_limit_of_a_batch() {
    let rows = "from (values (0), (0), (0), (0)) as t(n)";
    let quarter = BATCH_BYTES_MAX / 4;
    let repeat = |times: u64| format!("select length(repeat('xxxx', {times} + n)) {rows}");
    assert_eq!(code(&repeat(quarter / 4)).await, "passed");
    assert_eq!(code(&repeat(quarter / 4 + 1)).await, "too_large");
    let pad = |letters: u64| format!("select length(lpad('', {letters} + n)) {rows}");
    assert_eq!(code(&pad(quarter)).await, "passed");
    assert_eq!(code(&pad(quarter + 1)).await, "too_large");
    let error = first(&pad(quarter + 1)).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "lpad would make 33554436 bytes for one batch, limit 33554432"
    );
}

#[tokio::test]
async fn operators_and_syntax_lead_to_the_capped_function() {
    let x = "from (select repeat('x', 5000000 + n) as x from (values (0), (0)) t(n)) t";
    assert_eq!(code(&format!("select x || 'y' {x}")).await, "passed");
    for sql in [
        format!("select x || x || x || x {x}"),
        format!("select concat(x, x, x, x) {x}"),
        format!(
            "select overlay(overlay(x placing x from 1 for 1) placing x || x from 1 for 1) {x}"
        ),
        format!("select [x, x, x, x] {x}"),
        format!("select [x, x] || [x, x] {x}"),
        format!("select [x, x] || x || x {x}"),
        format!("select struct(x, x, x, x) {x}"),
    ] {
        let error = first(&sql).await.unwrap_err();
        assert_eq!(error.code(), "too_large", "{sql}: {error}");
    }
}

#[tokio::test]
async fn time_is_capped_where_it_is_the_product_of_two_texts() {
    let long = "from (select repeat('x', 40000 + n) as x from (values (0)) t(n)) t";
    assert_eq!(
        code("select levenshtein(repeat('a', 30000), repeat('b', 30000))").await,
        "passed"
    );
    assert_eq!(
        code(&format!("select levenshtein(x, x) {long}")).await,
        "too_large"
    );
    assert_eq!(
        code(&format!("select btrim(x, x) {long}")).await,
        "too_large"
    );
    assert_eq!(code(&format!("select btrim(x) {long}")).await, "passed");
    let lists = "from (select range(0, 40000 + n) as l from (values (0)) t(n)) t";
    assert_eq!(
        code(&format!("select array_has_all(l, l) {lists}")).await,
        "too_large"
    );
    assert_eq!(
        code(&format!("select array_has_all(l, [1, 2]) {lists}")).await,
        "passed"
    );
}

#[tokio::test]
async fn a_loose_estimate_does_not_refuse_what_stays_small() {
    // Each row could become 50,000 times 100 bytes; none does.
    let rows =
        "from (select concat(repeat('a', 50000), n) as x from generate_series(1, 20) t(n)) t";
    let to = "y".repeat(100);
    let sql = format!("select sum(length(regexp_replace(x, '[0-9]', '{to}', 'g'))) {rows}");
    assert_eq!(
        first(&sql).await.unwrap(),
        (20 * 50_000 + 31 * 100).to_string()
    );
    let sql = format!("select sum(length(regexp_replace(x, 'a', '{to}', 'g'))) {rows}");
    assert_eq!(code(&sql).await, "too_large", "here they do");
    let sql = format!("select sum(length(array_to_string(string_to_array(x, 'b'), 'c'))) {rows}");
    assert_eq!(first(&sql).await.unwrap(), (20 * 50_000 + 31).to_string());
}

#[tokio::test]
async fn capped_functions_answer_as_before() {
    for (sql, expected) in [
        ("select repeat('ab', 3)", "ababab"),
        ("select repeat('ab', -3)", ""),
        ("select repeat(null, 3)", ""),
        ("select lpad('é', 4, 'ü')", "üüüé"),
        ("select rpad('abc', 2)", "ab"),
        ("select concat('a', null, 1)", "a1"),
        ("select concat_ws('-', 'a', 'b')", "a-b"),
        ("select 'a' || 1 || 'b'", "a1b"),
        ("select coalesce('a' || null, 'null')", "null"),
        ("select array_to_string([1, 2] || [3], '/')", "1/2/3"),
        ("select array_to_string(array_append([1], 2), '/')", "1/2"),
        ("select array_to_string(range(2, 10, 3), '/')", "2/5/8"),
        ("select array_to_string(generate_series(3), '/')", "0/1/2/3"),
        (
            "select overlay('Txxxxas' placing 'hom' from 2 for 4)",
            "Thomas",
        ),
        ("select replace('aXbX', 'X', 'yy')", "ayybyy"),
        (
            "select regexp_replace('foobar', '(o+)', '[\\1]')",
            "f[oo]bar",
        ),
        (
            "select array_to_string(regexp_match('abc', '(b)(c)'), '/')",
            "b/c",
        ),
        (
            "select to_char(timestamp '2026-01-02T03:04:05', '%Y/%m')",
            "2026/01",
        ),
        ("select encode('é', 'hex')", "c3a9"),
        ("select levenshtein('kitten', 'sitting')", "3"),
        ("select btrim('xxaxx', 'x')", "a"),
        ("select array_length(make_array(1, 2, 3))", "3"),
        ("select map([1, 2], ['a', 'b'])[2]", "b"),
        ("select named_struct('a', 1, 'b', 'x')['b']", "x"),
        ("select array_has_any([1, 2], [2, 3])", "true"),
        (
            "select array_to_string(array_resize([1], 3, 7), '/')",
            "1/7/7",
        ),
        ("select arrays_zip([1, 2], [3, 4])[2]['2']", "4"),
    ] {
        let found = first(sql).await;
        let found = found
            .as_ref()
            .map_or_else(ToString::to_string, Clone::clone);
        assert!(
            found == expected || (expected.is_empty() && found == "NULL"),
            "{sql}: {found}"
        );
    }
}
