//! One reading statement passes the gate, and nothing else.

use super::*;

fn tables() -> Vec<String> {
    vec!["runs".to_owned(), "spans".to_owned()]
}

fn gate(sql: &str) -> Result<Checked> {
    check(measure(sql)?, &tables())
}

fn code(sql: &str) -> &'static str {
    gate(sql).map_or_else(|error| error.code(), |_| "passed")
}

fn message(sql: &str) -> String {
    gate(sql).unwrap_err().to_string()
}

#[test]
fn statements_that_read_pass() {
    for sql in [
        "select 1",
        "SELECT * FROM spans;",
        "with s as (select 1 as a) select * from s",
        "values (1), (2)",
        "(select 1) union all (select 2) except select 3",
        "explain select 1",
        "explain verbose select 1",
        "explain analyze select * from spans",
        "explain (analyze) select 1",
        "explain (select 1)",
        "show tables",
        "show columns from spans",
        "show functions",
        "describe spans",
        "desc spans",
        "describe select 1",
        "select * from outspan.public.spans s join public.runs r on s.trace_id = r.trace_id",
        "select * from information_schema.columns",
        "select * from generate_series(1, 10) as g(n)",
        "select * from range(now() - interval '1 day', now(), interval '1 hour')",
        "select attributes ->> 'a' = 'b' and not attributes -> 'c' ->> 'd' like 'e%' from spans",
        "select /* a comment */ 1 -- and another",
    ] {
        assert_eq!(code(sql), "passed", "{sql}: {:?}", gate(sql).err());
    }
}

#[test]
fn statements_that_write_define_or_set_are_refused() {
    for sql in [
        "copy spans to 'file:///tmp/x.parquet'",
        "COPY (select 1) TO 's3://bucket/x' STORED AS CSV",
        "create table t (a int)",
        "create table t as select * from spans",
        "create or replace view v as select 1",
        "create external table t stored as parquet location '/etc'",
        "create unbounded external table t stored as csv location 's3://b/'",
        "create schema s",
        "create database d",
        "create function f(int) returns int return $1",
        "create index i on spans (a)",
        "insert into spans select * from spans",
        "update spans set a = 1",
        "delete from spans",
        "merge into spans using runs on true when matched then delete",
        "drop table spans",
        "drop view v",
        "truncate table spans",
        "alter table spans add column a int",
        "set datafusion.execution.batch_size = 1",
        "set time zone 'utc'",
        "reset datafusion.execution.batch_size",
        "prepare p as select 1",
        "execute p",
        "deallocate p",
        "begin",
        "commit",
        "rollback",
        "grant select on spans to public",
        "analyze spans",
        "vacuum",
        "call f()",
        "use outspan",
        "kill 1",
        "load 'x'",
        "declare c cursor for select 1",
        "fetch 1 from c",
        "listen c",
        "lock table spans",
        "show all",
        "show datafusion.execution.batch_size",
        "show timezone",
        "show create table spans",
        "select 1; select 2",
        "select 1; drop table spans",
        "select * into t from spans",
        "explain insert into spans select 1",
        "explain analyze insert into spans select 1",
        "explain copy spans to 'x'",
        "explain create table t (a int)",
        "explain set a = 1",
        "explain explain select 1",
        "with d as (delete from spans returning *) select * from d",
        "with d as (insert into spans select 1) select * from d",
        "with d as (update spans set a = 1 returning a) select * from d",
        "select * from (delete from spans returning *) d",
        "select * from spans for update",
        "with recursive r as (select 1 as n union all select n + 1 from r) select * from r",
        "select (with recursive r as (select 1) select * from r)",
    ] {
        let code = code(sql);
        assert!(code == "refused" || code == "syntax", "{sql}: {code}");
    }
}

#[test]
fn the_refusal_says_what_is_refused_and_what_is_not() {
    let error = gate("drop table spans").unwrap_err();
    assert_eq!(error.to_string(), "drop statements are refused");
    assert_eq!(
        error.hint(),
        Some("select, explain, show and describe are answered here")
    );
    assert_eq!(
        message("explain delete from spans"),
        "delete statements are refused"
    );
    assert_eq!(
        message("select 1; select 2; select 3"),
        "3 statements at once are refused, one at a time is answered"
    );
    assert_eq!(
        message("select * into t from spans"),
        "select into is refused"
    );
}

#[test]
fn urls_and_files_are_no_tables() {
    for name in [
        "'s3://bucket/key.parquet'",
        "\"s3://bucket/key.parquet\"",
        "\"file:///etc/passwd\"",
        "\"/etc/passwd\"",
        "'/etc/passwd'",
        "\"data.csv\"",
        "data.csv",
        "\"https://example.org/a.json\"",
        "information_schema.df_settings",
        "other.public.spans",
        "pg_catalog.pg_class",
        "a.b.c.d",
    ] {
        let sql = format!("select * from {name}");
        let code = code(&sql);
        assert!(code == "invalid" || code == "syntax", "{sql}: {code}");
    }
    let error = gate("select * from \"file:///etc/passwd\"").unwrap_err();
    assert_eq!(error.to_string(), "there is no table 'file:///etc/passwd'");
    assert_eq!(error.hint(), Some("tables: runs, spans"));
    let error = gate("select * from span").unwrap_err();
    assert_eq!(error.hint(), Some("did you mean 'spans'?"));
    assert_eq!(message("describe span"), "there is no table 'span'");
    assert_eq!(
        message("show columns from span"),
        "there is no table 'span'"
    );
    assert_eq!(
        message("select (select count(*) from span)"),
        "there is no table 'span'"
    );
}

#[test]
fn only_series_are_table_functions_and_they_take_constants() {
    assert_eq!(code("select * from read_parquet('x')"), "invalid");
    assert_eq!(code("select * from lateral read_csv('x')"), "invalid");
    assert_eq!(
        code("select * from generate_series(1, length(repeat('x', 1000)))"),
        "invalid"
    );
    assert_eq!(
        code("select * from generate_series(1, (select 3))"),
        "invalid"
    );
    assert_eq!(
        code("select * from generate_series(1, -(2 + 3) * 4, 5)"),
        "passed"
    );
}

#[test]
fn text_is_limited() {
    let padded = |bytes: usize| format!("select 1{}", " ".repeat(bytes - 8));
    assert_eq!(code(&padded(TEXT_BYTES_MAX)), "passed");
    assert_eq!(code(&padded(TEXT_BYTES_MAX + 1)), "too_large");
    assert_eq!(
        message(&padded(TEXT_BYTES_MAX + 1)),
        "the query is 65537 bytes long, more than the limit of 65536"
    );
}

#[test]
fn nesting_is_limited() {
    let nested = |depth: usize| format!("select {}1{}", "(".repeat(depth), ")".repeat(depth));
    assert_eq!(code(&nested(DEPTH_MAX)), "passed");
    assert_eq!(
        message(&nested(DEPTH_MAX + 1)),
        "the query has 65 levels of nesting, more than the limit of 64"
    );
    let queries = |depth: usize| {
        format!(
            "select * from {}spans{}",
            "(select * from ".repeat(depth),
            ") q".repeat(depth)
        )
    };
    assert_eq!(code(&queries(DEPTH_MAX)), "passed");
    assert_eq!(code(&queries(DEPTH_MAX + 1)), "too_large");
    assert_eq!(code(&format!("select {}", "(".repeat(60_000))), "too_large");
    assert_eq!(code(&format!("select {}", "[".repeat(60_000))), "too_large");
    assert_eq!(code(&format!("select {}", ")".repeat(60_000))), "syntax");
    assert_eq!(
        code(&format!("select {} 1", "-".repeat(999))),
        "syntax",
        "that is a comment"
    );
    for deep in [
        format!("select {} 1", "- ".repeat(900)),
        format!("select {} true", "not ".repeat(900)),
        format!(
            "select {} 1 {}",
            "case when true then ".repeat(400),
            "end ".repeat(400)
        ),
        format!(
            "select {} 1 {}",
            "case ".repeat(400),
            "when 1 then 1 end ".repeat(400)
        ),
        format!("select {} 1", "interval ".repeat(5_000)),
        format!("select {} 1", "(select ".repeat(60)),
        format!("{} select 1", "explain ".repeat(5_000)),
        format!("select * from {} spans", "lateral ".repeat(5_000)),
        format!("select 1 where {} 1", "exists ".repeat(5_000)),
        format!("{} select 1", "explain (analyze) ".repeat(3_000)),
        format!("select null::{}int{}", "array<".repeat(900), ">".repeat(90)),
        format!(
            "select null::{}int{}",
            "struct<a ".repeat(900),
            ">".repeat(90)
        ),
        format!("select {} '1'", "interval 'x' ".repeat(900)),
        format!("select {} 1", "@ ".repeat(900)),
        format!("select {} 1", "~ ".repeat(900)),
        format!("select x {}", "is not null ".repeat(900)),
        format!("select x {}", "at time zone ".repeat(10)),
        format!("select {}x", "date ".repeat(30)),
        format!("select * from spans {}", "natural join ".repeat(900)),
        format!("with {} select 1", "a as materialized ".repeat(900)),
        format!("select a{} from spans", ".b".repeat(20_000)),
        format!("select a{} from spans", "[1]".repeat(10_000)),
    ] {
        let start: String = deep.chars().take(60).collect();
        assert_ne!(code(&deep), "passed", "{start}");
    }
}

#[test]
fn keywords_in_a_row_are_limited() {
    let row = |n: usize| format!("select {} x", "interval ".repeat(n - 1));
    assert_ne!(code(&row(KEYWORDS_MAX)), "too_large");
    assert_eq!(
        message(&row(KEYWORDS_MAX + 1)),
        "the query has 33 keywords in a row, more than the limit of 32"
    );
    assert_eq!(
        message("explain explain select 1"),
        "explain of an explain is refused"
    );
}

#[test]
fn operators_are_limited() {
    let sum = |operators: usize| format!("select 1{}", "+1".repeat(operators));
    assert_eq!(code(&sum(OPERATORS_MAX)), "passed");
    assert_eq!(code(&sum(OPERATORS_MAX + 1)), "too_large");
    let or = vec!["a = 1"; 3_000].join(" or ");
    let error = gate(&format!("select * from spans where {or}")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query has 6000 operators, more than the limit of 1000"
    );
    assert_eq!(
        error.hint(),
        Some("compare with `in (...)` instead of many `or`")
    );
    assert_eq!(
        code(&format!("select 1{}", "::int".repeat(5_000))),
        "too_large"
    );
    assert_eq!(
        code(&format!("select 1{}", " union all select 1".repeat(1_500))),
        "too_large"
    );
}

#[test]
fn expressions_are_limited() {
    let columns = |n: usize| format!("select {} from spans", vec!["a"; n].join(","));
    assert_eq!(code(&columns(EXPRESSIONS_MAX)), "passed");
    assert_eq!(
        message(&columns(EXPRESSIONS_MAX + 1)),
        "the query has 4001 expressions, more than the limit of 4000"
    );
}

#[test]
fn lists_are_limited() {
    let list = |n: usize| {
        format!(
            "select * from spans where a in ({})",
            vec!["1"; n].join(",")
        )
    };
    assert_eq!(code(&list(LIST_MAX)), "passed");
    assert_eq!(
        message(&list(LIST_MAX + 1)),
        "the query has 10001 values in one list, more than the limit of 10000"
    );
}

#[test]
fn names_are_limited_in_parts() {
    let path = |n: usize| format!("select a{} from spans", ".b".repeat(n - 1));
    assert_eq!(code(&path(PARTS_MAX)), "passed");
    assert_eq!(
        message(&path(PARTS_MAX + 1)),
        "the query has 65 parts in one name, more than the limit of 64"
    );
    let index = |n: usize| format!("select a{} from spans", "[1]".repeat(n));
    assert_eq!(code(&index(PARTS_MAX)), "passed");
    assert_eq!(code(&index(PARTS_MAX + 1)), "too_large");
}

#[test]
fn joins_are_limited_however_they_are_written() {
    let joins = |n: usize| format!("select 1 from spans{}", " cross join spans".repeat(n));
    let commas = |n: usize| format!("select 1 from spans{}", ", spans".repeat(n));
    let nested = |n: usize| {
        let (open, close) = ("(".repeat(n), " cross join spans)".repeat(n));
        format!("select 1 from {open}spans{close}")
    };
    let apart = |n: usize| {
        let one = "(select 1 from spans, spans)";
        format!("select {}", vec![one; n].join(","))
    };
    for joined in [&joins as &dyn Fn(usize) -> String, &commas, &nested, &apart] {
        assert_eq!(
            code(&joined(JOINS_MAX)),
            "passed",
            "{:?}",
            gate(&joined(JOINS_MAX)).err()
        );
        assert_eq!(
            message(&joined(JOINS_MAX + 1)),
            "the query has 33 joins, more than the limit of 32"
        );
    }
}

#[test]
fn subqueries_and_ctes_are_limited() {
    let subqueries = |n: usize| format!("select {}", vec!["(select 1)"; n].join(","));
    assert_eq!(code(&subqueries(SUBQUERIES_MAX)), "passed");
    assert_eq!(code(&subqueries(SUBQUERIES_MAX + 1)), "too_large");
    let ctes = |n: usize| {
        let ctes: Vec<String> = (0..n).map(|i| format!("c{i} as (select 1)")).collect();
        format!("with {} select 1", ctes.join(","))
    };
    assert_eq!(code(&ctes(SUBQUERIES_MAX)), "passed");
    assert_eq!(code(&ctes(SUBQUERIES_MAX + 1)), "too_large");
}

/// A chain of CTEs each of which reads the one before twice.
fn doubling(times: usize) -> String {
    let mut ctes = vec!["c0 as (select trace_id from spans)".to_owned()];
    for i in 1..=times {
        let before = i - 1;
        ctes.push(format!(
            "c{i} as (select * from c{before} union all select * from c{before})"
        ));
    }
    format!("with {} select count(*) from c{times}", ctes.join(", "))
}

#[test]
fn a_cte_counts_as_often_as_it_is_used() {
    assert_eq!(code(&doubling(7)), "passed", "128 reads");
    let error = gate(&doubling(8)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the query has 256 tables to read, more than the limit of 128"
    );
    assert_eq!(
        error.hint(),
        Some("a cte is read again for each of its uses")
    );
    assert_eq!(code(&doubling(30)), "too_large");
    // Names are looked up as the planner does: an inner one hides an outer one, and a cte may hide a table.
    let inner =
        "with a as (select 1 from spans) select * from (with a as (select 1) select * from a) q, a";
    assert_eq!(code(inner), "passed");
    assert_eq!(
        code("with spans as (select * from spans) select * from spans"),
        "passed"
    );
    assert_eq!(
        code("with A as (select 1) select * from a, \"a\""),
        "passed"
    );
    assert_eq!(code("with \"A\" as (select 1) select * from A"), "invalid");
    assert_eq!(
        code("select * from (with a as (select 1) select * from a) q, a"),
        "invalid"
    );
}

#[test]
fn grouping_sets_are_limited() {
    let cube = |n: usize| {
        let columns: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
        format!(
            "select count(*) from spans group by cube ({})",
            columns.join(",")
        )
    };
    assert_eq!(code(&cube(8)), "passed");
    assert_eq!(
        message(&cube(9)),
        "the query has 512 groupings, more than the limit of 256"
    );
    assert_eq!(code(&cube(100)), "too_large");
    let product = "select 1 from spans group by cube (a,b,c,d), rollup (a,b,c), cube (e, f, g)";
    assert_eq!(code(product), "too_large");
}

#[test]
fn parameters_are_found_wherever_they_stand() {
    let sql = "select * from spans where a = $a and b in ($b, $a) limit $n";
    let names = gate(sql).unwrap().parameters;
    assert_eq!(names.into_iter().collect::<Vec<_>>(), ["a", "b", "n"]);
}

#[test]
fn what_is_no_sql_is_a_syntax_error_in_one_line() {
    for sql in [
        "",
        ";",
        "--",
        "selec 1",
        "select 'open",
        "select 1 1 1",
        "\u{0}",
        "😀",
    ] {
        let error = gate(sql).unwrap_err();
        assert_eq!(error.code(), "syntax", "{sql:?}: {error}");
        let text = error.to_string();
        assert!(!text.contains('\n') && !text.is_empty(), "{text}");
        assert!(!text.starts_with(char::is_uppercase), "{text}");
    }
}
