//! Scans read what they must and nothing that is hidden.

use std::sync::Arc;

use crate::model::{SpanRow, Table};
use crate::table::{Commit, DeltaTable, Snapshot};

use super::support::*;

/// Ten files of a hundred spans each, a minute apart; trace N has ten spans in file N / 10.
async fn ten_files(place: &Place) -> (DeltaTable, Arc<Snapshot>) {
    let table = place.spans().await;
    for file in 0..10_u32 {
        let rows: Vec<_> = (0..100)
            .map(|row| {
                span(
                    file * 10 + row / 10,
                    row,
                    i64::from(file * 60 + row / 2),
                    file.into(),
                )
            })
            .collect();
        table.commit(put(&rows, file.into())).await.unwrap();
    }
    let snapshot = table.snapshot();
    (table, snapshot)
}

fn files_in(plan: &str) -> usize {
    plan.matches(".parquet").count()
}

#[tokio::test]
async fn a_count_is_answered_without_reading() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let engine = engine(&place.store, &snapshot, &Arc::default());
    for sql in [
        "select count(*) from t",
        "select count(trace_id) from t",
        "select min(ts), max(ts) from t",
    ] {
        let plan = plan(&engine, sql).await;
        assert!(!plan.contains("DataSourceExec"), "{sql}\n{plan}");
    }
    assert_eq!(number(&engine, "select count(*) from t").await, 1_000);
    assert_eq!(
        number(
            &engine,
            "select cast(max(ts) as bigint) - cast(min(ts) as bigint) from t"
        )
        .await,
        589_000_000
    );
}

#[tokio::test]
async fn only_files_that_may_hold_an_answer_are_planned() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let trace = "0000002a070707070707070707070707";
    for (filter, files, rows) in [
        ("ts >= timestamp '2026-01-02T12:08:00Z'", 2, 200),
        ("ts < timestamp '2026-01-02T12:00:00Z'", 0, 0),
        (&format!("trace_id = '{trace}'"), 1, 10),
        (
            &format!("trace_id in ('{trace}', '0000002b070707070707070707070707')"),
            1,
            20,
        ),
        ("trace_id = 'ffffffff070707070707070707070707'", 0, 0),
        ("ingest_seq between 3 and 5", 3, 300),
        ("received_date = date '2026-01-02'", 10, 1_000),
        ("received_date > date '2026-01-02'", 0, 0),
        ("tenant = 'acme' and ingest_seq = 1", 1, 100),
        ("tenant = 'other'", 0, 0),
        ("name = 'span 1/11'", 10, 1),
    ] {
        let sql = format!("select span_id from t where {filter}");
        let plan = plan(&engine, &sql).await;
        assert_eq!(files_in(&plan), files, "{filter}\n{plan}");
        let found: usize = ask(&engine, &sql)
            .await
            .iter()
            .map(|rows| rows.num_rows())
            .sum();
        assert_eq!(found, rows, "{filter}");
    }
}

#[tokio::test]
async fn files_are_shared_out_to_the_processors() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let plan = plan(&engine, "select name from t").await;
    assert!(plan.contains("2 groups"), "{plan}");
}

#[tokio::test]
async fn filters_reach_row_groups_and_an_id_is_filtered_while_it_is_decoded() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let by_id = plan(
        &engine,
        "select name from t where trace_id = '0000002a070707070707070707070707'",
    )
    .await;
    assert!(
        by_id.contains("predicate=trace_id@") && !by_id.contains("FilterExec"),
        "{by_id}"
    );
    let by_name = plan(&engine, "select span_id from t where name = 'x'").await;
    assert!(
        by_name.contains("predicate=name@") && by_name.contains("FilterExec"),
        "{by_name}"
    );
}

#[tokio::test]
async fn columns_come_in_the_order_that_was_asked_for_the_partition_among_them() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let rows = ask(
        &engine,
        "select name, received_date, tenant, duration_ns from t limit 1",
    )
    .await;
    assert_eq!(rows[0].num_rows(), 1);
    let names: Vec<_> = rows[0]
        .schema()
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    assert_eq!(names, ["name", "received_date", "tenant", "duration_ns"]);
    let all = ask(&engine, "select * from t limit 3").await;
    assert_eq!(all[0].schema().fields(), Table::Spans.schema().fields());
}

#[tokio::test]
async fn hidden_rows_do_not_come_out_and_other_files_stay_on_the_fast_path() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let hidden = rows_named(&[&span(42, 25, 0, 4), &span(42, 26, 0, 4)]);
    let engine = engine(&place.store, &snapshot, &hidden);
    assert_eq!(number(&engine, "select count(*) from t").await, 998);
    assert_eq!(
        number(
            &engine,
            "select count(*) from t where trace_id = '0000002a070707070707070707070707'"
        )
        .await,
        8
    );
    assert_eq!(
        number(&engine, "select count(*) from t where name = 'span 42/25'").await,
        0
    );
    assert_eq!(
        number(
            &engine,
            "select count(*) from t where ts < timestamp '2026-01-02T12:04:00Z'"
        )
        .await,
        400
    );
    let plan = plan(&engine, "select name from t").await;
    let (hiding, fast): (Vec<_>, Vec<_>) = plan
        .split("DataSourceExec")
        .skip(1)
        .partition(|source| source.contains("ingest_seq"));
    assert_eq!(
        hiding.iter().map(|source| files_in(source)).sum::<usize>(),
        1,
        "{plan}"
    );
    assert_eq!(
        fast.iter().map(|source| files_in(source)).sum::<usize>(),
        9,
        "{plan}"
    );
    assert!(!plan_of_other(&engine).await.contains("HideExec"));
}

async fn plan_of_other(engine: &datafusion::prelude::SessionContext) -> String {
    plan(engine, "select name from t where ingest_seq = 7").await
}

#[tokio::test]
async fn filters_go_through_hiding_to_the_file() {
    let place = Place::new();
    let (_, snapshot) = ten_files(&place).await;
    let hidden = rows_named(&[&span(42, 25, 0, 4)]);
    let engine = engine(&place.store, &snapshot, &hidden);
    let plan = plan(
        &engine,
        "select name from t where trace_id = '0000002a070707070707070707070707'",
    )
    .await;
    assert!(
        plan.contains("HideExec") && plan.contains("predicate=trace_id@"),
        "{plan}"
    );
}

#[tokio::test]
async fn a_row_that_is_hidden_is_hidden_before_and_gone_after_the_commit() {
    let place = Place::new();
    let table = place.spans().await;
    let old = span(1, 1, 0, 1);
    let better = SpanRow {
        name: "better".into(),
        ingest_seq: 2,
        ..old.clone()
    };
    let dead = rows_named(&[&old]);
    let before = table
        .commit(put(&[old, span(1, 2, 0, 1)], 1))
        .await
        .unwrap();
    assert_eq!(
        texts(&engine(&place.store, &before, &dead), "select name from t").await,
        ["span 1/2"]
    );
    let commit = Commit {
        dead: Arc::clone(&dead),
        ..put(&[better], 2)
    };
    let after = table.commit(commit).await.unwrap();
    for hidden in [dead, Arc::default()] {
        let engine = engine(&place.store, &after, &hidden);
        assert_eq!(
            texts(&engine, "select name from t order by name").await,
            ["better", "span 1/2"]
        );
    }
}

#[tokio::test]
async fn an_old_snapshot_stays_as_it_was() {
    let place = Place::new();
    let (table, old) = ten_files(&place).await;
    let dead = rows_named(&[&span(42, 25, 0, 4)]);
    table
        .commit(Commit {
            dead,
            ..put(&[span(1_000, 1, 0, 11)], 11)
        })
        .await
        .unwrap();
    assert_eq!(count(&place.store, &old).await, 1_000);
    let engine = engine(&place.store, &old, &Arc::default());
    assert_eq!(
        number(&engine, "select count(*) from t where name = 'span 42/25'").await,
        1
    );
    assert_eq!(
        number(&engine, "select count(*) from t where name = 'span 1000/1'").await,
        0
    );
}
