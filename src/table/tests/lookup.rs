//! Rows are found again in files, with the version and the sequence number they were stored with.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int16Array, Int32Array,
    Int64Array, ListBuilder, RecordBatch, StringArray, StringBuilder, TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field};

use crate::model::{Micros, SpanRow, Table, keys, versions};
use crate::table::{Commit, Rows, Snapshot, Sought};

use super::support::*;

/// Three rows of a table: every column set, every column null that may be, and every column set otherwise.
fn full_rows(table: Table) -> RecordBatch {
    let columns = table
        .schema()
        .fields()
        .iter()
        .map(|field| full_column(field))
        .collect();
    RecordBatch::try_new(table.schema(), columns).unwrap()
}

fn full_column(field: &Field) -> ArrayRef {
    let middle = !field.is_nullable();
    match field.data_type() {
        DataType::Utf8 => {
            let digits = if field.name().ends_with("span_id") {
                16
            } else {
                32
            };
            let text = |row: u8| {
                let hex = field.name().ends_with("_id") || field.name().ends_with("_hash");
                if hex {
                    format!("{row:x}").repeat(digits)
                } else {
                    format!("{} {row} ü\u{0}", field.name())
                }
            };
            Arc::new(StringArray::from_iter([
                Some(text(1)),
                middle.then(|| text(2)),
                Some(text(3)),
            ]))
        }
        DataType::List(element) => {
            let mut builder =
                ListBuilder::new(StringBuilder::new()).with_field(Arc::clone(element));
            builder.append_value([Some("a"), Some("")]);
            builder.append_null();
            builder.append_value([Some("c")]);
            Arc::new(builder.finish())
        }
        DataType::Boolean => Arc::new(BooleanArray::from(vec![
            Some(true),
            middle.then_some(true),
            Some(false),
        ])),
        DataType::Int16 => Arc::new(Int16Array::from(vec![
            Some(-1),
            middle.then_some(0),
            Some(i16::MAX),
        ])),
        DataType::Int32 => Arc::new(Int32Array::from(vec![
            Some(-1),
            middle.then_some(0),
            Some(i32::MAX),
        ])),
        DataType::Int64 => Arc::new(Int64Array::from(vec![
            Some(-1),
            middle.then_some(0),
            Some(i64::MAX / 2),
        ])),
        DataType::Float64 => Arc::new(Float64Array::from(vec![
            Some(-0.0),
            middle.then_some(0.1),
            Some(f64::NAN),
        ])),
        DataType::Date32 => Arc::new(Date32Array::from(vec![
            Some(DAY),
            middle.then_some(DAY),
            Some(DAY),
        ])),
        DataType::Decimal128(precision, scale) => Arc::new(
            Decimal128Array::from(vec![
                Some(-1),
                middle.then_some(0),
                Some(10_i128.pow(24) - 1),
            ])
            .with_precision_and_scale(*precision, *scale)
            .unwrap(),
        ),
        DataType::Timestamp(_, zone) => Arc::new(
            TimestampMicrosecondArray::from(vec![
                Some(NOON + 1),
                middle.then_some(NOON),
                Some(NOON + 999_999),
            ])
            .with_timezone_opt(zone.clone()),
        ),
        other => panic!("no table has a column of type {other}"),
    }
}

fn sought<'a>(table: Table, rows: &RecordBatch, values: &'a StringArray) -> Vec<Sought<'a>> {
    let keys = keys(table, rows).into_iter().enumerate();
    keys.map(|(row, key)| Sought {
        key,
        value: values.value(row),
        time: None,
    })
    .collect()
}

#[tokio::test]
async fn a_version_is_the_same_before_and_after_it_was_stored_in_every_table() {
    for table in Table::ALL {
        let place = Place::new();
        let handle = place.table(table).await;
        let rows = full_rows(table);
        let commit = Commit {
            rows: vec![rows.clone()],
            dead: Arc::default(),
            sequence: 1,
        };
        let flushed = handle.commit(commit).await.unwrap();
        let values = rows[table.lookup_column()].clone();
        let values: &StringArray = values.as_any().downcast_ref().unwrap();
        let sought = sought(table, &rows, values);
        let expected = versions(table, &rows);
        let sequences: &Int64Array = rows["ingest_seq"].as_any().downcast_ref().unwrap();
        for snapshot in [flushed, place.table(table).await.snapshot()] {
            let found = snapshot.lookup(&sought).await.unwrap();
            for (row, sought) in sought.iter().enumerate() {
                let known = [(expected[row], sequences.value(row))];
                assert_eq!(found[&sought.key], known, "row {row} of {}", table.name());
            }
        }
    }
}

async fn found(snapshot: &Snapshot, rows: &[SpanRow], with_time: bool) -> Vec<i64> {
    let values: Vec<_> = rows.iter().map(|row| row.trace_id.to_string()).collect();
    let sought: Vec<_> = rows
        .iter()
        .zip(&values)
        .map(|(row, value)| Sought {
            key: key(row),
            value,
            time: with_time.then_some(row.ts),
        })
        .collect();
    let found = snapshot.lookup(&sought).await.unwrap();
    let mut sequences: Vec<_> = found
        .into_values()
        .flatten()
        .map(|(_, sequence)| sequence)
        .collect();
    sequences.sort_unstable();
    sequences
}

#[tokio::test]
async fn rows_are_found_wherever_they_are_and_others_are_not() {
    let place = Place::new();
    let table = place.spans().await;
    for sequence in 1..=5_u32 {
        let rows = [
            span(sequence, 1, i64::from(sequence), sequence.into()),
            span(sequence, 2, 9, sequence.into()),
        ];
        table.commit(put(&rows, sequence.into())).await.unwrap();
    }
    let snapshot = table.snapshot();
    for with_time in [false, true] {
        let known = [span(2, 2, 9, 0), span(4, 1, 4, 0), span(5, 1, 5, 0)];
        assert_eq!(found(&snapshot, &known, with_time).await, [2, 4, 5]);
        // Another span of a trace that is there, another tenant's, and a trace that is nowhere.
        let strangers = [
            span(2, 3, 9, 0),
            SpanRow {
                tenant: "zeta".into(),
                ..span(2, 2, 9, 0)
            },
            span(9, 1, 0, 0),
        ];
        assert_eq!(
            found(&snapshot, &strangers, with_time).await,
            Vec::<i64>::new()
        );
    }
    assert_eq!(found(&snapshot, &[], true).await, Vec::<i64>::new());
}

#[tokio::test]
async fn a_row_whose_time_was_corrected_is_found_five_minutes_around() {
    let place = Place::new();
    let table = place.spans().await;
    let snapshot = table.commit(put(&[span(1, 1, 0, 7)], 7)).await.unwrap();
    let at = |micros: i64| {
        [SpanRow {
            ts: Micros(NOON + micros),
            ..span(1, 1, 0, 0)
        }]
    };
    let slack = 300_000_000;
    for (micros, sequences) in [
        (slack, vec![7]),
        (-slack, vec![7]),
        (slack + 1, vec![]),
        (-slack - 1, vec![]),
    ] {
        assert_eq!(
            found(&snapshot, &at(micros), true).await,
            sequences,
            "{micros}"
        );
        assert_eq!(found(&snapshot, &at(micros), false).await, [7]);
    }
}

#[tokio::test]
async fn a_row_that_is_there_twice_is_found_twice() {
    let place = Place::new();
    let table = place.spans().await;
    table.commit(put(&[span(1, 1, 0, 1)], 1)).await.unwrap();
    let snapshot = table.commit(put(&[span(1, 1, 0, 2)], 2)).await.unwrap();
    assert_eq!(found(&snapshot, &[span(1, 1, 0, 0)], true).await, [1, 2]);
}

#[tokio::test]
async fn what_is_not_there_costs_no_reading() {
    let place = Place::new();
    let table = place.spans().await;
    let rows: Vec<_> = (0..1_000).map(|trace| span(trace, 1, 0, 1)).collect();
    let snapshot = table.commit(put(&rows, 1)).await.unwrap();
    std::fs::remove_file(
        place
            .directory
            .path()
            .join("tables/spans")
            .join(snapshot.files()[0].path().as_ref()),
    )
    .unwrap();
    let strangers: Vec<_> = (1_000..2_000).map(|trace| span(trace, 1, 0, 0)).collect();
    assert_eq!(found(&snapshot, &strangers, true).await, Vec::<i64>::new());
    let value = span(1, 1, 0, 0).trace_id.to_string();
    let sought = [Sought {
        key: key(&span(1, 1, 0, 0)),
        value: &value,
        time: None,
    }];
    assert!(
        snapshot.lookup(&sought).await.is_err(),
        "the file is really gone"
    );
}

#[test]
fn a_key_tells_its_look_up_value_unless_it_is_content_of_a_log_record() {
    for table in Table::ALL {
        let rows = full_rows(table);
        let values = rows[table.lookup_column()].clone();
        let values: &StringArray = values.as_any().downcast_ref().unwrap();
        for (row, key) in keys(table, &rows).into_iter().enumerate() {
            let of_a_log = table == Table::SpanContent && rows["log_id"].is_valid(row);
            let expected = (!of_a_log).then(|| values.value(row).to_owned());
            assert_eq!(
                key.lookup_value(table),
                expected,
                "row {row} of {}",
                table.name()
            );
        }
    }
}

#[tokio::test]
async fn dead_content_of_a_log_record_is_found_without_a_filter() {
    let place = Place::new();
    let table = place.table(Table::SpanContent).await;
    let rows = full_rows(Table::SpanContent);
    let dead: Rows = keys(Table::SpanContent, &rows)
        .into_iter()
        .zip([-1, 0, i64::MAX / 2])
        .take(1)
        .collect();
    table
        .commit(Commit {
            rows: vec![rows],
            dead: Arc::default(),
            sequence: 1,
        })
        .await
        .unwrap();
    let snapshot = table
        .commit(Commit {
            rows: vec![],
            dead: Arc::new(dead),
            sequence: 2,
        })
        .await
        .unwrap();
    assert_eq!(snapshot.rows(), 2);
}
