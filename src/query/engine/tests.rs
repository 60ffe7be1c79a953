//! Queries end in time, within their memory, and leave others alone.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, AsArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::{Field, Int64Type, Schema};
use datafusion::arrow::util::pretty::pretty_format_batches;
use datafusion::catalog::{MemTable, Session};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::{PartitionStream, StreamingTableExec};
use parking_lot::{Condvar, Mutex};

use super::*;
use crate::base::Timestamp;

/// A question over 10^12 rows that no statistics answer.
const FOREVER: &str = "select sum(a.n * b.n + c.n * d.n) from spans a, spans b, spans c, spans d";

fn config() -> Config {
    Config {
        threads: 4,
        memory_bytes: 64 << 20,
        deadline_ms: 20_000,
        ..Config::default()
    }
}

fn engine() -> Engine {
    Engine::new(config()).unwrap()
}

fn spans() -> Arc<dyn TableProvider> {
    let ids: ArrayRef = Arc::new(StringArray::from_iter_values(
        (0..1_000).map(|i| format!("t{}", i / 10)),
    ));
    let numbers: ArrayRef = Arc::new(Int64Array::from_iter_values(0..1_000));
    let json = (0..1_000).map(|i| format!("{{\"agent\":{{\"name\":\"a{}\"}},\"n\":{i}}}", i % 3));
    let attributes: ArrayRef = Arc::new(StringArray::from_iter_values(json));
    let batch = RecordBatch::try_from_iter([
        ("trace_id", ids),
        ("n", numbers),
        ("attributes", attributes),
    ])
    .unwrap();
    Arc::new(MemTable::try_new(batch.schema(), vec![vec![batch]]).unwrap())
}

fn query(sql: &str) -> Query {
    Query {
        sql: sql.to_owned(),
        tables: HashMap::from([("spans".to_owned(), spans())]),
        ..Query::default()
    }
}

async fn rows(engine: &Engine, query: Query) -> Result<Vec<RecordBatch>> {
    engine.run(query).await?.batches().await
}

async fn shown(engine: &Engine, sql: &str) -> String {
    let batches = rows(engine, query(sql))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    pretty_format_batches(&batches).unwrap().to_string()
}

async fn number(engine: &Engine, sql: &str) -> i64 {
    let batches = rows(engine, query(sql))
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"));
    batches[0].column(0).as_primitive::<Int64Type>().value(0)
}

async fn error(engine: &Engine, query: Query) -> Error {
    let sql = query.sql.chars().take(100).collect::<String>();
    match rows(engine, query).await {
        Err(error) => error,
        Ok(batches) => panic!("{sql} answered {} batches", batches.len()),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}

#[tokio::test]
async fn questions_are_answered() {
    let engine = engine();
    assert_eq!(number(&engine, "select count(*) from spans").await, 1_000);
    assert_eq!(
        number(
            &engine,
            "select sum(n) from outspan.public.spans where trace_id = 't7'"
        )
        .await,
        745
    );
    assert_eq!(
        number(
            &engine,
            "with a as (select 1 as x) select x from a union all select 2 order by x limit 1"
        )
        .await,
        1
    );
    assert_eq!(
        number(&engine, "select count(*) from generate_series(1, 1000)").await,
        1_000
    );
    assert_eq!(number(&engine, "values (3)").await, 3);
}

#[tokio::test]
async fn plans_and_tables_are_described() {
    let engine = engine();
    assert!(
        shown(&engine, "explain select count(*) from spans")
            .await
            .contains("physical_plan")
    );
    assert!(
        shown(&engine, "explain analyze select count(*) from spans")
            .await
            .contains("output_rows")
    );
    assert!(
        shown(&engine, "show tables")
            .await
            .contains("| outspan       | public             | spans")
    );
    assert!(
        shown(&engine, "describe spans")
            .await
            .contains("attributes")
    );
    assert!(
        shown(&engine, "show columns from spans")
            .await
            .contains("trace_id")
    );
    assert!(
        shown(&engine, "show functions")
            .await
            .contains("wilson_low")
    );
    assert!(
        shown(&engine, "select * from information_schema.tables")
            .await
            .contains("spans")
    );
    let explain = "explain select * from spans order by n limit 3";
    assert!(shown(&engine, explain).await.contains("TopK(fetch=3)"));
}

#[tokio::test]
async fn json_is_reached_through_operators_that_bind_as_in_postgresql() {
    let engine = engine();
    for (sql, expected) in [
        (
            "select count(*) from spans where attributes -> 'agent' ->> 'name' = 'a1'",
            333,
        ),
        (
            "select count(*) from spans where attributes ->> 'n' = '5' or attributes ->> 'n' = '6'",
            2,
        ),
        (
            "select count(*) from spans where attributes ->> 'n' in ('5', '6', '7')",
            3,
        ),
        (
            "select count(*) from spans where attributes ->> 'n' is null",
            0,
        ),
        (
            "select count(*) from spans where attributes ->> 'missing' is not null",
            0,
        ),
        (
            "select count(*) from spans where attributes ->> 'n' like '99%'",
            11,
        ),
        (
            "select count(*) from spans where (attributes ->> 'n')::bigint >= 990",
            10,
        ),
        (
            "select (attributes -> 'agent' ->> 'name' || '!' = 'a0!')::bigint from spans limit 1",
            1,
        ),
        ("select count(distinct attributes -> 'agent') from spans", 3),
        ("select ('[1,[2,3]]' -> 1 ->> -1)::bigint", 3),
    ] {
        assert_eq!(number(&engine, sql).await, expected, "{sql}");
    }
    let columns = shown(&engine, "select attributes ->> 'n' from spans limit 1").await;
    assert!(
        columns.contains("->> "),
        "the column is named after the question: {columns}"
    );
}

#[tokio::test]
async fn our_functions_are_there() {
    let engine = engine();
    let sql = "select round(wilson_low(8, 10), 4) as low, round(wilson_high(8, 10), 4) as high, \
               wilson_low(0, 0) as none, pass_hat_k(3, 4, 2) as pass, pass_hat_k(0, 0, 1) as zero, \
               canonical_json('{\"b\": 1.0, \"a\": [ ]}') as json";
    let row = shown(&engine, sql).await;
    assert!(
        row.contains("| 0.4902 | 0.9433 |      | 0.5  |      | {\"a\":[],\"b\":1} |"),
        "{row}"
    );
    let sums = "select (wilson_low(sum(case when n > 9 then 1 else 0 end), count(*)) > 0.97)::bigint from spans";
    assert_eq!(
        number(&engine, sums).await,
        1,
        "counts and sums are taken as they come"
    );
}

#[tokio::test]
async fn parameters_stand_wherever_a_value_may() {
    let engine = engine();
    let with = |sql: &str, params: serde_json::Value| Query {
        params: params.as_object().cloned().unwrap_or_default(),
        ..query(sql)
    };
    let one = async |sql: &str, params| {
        let batches = rows(&engine, with(sql, params)).await.unwrap();
        batches.iter().map(RecordBatch::num_rows).sum::<usize>()
    };
    let json = serde_json::json!({ "t": "t7", "low": 72, "n": 5 });
    assert_eq!(
        one(
            "select * from spans where trace_id = $t and n >= $low limit $n",
            json
        )
        .await,
        5
    );
    let json = serde_json::json!({ "ids": ["t1", "t2"], "on": true, "none": null });
    let sql = "select * from spans where array_has($ids, trace_id) and $on and $none is null";
    assert_eq!(one(sql, json).await, 20);
    let json = serde_json::json!({ "from": "2026-01-01", "to": "2026-01-08", "step": "1 day" });
    let sql = "select * from generate_series($from::timestamp, $to::timestamp, $step::interval)";
    assert_eq!(one(sql, json).await, 8);
    let json = serde_json::json!({ "n": i64::MIN, "m": i64::MAX, "q": "' or 1 = 1; --" });
    let sql =
        "select 1 where $n = -9223372036854775808 and $m = 9223372036854775807 and length($q) = 14";
    assert_eq!(one(sql, json).await, 1);

    let fails = async |sql: &str, params| {
        let error = error(&engine, with(sql, params)).await;
        assert_eq!(error.code(), "invalid");
        error.to_string()
    };
    let json = serde_json::json!({});
    assert_eq!(fails("select $a", json).await, "parameter $a has no value");
    let json = serde_json::json!({ "a": 1, "b": 2 });
    assert_eq!(fails("select $a", json).await, "there is no parameter 'b'");
    let json = serde_json::json!({ "a": { "b": 1 } });
    assert_eq!(fails("select $a", json).await, "parameter $a is an object");
    let json = serde_json::json!({ "a": "x".repeat(gate::TEXT_BYTES_MAX + 1) });
    assert_eq!(
        error(&engine, with("select $a", json)).await.code(),
        "too_large"
    );
}

#[tokio::test]
async fn rows_are_cut_off_at_the_limit_and_the_answer_says_so() {
    let engine = Engine::new(Config {
        rows_max: 100,
        ..config()
    })
    .unwrap();
    for (sql, limit_rows, rows, truncated) in [
        ("select * from generate_series(1, 99)", None, 99, false),
        ("select * from generate_series(1, 100)", None, 100, false),
        ("select * from generate_series(1, 101)", None, 100, true),
        ("select * from generate_series(1, 1000000)", None, 100, true),
        ("select * from generate_series(1, 11)", Some(11), 11, false),
        ("select * from generate_series(1, 12)", Some(11), 11, true),
        (
            "select * from generate_series(1, 1000)",
            Some(1_000),
            100,
            true,
        ),
        ("select * from generate_series(1, 5)", Some(0), 0, true),
        (
            "select * from generate_series(1, 1000) order by value desc limit 3",
            None,
            3,
            false,
        ),
    ] {
        let mut answer = engine
            .run(Query {
                limit_rows,
                ..query(sql)
            })
            .await
            .unwrap();
        assert_eq!(answer.truncated(), None, "not known before the end");
        let batches = answer.batches().await.unwrap();
        assert_eq!(
            batches.iter().map(RecordBatch::num_rows).sum::<usize>(),
            rows,
            "{sql}"
        );
        assert_eq!(answer.truncated(), Some(truncated), "{sql}");
    }
    let described = rows(&engine, query("show functions")).await.unwrap();
    assert!(described.iter().map(RecordBatch::num_rows).sum::<usize>() <= 100);
}

#[tokio::test]
async fn answers_are_limited_in_bytes() {
    let engine = Engine::new(Config {
        result_bytes_max: 8_000,
        ..config()
    })
    .unwrap();
    assert!(
        rows(&engine, query("select * from generate_series(1, 1000)"))
            .await
            .is_ok()
    );
    let error = error(&engine, query("select * from generate_series(1, 1001)")).await;
    assert_eq!(error.code(), "too_large");
    assert_eq!(
        error.to_string(),
        "the answer is larger than the limit of 8000 bytes"
    );
}

#[tokio::test]
async fn mistakes_are_explained() {
    let engine = engine();
    for (sql, message, hint) in [
        (
            "select trace from spans",
            "there is no column 'trace'",
            Some("did you mean 'trace_id'?"),
        ),
        (
            "select s.nn from spans s",
            "there is no column 's.nn'",
            Some("did you mean 'n'?"),
        ),
        (
            "select xyzzy from spans",
            "there is no column 'xyzzy'",
            Some("columns: attributes, n, trace_id"),
        ),
        ("select 1 / 0", "division by zero", None),
        (
            "select reverze('a')",
            "invalid function 'reverze'",
            Some("did you mean 'reverse'?"),
        ),
    ] {
        let error = error(&engine, query(sql)).await;
        assert_eq!(error.code(), "invalid", "{sql}");
        assert_eq!(error.to_string(), message, "{sql}");
        assert_eq!(error.hint(), hint, "{sql}");
    }
    for sql in [
        "select nosuch(1)",
        "select 'abc'::bigint",
        "select sum(attributes) from spans",
        "select n from spans group by trace_id",
        "select * from spans where attributes -> 3.5 is null",
        "select * from generate_series('a', 'b')",
        "select n, n from spans join spans on true",
        "select input_file_name()",
        "select arrow_cast(null, 'FixedSizeBinary(2000000000)')",
        "select version()",
    ] {
        let error = error(&engine, query(sql)).await;
        assert_eq!(error.code(), "invalid", "{sql}: {error:?}");
        let text = error.to_string();
        assert!(
            !text.contains('\n') && !text.starts_with(char::is_uppercase),
            "{sql}: {text}"
        );
        assert!(
            !text.contains("DataFusion") && !text.contains("backtrace"),
            "{sql}: {text}"
        );
    }
}

/// Runs a query that asks for too much and another that does not, at once.
async fn survives(engine: &Engine, bomb: &str, codes: &[&str]) {
    let name: String = bomb.chars().take(100).collect();
    let long = Query {
        deadline: Some(Duration::from_millis(1_500)),
        ..query(bomb)
    };
    let small = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            let begun = tokio::time::Instant::now();
            assert_eq!(
                number(engine, "select count(*) from spans where n % 2 = 0").await,
                500
            );
            slowest = slowest.max(begun.elapsed());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        slowest
    };
    let begun = tokio::time::Instant::now();
    let (ended, slowest) = tokio::join!(rows(engine, long), small);
    let code = ended
        .as_ref()
        .map_or_else(|error| error.code(), |_| "answered");
    assert!(codes.contains(&code), "{name}: {code}: {:?}", ended.err());
    assert!(
        slowest < Duration::from_secs(5),
        "{name}: another query took {slowest:?}"
    );
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{name}: ended after {:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn bombs_of_text_are_refused_while_others_are_answered() {
    let engine = engine();
    let or = vec!["n = 1"; 3_000].join(" or ");
    let mut ctes = vec!["c0 as (select n from spans)".to_owned()];
    for i in 1..=30 {
        ctes.push(format!(
            "c{i} as (select a.n from c{0} a join c{0} b on a.n = b.n)",
            i - 1
        ));
    }
    let mut terms = "select n from spans".to_owned();
    for _ in 0..30 {
        terms = format!("select n + n as n from ({terms}) q");
    }
    let recursive =
        "with recursive r as (select 1 as n union all select n + 1 from r) select count(*) from r";
    survives(&engine, recursive, &["refused"]).await;
    for bomb in [
        format!("select * from spans where {or}"),
        format!("select {}1{}", "(".repeat(30_000), ")".repeat(30_000)),
        format!(
            "select * from spans where n in ({})",
            vec!["1"; 20_000].join(",")
        ),
        format!("with {} select count(*) from c30", ctes.join(", ")),
        format!("select * from ({terms}) q where n > 0"),
    ] {
        survives(&engine, &bomb, &["too_large"]).await;
    }
}

#[tokio::test]
async fn bombs_of_functions_are_refused_while_others_are_answered() {
    let engine = engine();
    for bomb in [
        "select repeat('x', 1000000000)",
        "select length(repeat(attributes, 10000000)) from spans",
        "select array_repeat(n, 1000000000) from spans",
        "select lpad('x', 1000000000)",
        "select rpad(attributes, 1000000000) from spans",
        "select generate_series(1, 1000000000000)",
        "select * from generate_series(1, 1000000000000)",
    ] {
        survives(&engine, bomb, &["too_large"]).await;
    }
}

#[tokio::test]
async fn bombs_of_rows_end_at_their_deadline_while_others_are_answered() {
    let engine = engine();
    for bomb in [
        FOREVER,
        "select * from spans a, spans b, spans c, spans d where a.n + b.n + c.n + d.n < 0",
        "select count(*) from generate_series(1, 1000000) a(x) \
         join generate_series(1, 1000000) b(y) on x < y - 2000000",
        "select count(*) from generate_series(1, 1000000) a(x) \
         join generate_series(1, 1000000) b(y) on x % 2 = y % 2 and x + y < 0",
        "select count(*) from (select unnest(range(0, 1000 + n)) from spans a) a, spans b, spans c \
         where b.n + c.n < 0",
    ] {
        survives(&engine, bomb, &["timeout"]).await;
    }
}

#[tokio::test]
async fn bombs_of_memory_end_while_others_are_answered() {
    let engine = engine();
    for bomb in [
        "select string_agg(a.attributes || b.attributes, ',') from spans a, spans b, spans c",
        "select array_agg(a.attributes || b.attributes) from spans a, spans b, spans c",
        "select count(distinct a.attributes || b.attributes || c.n) from spans a, spans b, spans c",
        "select median(a.n + b.n) from spans a, spans b, spans c",
        "select a.n, b.n, c.n, string_agg(d.attributes, ',') \
         from spans a, spans b, spans c, spans d group by 1, 2, 3",
    ] {
        survives(&engine, bomb, &["too_large", "memory", "timeout"]).await;
    }
}

#[tokio::test]
async fn what_aggregates_keep_is_seen_by_the_memory_pool() {
    let small = Config {
        memory_bytes: 8 << 20,
        spill_bytes_max: 0,
        deadline_ms: 60_000,
        ..config()
    };
    let engine = Engine::new(small).unwrap();
    // Scrambled: over a series as it comes, DataFusion knows the order and keeps nothing.
    let rows = "from (select (value * 7919) % 2000003 as v from generate_series(1, 2000000)) t";
    for aggregate in [
        "array_agg(v)",
        "array_agg(v order by v desc)",
        "array_agg(distinct v)",
        "string_agg(v::text, ',')",
        "string_agg(distinct v::text, ',')",
        "string_agg(v::text, ',' order by v desc)",
        "count(distinct v)",
        "count(distinct v::text)",
        "count(distinct v::double)",
        "sum(distinct v)",
        "median(v)",
        "median(distinct v)",
        "percentile_cont(0.5) within group (order by v)",
    ] {
        for by in ["", "group by v % 10"] {
            let error = error(&engine, query(&format!("select {aggregate} {rows} {by}"))).await;
            let expected = if aggregate.contains("_agg(v") {
                "too_large"
            } else {
                "memory"
            };
            assert!(
                [expected, "memory"].contains(&error.code()),
                "{aggregate} {by}: {error}"
            );
        }
    }
    // Nothing but the cap stands between few, long groups and all memory: see `functions::kept`.
    let gathered = "select n % 3, string_agg(a || a || a, ',') from (select a.n, b.attributes as a from spans a, spans b) q group by 1";
    let large = Engine::new(Config {
        memory_bytes: 512 << 20,
        ..config()
    })
    .unwrap();
    assert_eq!(error(&large, query(gathered)).await.code(), "too_large");
    for sql in [
        format!("select max(n) from (select v, count(*) as n {rows} group by v) q"),
        format!("select count(*) from (select distinct v::text {rows}) q"),
        format!("select max(i) from (select row_number() over (order by -v) as i {rows}) q"),
        format!("select count(*) from (select v {rows}) a join (select v {rows}) b on a.v = b.v"),
    ] {
        assert_eq!(error(&engine, query(&sql)).await.code(), "memory", "{sql}");
    }
}

#[tokio::test]
async fn constants_are_not_copied_into_large_batches() {
    let engine = engine();
    let long = "x".repeat(50_000);
    let sql = format!("select '{long}' as x, value from generate_series(1, 10000)");
    let mut answer = engine
        .run(Query {
            limit_rows: Some(5_000),
            ..query(&sql)
        })
        .await
        .unwrap();
    let batch = answer.next().await.unwrap().unwrap();
    assert!(
        batch.num_rows() <= 16 * 1024 * 1024 / 50_000,
        "{}",
        batch.num_rows()
    );
}

#[tokio::test]
async fn large_rows_are_not_multiplied() {
    let engine = engine();
    let big =
        |bytes: u64| format!("(select repeat('x', {bytes} + n) as x from (values (0)) t(n)) big");
    let crossed = |bytes| {
        format!(
            "select max(length(x)), max(attributes) from {}, spans",
            big(bytes)
        )
    };
    let limit = pulse::CROSSED_BYTES_MAX;
    assert!(rows(&engine, query(&crossed(limit - 8))).await.is_ok());
    let error_of = error(&engine, query(&crossed(limit + 1))).await;
    assert_eq!(error_of.code(), "too_large", "{error_of}");
    let unnested = |bytes| {
        format!(
            "select max(length(x)) from (select unnest(range(0, 1000 + length(x) * 0)), x from {}) q",
            big(bytes)
        )
    };
    let limit = pulse::UNNESTED_BYTES_MAX / 1_000;
    assert!(rows(&engine, query(&unnested(limit - 100))).await.is_ok());
    let error_of = error(&engine, query(&unnested(limit + 100))).await;
    assert_eq!(error_of.code(), "too_large", "{error_of}");
    let many = "select count(*) from (select unnest(range(0, 1000 + n)), attributes from spans) q";
    assert_eq!(number(&engine, many).await, 1_000 * 1_000 + 499_500);
}

#[tokio::test]
async fn series_are_limited() {
    let engine = engine();
    let limit = functions::ROWS_MAX;
    let count = |n: u64| format!("select count(*) from generate_series(1, {n})");
    assert_eq!(
        number(&engine, &count(limit)).await,
        i64::try_from(limit).unwrap()
    );
    let error_of = error(&engine, query(&count(limit + 1))).await;
    assert_eq!(
        error_of.to_string(),
        "generate_series would make 10000001 rows, more than the limit of 10000000"
    );
    for sql in [
        "select * from range(-9223372036854775808, 9223372036854775807)",
        "select * from range(9223372036854775807, -9223372036854775808, -1)",
        "select * from generate_series('1970-01-01'::timestamp, '2200-01-01'::timestamp, interval '1 second')",
        "select * from generate_series('0001-01-01'::date, '2200-01-01'::date, interval '1 nanosecond')",
    ] {
        let error_of = error(&engine, query(sql)).await;
        assert!(
            ["too_large", "invalid"].contains(&error_of.code()),
            "{sql}: {error_of}"
        );
    }
    assert_eq!(number(&engine, "select count(*) from range(5, 1)").await, 0);
    assert_eq!(
        number(&engine, "select count(*) from range(5, 1, -1)").await,
        4
    );
}

#[tokio::test]
async fn a_query_ends_at_its_deadline_and_the_askers_may_be_shorter() {
    let engine = Engine::new(Config {
        deadline_ms: 600,
        ..config()
    })
    .unwrap();
    let forever = FOREVER;
    let late = error(&engine, query(forever)).await;
    assert_eq!(late.to_string(), "the query took longer than 600 ms");
    let sooner = Query {
        deadline: Some(Duration::from_millis(300)),
        ..query(forever)
    };
    assert_eq!(
        error(&engine, sooner).await.to_string(),
        "the query took longer than 300 ms"
    );
    let longer = Query {
        deadline: Some(Duration::from_secs(300)),
        ..query(forever)
    };
    assert_eq!(
        error(&engine, longer).await.to_string(),
        "the query took longer than 600 ms"
    );
    until("the query has ended", || engine.watch.is_idle()).await;
}

#[tokio::test]
async fn the_deadline_holds_for_a_reader_who_does_not_read() {
    let engine = Engine::new(Config {
        deadline_ms: 500,
        rows_max: usize::MAX - 1,
        ..config()
    })
    .unwrap();
    let mut answer = engine
        .run(query("select * from generate_series(1, 1000000)"))
        .await
        .unwrap();
    let first = answer.next().await.unwrap();
    assert!(first.is_ok());
    until("the query has ended", || engine.watch.is_idle()).await;
    let mut last = None;
    while let Some(item) = answer.next().await {
        last = Some(item);
    }
    assert_eq!(
        last.unwrap().unwrap_err().code(),
        "timeout",
        "the end is told, not only silence"
    );
}

#[tokio::test]
async fn a_query_ends_when_its_answer_is_dropped() {
    let engine = engine();
    let forever = "select a.n from spans a, spans b, spans c, spans d";
    let mut answer = engine.run(query(forever)).await.unwrap();
    assert!(answer.next().await.unwrap().is_ok());
    assert!(!engine.watch.is_idle());
    drop(answer);
    until("the query has ended", || engine.watch.is_idle()).await;
    let silent = engine.run(query(FOREVER)).await;
    drop(silent);
    until("the one without a batch has ended", || {
        engine.watch.is_idle()
    })
    .await;
}

#[tokio::test]
async fn one_query_too_many_is_told_to_come_back() {
    let engine = Engine::new(Config {
        queries_max: 1,
        ..config()
    })
    .unwrap();
    let first = engine
        .run(query("select a.n from spans a, spans b, spans c"))
        .await
        .unwrap();
    assert_eq!(error(&engine, query("select 1")).await.code(), "busy");
    drop(first);
    until("the first has ended", || engine.watch.is_idle()).await;
    assert!(rows(&engine, query("select 1")).await.is_ok());
}

#[tokio::test]
async fn the_memory_gate_ends_a_query_and_the_others_go_on() {
    let allocated = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&allocated);
    let gate = MemoryGate {
        limit_bytes: 1_000,
        allocated: Arc::new(move || seen.load(Ordering::SeqCst)),
    };
    let engine = engine().with_memory_gate(gate);
    allocated.store(1_000, Ordering::SeqCst);
    let forever = FOREVER;
    let older = engine
        .run(query("select a.n from spans a, spans b, spans c, spans d"))
        .await
        .unwrap();
    let mut younger = engine.run(query(forever)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(engine.watch.len(), 2, "at the limit nobody is ended");
    allocated.store(1_001, Ordering::SeqCst);
    let ended = younger.next().await.unwrap().unwrap_err();
    assert_eq!(ended.code(), "memory");
    assert_eq!(
        ended.to_string(),
        "the query was ended because the server ran out of memory"
    );
    allocated.store(0, Ordering::SeqCst);
    until("the younger has ended", || engine.watch.len() == 1).await;
    drop(older);
    assert_eq!(number(&engine, "select count(*) from spans").await, 1_000);
}

#[tokio::test]
async fn sorts_spill_within_their_quota() {
    let sort = "select max(i) from (select row_number() over (order by x, n) as i from \
                (select a.n, lpad(b.attributes, 200) as x from spans a, spans b) q) q";
    let dir = tempfile::tempdir().unwrap();
    let small = Config {
        memory_bytes: 160 << 20,
        spill_dir: Some(dir.path().to_owned()),
        ..config()
    };
    let spilling = Engine::new(small.clone()).unwrap();
    let sorted = rows(&spilling, query(sort)).await;
    assert!(sorted.is_ok(), "{sorted:?}");
    let quota = Engine::new(Config {
        spill_bytes_max: 4 << 20,
        ..small.clone()
    })
    .unwrap();
    let full = error(&quota, query(sort)).await;
    let text = full.to_string();
    assert_eq!(
        text, "the query needs more spill space than there is for it",
        "{full:?}"
    );
    let dry = Engine::new(Config {
        spill_bytes_max: 0,
        ..small
    })
    .unwrap();
    assert_eq!(error(&dry, query(sort)).await.code(), "memory");
}

#[tokio::test]
async fn now_is_the_clocks() {
    let clock = Clock::set_to(Timestamp(1_700_000_000_000_000_000));
    let engine = engine().with_clock(clock.clone());
    let sql = "select extract(epoch from now())::bigint";
    assert_eq!(number(&engine, sql).await, 1_700_000_000);
    clock.advance(Duration::from_secs(60));
    assert_eq!(number(&engine, sql).await, 1_700_000_060);
}

type Scan = Box<dyn Fn(&dyn Session) + Send + Sync>;
type Rows = Arc<dyn Fn() -> Vec<Result<RecordBatch, DataFusionError>> + Send + Sync>;

/// A table that does what a test tells it while it is scanned.
struct Odd {
    schema: SchemaRef,
    scan: Scan,
    rows: Rows,
}

impl fmt::Debug for Odd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

struct OddRows {
    schema: SchemaRef,
    rows: Rows,
}

impl fmt::Debug for OddRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OddRows")
    }
}

impl PartitionStream for OddRows {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = futures::stream::iter((self.rows)());
        Box::pin(RecordBatchStreamAdapter::new(
            SchemaRef::clone(&self.schema),
            rows,
        ))
    }
}

#[async_trait]
impl TableProvider for Odd {
    fn schema(&self) -> SchemaRef {
        SchemaRef::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        _: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>, DataFusionError> {
        (self.scan)(session);
        let rows = OddRows {
            schema: self.schema(),
            rows: Arc::clone(&self.rows),
        };
        let rows: Arc<dyn PartitionStream> = Arc::new(rows);
        let exec =
            StreamingTableExec::try_new(self.schema(), vec![rows], projection, None, false, None)?;
        Ok(Arc::new(exec))
    }
}

fn odd(
    scan: impl Fn(&dyn Session) + Send + Sync + 'static,
    rows: impl Fn() -> Vec<Result<RecordBatch, DataFusionError>> + Send + Sync + 'static,
) -> Arc<dyn TableProvider> {
    let schema = Arc::new(Schema::new(vec![Field::new(
        "trace_id",
        datafusion::arrow::datatypes::DataType::Utf8,
        true,
    )]));
    Arc::new(Odd {
        schema,
        scan: Box::new(scan),
        rows: Arc::new(rows),
    })
}

fn one_row() -> RecordBatch {
    let ids: ArrayRef = Arc::new(StringArray::from(vec![Some("a")]));
    RecordBatch::try_from_iter_with_nullable([("trace_id", ids, true)]).unwrap()
}

fn over(sql: &str, table: &Arc<dyn TableProvider>) -> Query {
    let tables = HashMap::from([("odd".to_owned(), Arc::clone(table))]);
    Query {
        sql: sql.to_owned(),
        tables,
        ..Query::default()
    }
}

#[tokio::test]
async fn scans_are_told_to_filter_rows_when_an_id_is_asked_for() {
    let engine = engine();
    let pushed = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&pushed);
    let table = odd(
        move |session| {
            let on = session.config_options().execution.parquet.pushdown_filters;
            seen.store(on, Ordering::SeqCst);
        },
        Vec::new,
    );
    for (sql, expected) in [
        ("select * from odd where trace_id = 'a'", true),
        ("select count(*) from odd where trace_id > 'a'", false),
        ("select * from odd where trace_id = $t", true),
        ("select * from odd", false),
    ] {
        let params = if sql.contains('$') {
            serde_json::json!({ "t": "a" })
        } else {
            serde_json::json!({})
        };
        let params = params.as_object().cloned().unwrap_or_default();
        rows(
            &engine,
            Query {
                params,
                ..over(sql, &table)
            },
        )
        .await
        .unwrap();
        assert_eq!(pushed.load(Ordering::SeqCst), expected, "{sql}");
    }
}

#[tokio::test]
async fn a_failure_in_the_middle_is_the_last_item() {
    let engine = engine();
    let table = odd(
        |_| {},
        || {
            let failure = std::io::Error::other("cannot read /secret/place");
            vec![Ok(one_row()), Err(DataFusionError::IoError(failure))]
        },
    );
    let mut answer = engine.run(over("select * from odd", &table)).await.unwrap();
    assert!(answer.next().await.unwrap().is_ok());
    let error = answer.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), "internal");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(answer.next().await.is_none());
}

#[tokio::test]
async fn a_panic_in_a_query_is_an_error_of_that_query() {
    let engine = engine();
    let table = odd(|_| {}, || panic!("in the rows"));
    assert_eq!(
        error(&engine, over("select * from odd", &table))
            .await
            .code(),
        "internal"
    );
    let table = odd(|_| panic!("in the plan"), Vec::new);
    assert_eq!(
        error(&engine, over("select * from odd", &table))
            .await
            .code(),
        "internal"
    );
    assert_eq!(number(&engine, "select count(*) from spans").await, 1_000);
    until("both have ended", || engine.watch.is_idle()).await;
}

#[tokio::test]
async fn a_plan_that_does_not_end_is_given_up_and_its_thread_counted() {
    let limits = Config {
        planning_threads: 2,
        planning_deadline_ms: 300,
        ..config()
    };
    let engine = Engine::new(limits).unwrap();
    let door = Arc::new((Mutex::new(false), Condvar::new()));
    let held = Arc::clone(&door);
    let table = odd(
        move |_| {
            let (open, changed) = &*held;
            let mut open = open.lock();
            while !*open {
                changed.wait(&mut open);
            }
        },
        Vec::new,
    );
    let stuck = error(&engine, over("select * from odd", &table)).await;
    assert_eq!(
        stuck.to_string(),
        "the query took longer than 300 ms to plan"
    );
    assert_eq!(
        number(&engine, "select count(*) from spans").await,
        1_000,
        "one thread is left"
    );
    assert_eq!(
        error(&engine, over("select * from odd", &table))
            .await
            .code(),
        "timeout"
    );
    let refused = error(&engine, query("select 1")).await;
    assert_eq!(refused.to_string(), "all planning threads are taken");
    *door.0.lock() = true;
    door.1.notify_all();
    until("the threads are back", || {
        engine.planning.available_permits() == 2
    })
    .await;
    assert_eq!(number(&engine, "select count(*) from spans").await, 1_000);
}

#[tokio::test]
async fn an_engine_can_be_dropped_while_queries_run() {
    let engine = engine();
    let mut answer = engine.run(query(FOREVER)).await.unwrap();
    drop(engine);
    let last = answer.next().await.unwrap().unwrap_err();
    assert!(["cancelled", "internal"].contains(&last.code()), "{last}");
}

#[test]
fn a_query_does_not_show_its_text() {
    let shown = format!("{:?}", query("select 'secret'"));
    assert!(!shown.contains("secret"), "{shown}");
}
