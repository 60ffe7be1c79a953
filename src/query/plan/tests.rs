//! Plans that do more than read are refused.

use std::sync::Arc;

use datafusion::arrow::datatypes::{Field, Schema};
use datafusion::catalog::MemTable;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::*;

async fn planned(sql: &str) -> LogicalPlan {
    let config = SessionConfig::new().set_usize("datafusion.sql_parser.recursion_limit", 1_000);
    let context = SessionContext::new_with_config(config);
    let fields = ["trace_id", "agent", "x"].map(|name| Field::new(name, DataType::Utf8, true));
    let number = Field::new("n", DataType::Int64, true);
    let schema = Arc::new(Schema::new([fields.to_vec(), vec![number]].concat()));
    let table = MemTable::try_new(schema, vec![vec![]]).unwrap();
    context.register_table("spans", Arc::new(table)).unwrap();
    context.state().create_logical_plan(sql).await.unwrap()
}

async fn by_id(sql: &str) -> bool {
    inspect(&planned(sql).await).unwrap().by_id
}

#[tokio::test]
async fn an_equality_on_an_id_is_seen_where_it_narrows() {
    assert!(by_id("select * from spans where trace_id = 'a'").await);
    assert!(by_id("select * from spans where 'a' = trace_id and n > 3").await);
    assert!(by_id("select * from spans where trace_id in ('a', 'b')").await);
    assert!(by_id("select * from (select * from spans) s where s.trace_id = 'a'").await);
    assert!(!by_id("select * from spans").await);
    assert!(!by_id("select * from spans where trace_id <> 'a'").await);
    assert!(!by_id("select * from spans where trace_id = 'a' or n > 3").await);
    assert!(!by_id("select * from spans where agent = 'a'").await);
    assert!(!by_id("select * from spans where trace_id = agent").await);
    assert!(!by_id("select * from spans where trace_id not in ('a', 'b')").await);
    assert!(!by_id("select trace_id = 'a' from spans").await);
}

/// Subqueries each of which doubles the expression of the one before.
fn doubled(times: usize, end: &str) -> String {
    let mut sql = "select n from spans".to_owned();
    for _ in 0..times {
        sql = format!("select n + n as n from ({sql}) q");
    }
    format!("select n from ({sql}) q {end}")
}

#[tokio::test]
async fn expressions_are_measured_as_they_would_be_written_out() {
    // 2^k columns under 2^k - 1 additions, and an alias a level.
    assert!(inspect(&planned(&doubled(11, "where n > 0")).await).is_ok());
    let error = inspect(&planned(&doubled(13, "where n > 0")).await).unwrap_err();
    assert_eq!(
        error.to_string(),
        "an expression would be written out to more than 10000 terms"
    );
    assert_eq!(
        inspect(&planned(&doubled(40, "")).await)
            .unwrap_err()
            .code(),
        "too_large"
    );
    let grouped = "group by n having n > 0";
    assert!(
        inspect(&planned(&doubled(40, grouped)).await).is_err(),
        "keys are written out too"
    );
}

#[tokio::test]
async fn what_is_computed_once_is_a_new_beginning() {
    let mut sql = "select n from spans".to_owned();
    for _ in 0..20 {
        sql = format!("select max(n) + max(n) as n from ({sql}) q");
    }
    assert!(inspect(&planned(&sql).await).is_ok());
}

#[tokio::test]
async fn subqueries_in_expressions_are_measured_too() {
    let inner = doubled(13, "where n > 0");
    for sql in [
        format!("select ({inner} limit 1)"),
        format!("select exists ({inner})"),
        format!("select 1 where 3 in ({inner})"),
    ] {
        assert_eq!(
            inspect(&planned(&sql).await).unwrap_err().code(),
            "too_large",
            "{sql}"
        );
    }
}

#[tokio::test]
async fn plans_are_limited_in_size() {
    let union = |n: usize| vec!["select n from spans"; n].join(" union all ");
    assert!(inspect(&planned(&union(100)).await).is_ok());
    let error = inspect(&planned(&union(1_000)).await).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the plan has more steps than the limit of 2000"
    );
}

#[tokio::test]
async fn what_writes_is_refused_in_a_plan_too() {
    for sql in [
        "create table t as select 1",
        "insert into spans select 'a', 'b', 'c', 1",
        "copy spans to 'x.csv'",
        "set datafusion.execution.batch_size = 1",
        "with recursive r as (select 1 as n union all select n + 1 from r) select * from r",
        "explain insert into spans select 'a', 'b', 'c', 1",
    ] {
        assert_eq!(
            inspect(&planned(sql).await).unwrap_err().code(),
            "refused",
            "{sql}"
        );
    }
}

#[tokio::test]
async fn types_of_fixed_size_are_limited() {
    assert!(inspect(&planned("select arrow_cast(null, 'Int64')").await).is_ok());
    assert!(inspect(&planned("select null::int[1024]").await).is_ok());
    assert_eq!(
        inspect(&planned("select null::int[1025]").await)
            .unwrap_err()
            .code(),
        "too_large"
    );
    let nested = planned("select null::int[2000000000][]").await;
    assert_eq!(inspect(&nested).unwrap_err().code(), "too_large");
}

#[tokio::test]
async fn windows_that_would_be_computed_anew_for_each_row_are_refused() {
    let code = async |over: &str| {
        let plan = planned(&format!("select {over} from spans")).await;
        inspect(&plan).map_or_else(|error| error.code(), |_| "passed")
    };
    let sliding = "(order by n rows between 100 preceding and 100 following)";
    let rest = "(order by n rows between current row and unbounded following)";
    for function in [
        "sum(n)",
        "count(*)",
        "avg(n)",
        "min(n)",
        "max(n)",
        "stddev(n)",
        "first_value(n)",
    ] {
        for window in ["()", "(order by n)", sliding, rest] {
            assert_eq!(
                code(&format!("{function} over {window}")).await,
                "passed",
                "{function} {window}"
            );
        }
    }
    for function in ["bool_and(n > 1)", "corr(n, n)"] {
        assert_eq!(
            code(&format!("{function} over (order by n)")).await,
            "passed"
        );
        assert_eq!(code(&format!("{function} over {sliding}")).await, "invalid");
        assert_eq!(code(&format!("{function} over {rest}")).await, "invalid");
    }
    for function in ["median(n)", "count(distinct n)", "approx_distinct(n)"] {
        assert_eq!(
            code(&format!("{function} over (partition by x)")).await,
            "passed"
        );
        assert_eq!(
            code(&format!("{function} over (order by n)")).await,
            "invalid"
        );
        assert_eq!(code(&format!("{function} over {sliding}")).await, "invalid");
    }
    for function in ["array_agg(n)", "string_agg(x, ',')"] {
        assert_eq!(code(function).await, "passed");
        assert_eq!(code(&format!("{function} over ()")).await, "invalid");
    }
    for function in ["row_number()", "lag(n)", "ntile(4)", "rank()"] {
        assert_eq!(
            code(&format!("{function} over (order by n)")).await,
            "passed"
        );
    }
}

#[tokio::test]
async fn large_constants_make_small_batches() {
    let rows = async |sql: &str| batch_rows(&planned(sql).await, 8192).unwrap();
    assert_eq!(rows("select n from spans").await, 8192);
    assert_eq!(rows("select 'short', n from spans").await, 8192);
    let long = "x".repeat(60_000);
    let small = rows(&format!("select '{long}', n from spans")).await;
    assert!((200..300).contains(&small), "{small}");
    assert_eq!(
        rows(&format!("select n from spans where x = '{long}'")).await,
        8192
    );
    let many: Vec<String> = (0..300)
        .map(|i| format!("'{i}{}'", "x".repeat(6_000)))
        .collect();
    let many = many.join(",");
    assert_eq!(
        rows(&format!("select {many} from spans")).await,
        16,
        "never below that"
    );
}
