//! Compaction changes no answer, and a vacuum removes only what nobody needs.

use std::sync::Arc;
use std::time::Duration;

use crate::model::{ContentRow, Day, Hex, Micros, SpanRow, Table};
use crate::table::{Commit, DeltaTable, Error, Vacuumed};

use super::support::*;

const DAYS: Duration = Duration::from_secs(86_400);

/// Commits files of interleaved traces, out of order, for two tenants; returns how many rows there are.
async fn many_files(table: &DeltaTable, files: u32, rows: u32) -> u64 {
    for file in 0..files {
        let rows: Vec<_> = (0..rows)
            .map(|row| SpanRow {
                tenant: if row % 7 == 0 {
                    "zeta".into()
                } else {
                    "acme".into()
                },
                ..span(
                    row % 10 + file / 2 * 10,
                    file * rows + row,
                    i64::from((row * 37 + file * 11) % 600),
                    file.into(),
                )
            })
            .collect();
        table.commit(put(&rows, file.into())).await.unwrap();
    }
    u64::from(files * rows)
}

#[tokio::test]
async fn merging_changes_no_answer() {
    let place = Place::new();
    let table = place.spans().await;
    let rows = many_files(&table, 5, 200).await;
    let before = table.snapshot();
    let expected = contents(&place.store, &before).await;
    assert_eq!(
        table.compact(DAY).await.unwrap().files_before,
        0,
        "the day is not over"
    );
    let done = table.compact(DAY + 1).await.unwrap();
    assert_eq!(
        (done.files_before, done.files_after, done.rows),
        (5, 1, rows)
    );
    let after = table.snapshot();
    assert_eq!(
        (after.files().len(), after.flushed_sequence()),
        (1, before.flushed_sequence())
    );
    assert_eq!(contents(&place.store, &after).await, expected);
    assert_eq!(
        contents(&place.store, &place.spans().await.snapshot()).await,
        expected
    );
    assert_eq!(
        contents(&place.store, &before).await,
        expected,
        "who reads the old version still can"
    );
    assert_eq!(
        table.compact(DAY + 1).await.unwrap().files_before,
        0,
        "there is nothing left to do"
    );
}

#[tokio::test]
async fn of_today_sixteen_files_become_one() {
    let place = Place::new();
    let table = place.spans().await;
    many_files(&table, 15, 3).await;
    assert_eq!(table.compact(DAY).await.unwrap().files_before, 0);
    table.commit(put(&[span(999, 1, 0, 99)], 99)).await.unwrap();
    let done = table.compact(DAY).await.unwrap();
    assert_eq!(
        (done.files_before, done.files_after, done.rows),
        (16, 1, 46)
    );
}

#[tokio::test]
async fn days_are_merged_apart() {
    let place = Place::new();
    let table = place.spans().await;
    for sequence in 0..6_u32 {
        let row = SpanRow {
            received_date: Day(DAY + sequence.cast_signed() % 2),
            ..span(sequence, 1, 0, sequence.into())
        };
        table.commit(put(&[row], sequence.into())).await.unwrap();
    }
    table.compact(DAY + 2).await.unwrap();
    let days: Vec<_> = table
        .snapshot()
        .files()
        .iter()
        .map(|file| (file.day(), file.rows()))
        .collect();
    assert_eq!(days, [(DAY, 3), (DAY + 1, 3)]);
}

#[tokio::test]
async fn a_trace_stands_together_after_merging_and_traces_in_the_order_of_their_start() {
    let place = Place::new();
    let table = place.spans().await;
    many_files(&table, 4, 100).await;
    table.compact(DAY + 1).await.unwrap();
    let engine = engine(&place.store, &table.snapshot(), &Arc::default());
    let stored = texts(&engine, "select tenant || trace_id from t").await;
    let mut pieces = stored.clone();
    pieces.dedup();
    let mut distinct = stored;
    distinct.sort();
    distinct.dedup();
    assert_eq!(pieces.len(), distinct.len());
}

#[tokio::test]
async fn a_merge_of_more_than_a_row_group_is_cut_into_slices_of_time() {
    let place = Place::new();
    let table = place.table(Table::SpanContent).await;
    let body = "x".repeat(20 << 10);
    for file in 0..2_u32 {
        let rows: Vec<_> = (0..2_500_u32)
            .map(|row| ContentRow {
                tenant: "acme".into(),
                trace_id: Hex([u8::try_from(row % 200).unwrap(); 16]),
                span_id: Hex([file.to_be_bytes()[3]; 8]),
                ts: Micros(NOON + i64::from(row * 7919 % 2_500)),
                seq: row.cast_signed(),
                body: format!("{row} {body}"),
                received_date: Day(DAY),
                ingest_seq: file.into(),
                ..ContentRow::default()
            })
            .collect();
        let rows = vec![batch(Table::SpanContent, &rows)];
        table
            .commit(Commit {
                rows,
                dead: Arc::default(),
                sequence: file.into(),
            })
            .await
            .unwrap();
    }
    let done = table.compact(DAY + 1).await.unwrap();
    assert_eq!((done.files_after, done.rows), (1, 5_000));
    let snapshot = table.snapshot();
    let slices: Vec<_> = snapshot.files()[0]
        .groups()
        .iter()
        .map(|group| group.times.clone())
        .collect();
    assert!(slices.len() >= 2, "100 MB are more than a slice");
    assert!(
        slices.is_sorted_by(|a, b| a.end() < b.start()),
        "{slices:?}"
    );
    let engine = engine(&place.store, &snapshot, &Arc::default());
    assert_eq!(
        number(&engine, "select count(distinct seq) from t").await,
        2_500
    );
}

#[tokio::test]
async fn a_dead_row_is_taken_out_of_a_merged_file_and_looked_up_in_it() {
    let place = Place::new();
    let table = place.spans().await;
    let old = span(77, 1, 3, 50);
    many_files(&table, 3, 20).await;
    table
        .commit(put(std::slice::from_ref(&old), 50))
        .await
        .unwrap();
    table.compact(DAY + 1).await.unwrap();
    let commit = Commit {
        dead: rows_named(&[&old]),
        ..put(
            &[SpanRow {
                ingest_seq: 51,
                ..old.clone()
            }],
            51,
        )
    };
    let snapshot = table.commit(commit).await.unwrap();
    let engine = engine(&place.store, &snapshot, &Arc::default());
    assert_eq!(
        number(
            &engine,
            "select sum(ingest_seq) from t where name = 'span 77/1'"
        )
        .await,
        51
    );
    assert_eq!(snapshot.rows(), 61);
}

#[tokio::test]
async fn a_merge_whose_files_have_changed_meanwhile_is_given_up() {
    let place = Place::new();
    let table = place.spans().await;
    let old = span(1, 1, 0, 1);
    table
        .commit(put(&[old.clone(), span(1, 2, 0, 1)], 1))
        .await
        .unwrap();
    table.commit(put(&[span(2, 1, 0, 2)], 2)).await.unwrap();
    // Another handle does not know yet that a dead row was taken out of one of the files.
    let other = place.spans().await;
    table
        .commit(Commit {
            rows: vec![],
            dead: rows_named(&[&old]),
            sequence: 3,
        })
        .await
        .unwrap();
    let error = other.compact(DAY + 1).await.unwrap_err();
    assert!(matches!(error, Error::Conflict { .. }), "{error:?}");
    assert_eq!(other.snapshot().rows(), 2, "it has looked again");
    assert_eq!(other.compact(DAY + 1).await.unwrap().rows, 2);
}

#[tokio::test]
async fn a_merge_that_nobody_waits_for_any_more_ends_and_changes_nothing() {
    let place = Place::new();
    let table = place.spans().await;
    let rows = many_files(&table, 3, 200).await;
    let version = table.snapshot().version();
    for _ in 0..3 {
        let merge = table.compact(DAY + 1);
        let gave_up = tokio::time::timeout(Duration::from_millis(1), merge).await;
        assert!(gave_up.is_err());
    }
    let snapshot = table.commit(put(&[span(9_999, 1, 0, 9)], 9)).await.unwrap();
    assert_eq!(
        (snapshot.rows(), snapshot.version()),
        (rows + 1, version + 1)
    );
    assert_eq!(table.compact(DAY + 1).await.unwrap().rows, rows + 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn commits_and_merges_at_the_same_time_lose_nothing() {
    let place = Place::new();
    let table = place.spans().await;
    let committing = async {
        for sequence in 0..40_u32 {
            table
                .commit(put(
                    &[span(sequence, 1, 0, sequence.into())],
                    sequence.into(),
                ))
                .await
                .unwrap();
        }
    };
    let merging = async {
        let mut merges = 0;
        while table.snapshot().rows() < 40 {
            merges += usize::from(table.compact(DAY).await.unwrap().files_after > 0);
            tokio::task::yield_now().await;
        }
        merges
    };
    let ((), merges) = tokio::join!(committing, merging);
    assert!(merges > 0);
    let snapshot = place.spans().await.snapshot();
    let engine = engine(&place.store, &snapshot, &Arc::default());
    assert_eq!(
        number(&engine, "select count(distinct trace_id) from t").await,
        40
    );
    assert_eq!(snapshot.rows(), 40);
}

#[tokio::test]
async fn a_day_that_expires_is_out_of_the_table_and_its_neighbour_is_not() {
    let place = Place::new();
    let table = place.spans().await;
    for day in 0..3_u32 {
        let row = SpanRow {
            received_date: Day(DAY + day.cast_signed()),
            ..span(day, 1, 0, day.into())
        };
        table.commit(put(&[row], day.into())).await.unwrap();
    }
    let expired = table.expire(DAY + 2).await.unwrap();
    assert_eq!((expired.files, expired.rows), (2, 2));
    assert_eq!(table.expire(DAY + 2).await.unwrap().files, 0);
    let snapshot = place.spans().await.snapshot();
    assert_eq!(
        snapshot
            .files()
            .iter()
            .map(|file| file.day())
            .collect::<Vec<_>>(),
        [DAY + 2]
    );
    assert_eq!(snapshot.flushed_sequence(), Some(2));
}

#[tokio::test]
async fn a_vacuum_deletes_what_nobody_needs_and_only_that() {
    let place = Place::new();
    let table = place.spans().await;
    many_files(&table, 3, 10).await;
    let expected = contents(&place.store, &table.snapshot()).await;
    table.compact(DAY + 1).await.unwrap();
    std::fs::write(
        place
            .directory
            .path()
            .join("tables/spans/received_date=2026-01-02/orphan.parquet"),
        "x",
    )
    .unwrap();
    assert_eq!(place.parquet_files(Table::Spans).len(), 5);
    place.clock.advance(DAYS);
    assert_eq!(
        table.vacuum(2 * DAYS).await.unwrap(),
        Vacuumed::default(),
        "nothing is old enough"
    );
    assert_eq!(table.vacuum(DAYS / 2).await.unwrap().files.len(), 4);
    assert_eq!(place.parquet_files(Table::Spans).len(), 1);
    let again = place.spans().await.snapshot();
    assert_eq!(contents(&place.store, &again).await, expected);
}

#[tokio::test]
async fn a_vacuum_leaves_files_that_a_snapshot_holds() {
    let place = Place::new();
    let table = place.spans().await;
    many_files(&table, 3, 10).await;
    let held = table.snapshot();
    table.compact(DAY + 1).await.unwrap();
    place.clock.advance(DAYS);
    assert_eq!(
        table.vacuum(Duration::ZERO).await.unwrap(),
        Vacuumed::default()
    );
    assert_eq!(count(&place.store, &held).await, 30);
    drop(held);
    assert_eq!(table.vacuum(Duration::ZERO).await.unwrap().files.len(), 3);
}
