//! A commit happens once and as a whole, whoever races and whatever fails.

use std::sync::Arc;

use arrow::array::AsArray;
use parquet::arrow::ArrowWriter;

use crate::model::{Day, SpanRow, Table};
use crate::table::file::{Claims, File};
use crate::table::log::{Change, Listed, Log};
use crate::table::write::file_schema;
use crate::table::{Commit, DeltaTable, Error};

use super::support::*;

#[tokio::test]
async fn a_new_table_is_empty_and_says_so() {
    let place = Place::new();
    let snapshot = place.spans().await.snapshot();
    assert_eq!(
        (
            snapshot.version(),
            snapshot.flushed_sequence(),
            snapshot.rows()
        ),
        (0, None, 0)
    );
    assert_eq!(count(&place.store, &snapshot).await, 0);
}

#[tokio::test]
async fn every_table_can_be_made_and_opened_again() {
    let place = Place::new();
    for table in Table::ALL {
        place.table(table).await;
        assert_eq!(
            place.table(table).await.snapshot().version(),
            0,
            "{}",
            table.name()
        );
    }
}

#[tokio::test]
async fn what_is_committed_is_there_also_after_opening_again() {
    let place = Place::new();
    let table = place.spans().await;
    let rows = [span(1, 1, 0, 5), span(1, 2, 1, 5), span(2, 1, 2, 6)];
    let snapshot = table.commit(put(&rows, 6)).await.unwrap();
    assert_eq!(
        (
            snapshot.version(),
            snapshot.flushed_sequence(),
            snapshot.rows()
        ),
        (1, Some(6), 3)
    );
    let again = place.spans().await.snapshot();
    assert_eq!(
        (again.version(), again.flushed_sequence(), again.rows()),
        (1, Some(6), 3)
    );
    assert_eq!(
        contents(&place.store, &again).await,
        contents(&place.store, &snapshot).await
    );
    let engine = engine(&place.store, &again, &Arc::default());
    let names = texts(&engine, "select name from t order by ts").await;
    assert_eq!(names, ["span 1/1", "span 1/2", "span 2/1"]);
}

#[tokio::test]
async fn a_commit_that_is_repeated_changes_nothing() {
    let place = Place::new();
    let table = place.spans().await;
    let first = table.commit(put(&[span(1, 1, 0, 5)], 5)).await.unwrap();
    for sequence in [4, 5] {
        let again = table
            .commit(put(&[span(1, 1, 0, 5)], sequence))
            .await
            .unwrap();
        assert_eq!(again.version(), first.version());
    }
    let elsewhere = place
        .spans()
        .await
        .commit(put(&[span(1, 1, 0, 5)], 5))
        .await
        .unwrap();
    assert_eq!((elsewhere.version(), elsewhere.rows()), (1, 1));
    let next = table.commit(put(&[span(1, 2, 0, 6)], 6)).await.unwrap();
    assert_eq!((next.version(), next.rows()), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_handles_that_commit_the_same_one_does() {
    let place = Place::new();
    let (a, b) = (place.spans().await, place.spans().await);
    for sequence in 1..=8_u32 {
        let rows = [span(sequence, 1, 0, sequence.into())];
        let (a, b) = tokio::join!(
            a.commit(put(&rows, sequence.into())),
            b.commit(put(&rows, sequence.into()))
        );
        assert_eq!(a.unwrap().rows(), u64::from(sequence));
        assert_eq!(b.unwrap().rows(), u64::from(sequence));
    }
    let snapshot = place.spans().await.snapshot();
    assert_eq!((snapshot.rows(), snapshot.version()), (8, 8));
}

#[tokio::test]
async fn another_nodes_commits_stand_beside_ours() {
    let place = Place::new();
    let ours = place.spans().await;
    let theirs = DeltaTable::open(&place.store, Table::Spans, "other", &place.clock)
        .await
        .unwrap();
    ours.commit(put(&[span(1, 1, 0, 9)], 9)).await.unwrap();
    // Theirs does not know of version 1 yet.
    let snapshot = theirs.commit(put(&[span(2, 1, 0, 1)], 1)).await.unwrap();
    assert_eq!((snapshot.rows(), snapshot.flushed_sequence()), (2, Some(1)));
    let snapshot = ours.refresh().await.unwrap();
    assert_eq!((snapshot.rows(), snapshot.flushed_sequence()), (2, Some(9)));
}

#[tokio::test]
async fn a_commit_that_fails_is_invisible_and_can_be_repeated() {
    let place = Place::new();
    let (faulty, store) = Faulty::over(&place.store);
    let table = DeltaTable::open(&store, Table::Spans, "node", &place.clock)
        .await
        .unwrap();
    for (sequence, fault, seen_at_once) in [(1, Fault::Refused, 0), (2, Fault::AnswerLost, 1)] {
        let commit = put(&[span(sequence, 1, 0, sequence.into())], sequence.into());
        *faulty.fault.lock() = Some(fault);
        let error = table.commit(commit.clone()).await.unwrap_err();
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        let other = place.spans().await.snapshot();
        assert_eq!(
            other.rows(),
            u64::from(sequence - 1 + seen_at_once),
            "{fault:?}"
        );
        *faulty.fault.lock() = None;
        let snapshot = table.commit(commit).await.unwrap();
        assert_eq!(snapshot.rows(), u64::from(sequence), "{fault:?}");
        assert_eq!(snapshot.flushed_sequence(), Some(sequence.into()));
    }
    let written = place.parquet_files(Table::Spans).len();
    assert!(
        written > table.snapshot().files().len(),
        "the failed attempt left an orphan"
    );
}

#[tokio::test]
async fn a_better_version_takes_the_place_of_the_old_one_in_one_step() {
    let place = Place::new();
    let table = place.spans().await;
    let old = span(1, 1, 0, 1);
    table
        .commit(put(&[old.clone(), span(1, 2, 1, 1), span(2, 1, 2, 1)], 1))
        .await
        .unwrap();
    let untouched = table
        .commit(put(&[span(3, 1, 3, 2)], 2))
        .await
        .unwrap()
        .files()
        .to_vec();
    let better = SpanRow {
        name: "better".to_owned(),
        ingest_seq: 3,
        ..old.clone()
    };
    let commit = Commit {
        dead: rows_named(&[&old]),
        ..put(&[better], 3)
    };
    let snapshot = table.commit(commit.clone()).await.unwrap();
    assert_eq!((snapshot.version(), snapshot.rows()), (3, 4));
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let names = texts(&engine, "select name from t order by ts").await;
    assert_eq!(names, ["better", "span 1/2", "span 2/1", "span 3/1"]);
    let kept = snapshot
        .files()
        .iter()
        .filter(|file| untouched.iter().any(|known| known.path() == file.path()));
    assert_eq!(
        kept.count(),
        1,
        "only the file with the dead row is written again"
    );
    assert_eq!(table.commit(commit).await.unwrap().version(), 3);
    assert_eq!(place.spans().await.snapshot().rows(), 4);
}

#[tokio::test]
async fn a_file_whose_rows_are_all_dead_goes() {
    let place = Place::new();
    let table = place.spans().await;
    let old = span(1, 1, 0, 1);
    table
        .commit(put(std::slice::from_ref(&old), 1))
        .await
        .unwrap();
    let dead = rows_named(&[&old]);
    let snapshot = table
        .commit(Commit {
            rows: vec![],
            dead,
            sequence: 2,
        })
        .await
        .unwrap();
    assert_eq!(
        (snapshot.files().len(), snapshot.flushed_sequence()),
        (0, Some(2))
    );
}

#[tokio::test]
async fn dead_rows_are_told_by_key_and_sequence_number() {
    let place = Place::new();
    let table = place.spans().await;
    table
        .commit(put(&[span(1, 1, 0, 1), span(2, 2, 0, 2)], 2))
        .await
        .unwrap();
    let before = table.snapshot().files().to_vec();
    // The right key with another's sequence number, and a key that is nowhere.
    let dead = rows_named(&[&span(1, 1, 0, 2), &span(9, 9, 0, 1)]);
    let snapshot = table
        .commit(Commit {
            rows: vec![],
            dead,
            sequence: 3,
        })
        .await
        .unwrap();
    assert_eq!(snapshot.rows(), 2);
    assert_eq!(
        snapshot.files()[0].path(),
        before[0].path(),
        "nothing had to be written again"
    );
}

#[tokio::test]
async fn rows_lie_in_the_file_of_their_day_in_the_order_of_tenant_and_time() {
    let place = Place::new();
    let table = place.spans().await;
    let next_day = |row: SpanRow| SpanRow {
        received_date: Day(DAY + 1),
        ..row
    };
    let other = |row: SpanRow| SpanRow {
        tenant: "zeta".into(),
        ..row
    };
    let rows = [
        next_day(span(4, 1, 0, 1)),
        other(span(1, 1, 0, 1)),
        span(2, 1, 9, 1),
        span(3, 1, 5, 1),
    ];
    let batches = rows
        .iter()
        .map(|row| spans(std::slice::from_ref(row)))
        .collect();
    let snapshot = table
        .commit(Commit {
            rows: batches,
            dead: Arc::default(),
            sequence: 1,
        })
        .await
        .unwrap();
    let days: Vec<_> = snapshot
        .files()
        .iter()
        .map(|file| (file.day(), file.rows()))
        .collect();
    assert_eq!(
        days.iter().filter(|day| **day == (DAY, 3)).count(),
        1,
        "{days:?}"
    );
    assert_eq!(
        days.iter().filter(|day| **day == (DAY + 1, 1)).count(),
        1,
        "{days:?}"
    );
    assert!(place.parquet_files(Table::Spans)[0].starts_with("received_date=2026-01-02/"));
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let sql = "select name from t where received_date = date '2026-01-02'";
    assert_eq!(
        texts(&engine, sql).await,
        ["span 3/1", "span 2/1", "span 1/1"]
    );
    let days = ask(
        &engine,
        "select received_date from t where trace_id like '00000004%'",
    )
    .await;
    assert_eq!(
        days[0]
            .column(0)
            .as_primitive::<arrow::datatypes::Date32Type>()
            .value(0),
        DAY + 1
    );
}

#[tokio::test]
async fn a_checkpoint_is_written_after_fifty_commits_and_read_again() {
    let place = Place::new();
    let table = place.spans().await;
    let checkpoint = place
        .directory
        .path()
        .join("tables/spans/_delta_log/_last_checkpoint");
    for sequence in 1..=52_u32 {
        assert_eq!(checkpoint.exists(), sequence > 50);
        table
            .commit(put(
                &[span(sequence, 1, 0, sequence.into())],
                sequence.into(),
            ))
            .await
            .unwrap();
    }
    // What a reader needs that starts from the checkpoint.
    for version in 0..50 {
        let entry = format!("tables/spans/_delta_log/{version:020}.json");
        std::fs::remove_file(place.directory.path().join(entry)).unwrap();
    }
    let again = place.spans().await.snapshot();
    assert_eq!(
        (again.version(), again.rows(), again.flushed_sequence()),
        (52, 52, Some(52))
    );
}

#[tokio::test]
async fn a_table_of_an_older_version_gets_the_new_columns_and_its_rows_have_none() {
    let place = Place::new();
    let log = Log::new(&place.store, Table::Spans, "node", &place.clock).unwrap();
    log.open().await.unwrap();
    let entry = place
        .directory
        .path()
        .join("tables/spans/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&entry).unwrap();
    let field = r#"{\"name\":\"variant\",\"type\":\"string\",\"nullable\":true,\"metadata\":{}},"#;
    assert!(text.contains(field), "{text}");
    std::fs::write(&entry, text.replace(field, "")).unwrap();
    let mut old = spans(&[SpanRow {
        variant: Some("not stored".into()),
        ..span(1, 1, 0, 1)
    }]);
    for name in ["variant", "received_date"] {
        old.remove_column(old.schema().index_of(name).unwrap());
    }
    let folder = place
        .directory
        .path()
        .join("tables/spans/received_date=2026-01-02");
    std::fs::create_dir_all(&folder).unwrap();
    let target = std::fs::File::create(folder.join("old.parquet")).unwrap();
    let mut writer = ArrowWriter::try_new(target, old.schema(), None).unwrap();
    writer.write(&old).unwrap();
    writer.close().unwrap();
    let size = std::fs::metadata(folder.join("old.parquet")).unwrap().len();
    let path = "received_date=2026-01-02/old.parquet".into();
    let listed = Listed {
        path,
        size,
        day: DAY,
        modified_ms: 0,
    };
    let claim = Claims::default().claim(&listed.path);
    let file = File::open(place.store.objects(), Table::Spans, listed, claim)
        .await
        .unwrap();
    assert!(
        file.maybe_contains("anything"),
        "a file without a filter may hold anything"
    );
    let change = Change {
        added: &[file],
        sequence: Some(1),
        ..Change::default()
    };
    log.append(1, &change).await.unwrap();

    let table = place.spans().await;
    assert_eq!(table.snapshot().version(), 2, "one commit adds the column");
    let new = SpanRow {
        variant: Some("stored".into()),
        ..span(2, 1, 1, 2)
    };
    let snapshot = table.commit(put(&[new], 2)).await.unwrap();
    let engine = engine(&place.store, &snapshot, &Arc::default());
    let sql = "select coalesce(variant, 'none') from t order by ts";
    assert_eq!(texts(&engine, sql).await, ["none", "stored"]);
    assert_eq!(
        texts(&engine, "select name from t where variant is null").await,
        ["span 1/1"]
    );
    assert_eq!(
        place.spans().await.snapshot().version(),
        3,
        "opening again adds nothing"
    );
    // The old file is written again with all columns.
    let dead = rows_named(&[&span(9, 9, 0, 1), &span(1, 1, 0, 1)]);
    let snapshot = table
        .commit(Commit {
            rows: vec![],
            dead,
            sequence: 3,
        })
        .await
        .unwrap();
    assert_eq!(snapshot.rows(), 1);
}

#[tokio::test]
async fn a_table_that_we_cannot_use_is_refused_with_the_reason() {
    for (from, to, reason) in [
        (
            r#"\"name\":\"top_k\",\"type\":\"integer\""#,
            r#"\"name\":\"top_k\",\"type\":\"string\""#,
            "top_k",
        ),
        (r#""minWriterVersion":2"#, r#""minWriterVersion":5"#, ""),
        (
            r#"\"name\":\"span_id\""#,
            r#"\"name\":\"span_key\""#,
            "span_id",
        ),
    ] {
        let place = Place::new();
        place.spans().await;
        let entry = place
            .directory
            .path()
            .join("tables/spans/_delta_log/00000000000000000000.json");
        let text = std::fs::read_to_string(&entry).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&entry, text.replace(from, to)).unwrap();
        let error = DeltaTable::open(&place.store, Table::Spans, "node", &place.clock)
            .await
            .unwrap_err();
        assert!(
            matches!(&error, Error::Unsupported { reason: said, .. } if said.contains(reason)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn a_log_that_is_torn_is_damage() {
    let place = Place::new();
    place.spans().await;
    let entry = place
        .directory
        .path()
        .join("tables/spans/_delta_log/00000000000000000000.json");
    let text = std::fs::read_to_string(&entry).unwrap();
    std::fs::write(&entry, &text[..text.len() / 2]).unwrap();
    let error = DeltaTable::open(&place.store, Table::Spans, "node", &place.clock)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error:?}");
}

#[tokio::test]
async fn the_log_tells_other_readers_rows_and_bounds() {
    let place = Place::new();
    let table = place.spans().await;
    let rows = [
        SpanRow {
            ts: crate::model::Micros(NOON + 1),
            ..span(1, 1, 0, 3)
        },
        span(2, 1, 60, 4),
    ];
    table.commit(put(&rows, 4)).await.unwrap();
    let entry = place
        .directory
        .path()
        .join("tables/spans/_delta_log/00000000000000000001.json");
    let text = std::fs::read_to_string(entry).unwrap();
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let add = lines.iter().find_map(|line| line.get("add")).unwrap();
    assert_eq!(add["partitionValues"]["received_date"], "2026-01-02");
    assert_eq!(add["dataChange"], true);
    let stats: serde_json::Value = serde_json::from_str(add["stats"].as_str().unwrap()).unwrap();
    assert_eq!(stats["numRecords"], 2);
    assert_eq!(stats["minValues"]["ts"], "2026-01-02T12:00:00.000Z");
    assert_eq!(stats["maxValues"]["ts"], "2026-01-02T12:01:00.000Z");
    assert_eq!(stats["minValues"]["ingest_seq"], 3);
    assert_eq!(stats["maxValues"]["ingest_seq"], 4);
    assert_eq!(stats["minValues"]["service_name"], "agent");
    assert_eq!(stats["nullCount"]["tenant"], 0);
    let txn = lines.iter().find_map(|line| line.get("txn")).unwrap();
    assert_eq!(
        (&txn["appId"], &txn["version"]),
        (&"node".into(), &4.into())
    );
}

#[test]
fn files_hold_all_columns_but_the_partitions() {
    for table in Table::ALL {
        let (stored, all) = (file_schema(table), table.schema());
        assert_eq!(stored.fields().len() + 1, all.fields().len());
        assert!(stored.index_of("received_date").is_err());
    }
}
