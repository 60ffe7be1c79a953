//! Batches: every column that may hold something is cleaned, no other is touched, and what was replaced is counted.

use std::sync::Arc;

use arrow::array::{AsArray, StringArray};
use arrow::datatypes::Int32Type;

use super::rules;
use crate::model::{Batch, ContentRow, LogContentRow, Privacy, SpanRow, Table};
use crate::redact::{Class, redact};

fn strings(batch: &Batch, table: Table, column: &str) -> StringArray {
    let rows = batch.table(table).expect("the table has rows");
    rows.column_by_name(column)
        .expect("the column exists")
        .as_string::<i32>()
        .clone()
}

#[test]
fn values_do_not_reach_from_one_row_into_the_next() {
    for pair in [
        ["pass", "word=hunter2"],
        ["41111111", "11111111"],
        ["jo@", "example.com"],
        ["078-05-", "1120"],
    ] {
        assert!(
            rules()
                .column(&StringArray::from(pair.to_vec()), Privacy::Text)
                .is_none(),
            "{pair:?}"
        );
    }
}

#[test]
fn digits_that_end_a_row_hide_nothing_in_the_next() {
    let array = StringArray::from(vec!["order 12", "4111111111111111", "5", "078-05-1120"]);
    let cleaned = rules()
        .column(&array, Privacy::Text)
        .expect("two rows change");
    assert_eq!(cleaned.redactions, [(1, 1), (3, 1)]);
}

#[test]
fn a_column_that_is_to_be_kept_is_kept() {
    let array = StringArray::from(vec!["jo@example.com"]);
    assert!(rules().column(&array, Privacy::Keep).is_none());
}

#[test]
fn nulls_and_slices_keep_their_places() {
    let array = StringArray::from(vec![
        Some("jo@example.com"),
        None,
        Some("b"),
        Some("jo@example.com"),
        None,
    ]);
    let cleaned = rules()
        .column(&array.slice(1, 4), Privacy::Text)
        .expect("a row changes");
    let found: Vec<_> = cleaned.array.iter().collect();
    assert_eq!(found, [None, Some("b"), Some("[REDACTED:email]"), None]);
}

#[test]
fn each_kind_of_column_of_a_span_is_cleaned() {
    let span = SpanRow {
        name: "mail jo@example.com".into(),
        attributes: "{\"password\":\"hunter2\",\"tokens\":12}".into(),
        status_message: Some("card 4111111111111111".into()),
        finish_reasons: vec!["stop".into(), "jo@example.com".into()],
        ..SpanRow::default()
    };
    let mut batch = Batch::default();
    batch.set_rows(Table::Spans, &[SpanRow::default(), span]);
    let clean = redact(batch, rules());
    let counts = *clean.counts();
    let batch = clean.into_batch();
    assert_eq!(
        strings(&batch, Table::Spans, "name").value(1),
        "mail [REDACTED:email]"
    );
    assert_eq!(
        strings(&batch, Table::Spans, "attributes").value(1),
        "{\"password\":\"[REDACTED:password]\",\"tokens\":12}"
    );
    assert_eq!(
        strings(&batch, Table::Spans, "status_message").value(1),
        "card [REDACTED:credit_card]"
    );
    let reasons = batch
        .table(Table::Spans)
        .unwrap()
        .column_by_name("finish_reasons")
        .unwrap();
    let reasons = reasons.as_list::<i32>().value(1);
    assert_eq!(reasons.as_string::<i32>().value(1), "[REDACTED:email]");
    assert_eq!(
        (
            counts.get(Class::Email),
            counts.get(Class::Password),
            counts.total()
        ),
        (2, 1, 4)
    );
}

#[test]
fn a_body_knows_how_much_of_it_was_replaced() {
    let body = |body: &str, redactions| ContentRow {
        body: body.into(),
        redactions,
        ..ContentRow::default()
    };
    let mut batch = Batch::default();
    batch.set_rows(
        Table::SpanContent,
        &[
            body("nothing", 3),
            body("a@example.com b@example.com", 2),
            body("{\"ssn\":376869050}", 0),
        ],
    );
    let log = LogContentRow {
        body: "+4915112345678".into(),
        ..LogContentRow::default()
    };
    batch.set_rows(Table::LogContent, &[log]);
    let clean = redact(batch, rules()).into_batch();
    let redactions = |table| {
        let rows: &arrow::array::RecordBatch = clean.table(table).unwrap();
        rows.column_by_name("redactions")
            .unwrap()
            .as_primitive::<Int32Type>()
            .values()
            .to_vec()
    };
    assert_eq!(redactions(Table::SpanContent), [3, 4, 1]);
    assert_eq!(redactions(Table::LogContent), [1]);
}

#[test]
fn a_batch_without_private_data_shares_its_columns_with_the_result() {
    let mut batch = Batch::default();
    batch.set_rows(
        Table::Spans,
        &[SpanRow {
            name: "chat gpt-4o".into(),
            ..SpanRow::default()
        }],
    );
    let before = Arc::clone(
        batch
            .table(Table::Spans)
            .unwrap()
            .column_by_name("name")
            .unwrap(),
    );
    let clean = redact(batch, rules());
    let after = clean
        .batch()
        .table(Table::Spans)
        .unwrap()
        .column_by_name("name")
        .unwrap();
    assert!(Arc::ptr_eq(&before, after));
    assert_eq!(clean.counts().total(), 0);
}
