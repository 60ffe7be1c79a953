//! Which rows are the same, and which of two versions of a row is the better one.
//!
//! A key says what a row is about; a version ranks what two deliveries of it say. The rank is a function of the rows
//! alone, so that the order of arrival never decides (semconv.md §2: the later end, then more attributes, then the
//! larger digest).

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Float64Type, Int16Type, Int32Type, Int64Type, TimeUnit,
    TimestampMicrosecondType,
};
use twox_hash::XxHash3_64;

use super::schema::{Identity, Table};

/// The identity of a row: whose it is, and its trace and span id, or its digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Hash of the tenant's name.
    tenant: u64,
    /// Trace id and span id, or a digest and zeros: a span id is never all zero, so the two cannot meet.
    id: [u8; 24],
}

impl Key {
    /// Returns what rows of this key have in a table's look-up column; `None` where the key does not tell.
    pub fn lookup_value(&self, table: Table) -> Option<String> {
        let is_digest = self.id[16..] == [0; 8];
        // What belongs to a log record is found by its trace in `span_content`, and the key does not hold that.
        let told = is_digest == (table.lookup_column() != "trace_id");
        told.then(|| hex::encode(&self.id[..16]))
    }
}

/// The rank of one delivery of a row; the larger one wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// A span's end in Unix nanoseconds; for other rows the time of receipt in microseconds.
    time: i64,
    /// A span's attributes as sent; 0 for other rows.
    attributes: i32,
    /// Digest of what the row says, receipt aside.
    digest: u64,
}

impl Version {
    /// Returns whether a row of this version, arriving after one of version `known`, takes its place.
    pub fn replaces(&self, known: &Self) -> bool {
        // The same words sent again are no news, however late they come.
        self.digest != known.digest && self > known
    }
}

/// Returns the keys of rows, in order. Rows that belong to another row (content, events) have the owner's key.
///
/// # Panics
/// Where the rows have not the table's key columns: the callers read and write with the table's schema.
pub fn keys(table: Table, rows: &RecordBatch) -> Vec<Key> {
    let tenants = texts(rows, "tenant");
    let digest = match table.identity() {
        Identity::Digest(column) => Some(texts(rows, column)),
        Identity::Owned => rows
            .column_by_name("log_id")
            .map(|column| column.as_string::<i32>()),
        Identity::Span => None,
    };
    let span = rows
        .column_by_name("span_id")
        .filter(|_| !matches!(table.identity(), Identity::Digest(_)));
    let span = span.map(|spans| (texts(rows, "trace_id"), spans.as_string::<i32>()));
    let mut known = ("", tenant_hash(""));
    (0..rows.num_rows())
        .map(|row| {
            let name = tenants.value(row);
            if known.0 != name {
                known = (name, tenant_hash(name));
            }
            let mut id = [0; 24];
            match (&digest, &span) {
                (Some(digests), _) if digests.is_valid(row) => {
                    hex_into(digests.value(row), &mut id[..16])
                }
                (_, Some((traces, spans))) => {
                    hex_into(traces.value(row), &mut id[..16]);
                    hex_into(spans.value(row), &mut id[16..]);
                }
                _ => {}
            }
            Key {
                tenant: known.1,
                id,
            }
        })
        .collect()
}

/// Returns the columns that [`keys`] and [`versions`] read of a table, and the sequence number: what a look-up needs.
pub fn version_columns(table: Table) -> Vec<&'static str> {
    let receipt = RECEIPT_COLUMNS.iter().copied();
    let mut columns: Vec<_> = match table.identity() {
        Identity::Span => SPAN_COLUMNS
            .iter()
            .copied()
            .chain(["tenant", "trace_id", "span_id"])
            .chain(receipt)
            .collect(),
        Identity::Digest(_) | Identity::Owned => {
            table.columns().iter().map(|column| column.name).collect()
        }
    };
    columns.retain(|name| table.columns().iter().any(|column| column.name == *name));
    columns
}

/// Returns the versions of rows, in order.
///
/// # Panics
/// Where the rows have not the columns of [`version_columns`].
pub fn versions(table: Table, rows: &RecordBatch) -> Vec<Version> {
    let digests = digests(table, rows);
    if table == Table::Spans {
        let starts = rows["start_unix_nano"].as_primitive::<Int64Type>();
        let durations = rows["duration_ns"].as_primitive::<Int64Type>();
        let counts = rows["attribute_count"].as_primitive::<Int32Type>();
        return (0..rows.num_rows())
            .map(|row| Version {
                time: starts.value(row).saturating_add(durations.value(row)),
                attributes: counts.value(row),
                digest: digests[row],
            })
            .collect();
    }
    let received = if table == Table::Outcomes {
        "received_at"
    } else {
        "ingest_ts"
    };
    let received = rows[received].as_primitive::<TimestampMicrosecondType>();
    digests
        .into_iter()
        .enumerate()
        .map(|(row, digest)| Version {
            time: received.value(row),
            attributes: 0,
            digest,
        })
        .collect()
}

/// Columns that say when a row came, not what it says.
const RECEIPT_COLUMNS: [&str; 4] = ["ingest_ts", "received_at", "ingest_seq", "received_date"];

/// The columns of a span from which all others are derived.
const SPAN_COLUMNS: [&str; 16] = [
    "attribute_count",
    "parent_span_id",
    "scope_name",
    "start_unix_nano",
    "duration_ns",
    "name",
    "otel_kind",
    "status",
    "status_message",
    "event_count",
    "attributes",
    "resource_attributes",
    "links",
    "tool_args_hash",
    "tool_result_hash",
    "output_hash",
];

fn digests(table: Table, rows: &RecordBatch) -> Vec<u64> {
    let mut digests = vec![0; rows.num_rows()];
    for column in table.columns() {
        let said = match table {
            Table::Spans => SPAN_COLUMNS.contains(&column.name),
            _ => !RECEIPT_COLUMNS.contains(&column.name),
        };
        if said {
            mix(rows[column.name].as_ref(), &mut digests);
        }
    }
    digests
}

/// Mixes the cells of one column into the digests of their rows.
fn mix(column: &dyn Array, digests: &mut [u64]) {
    macro_rules! primitive {
        ($kind:ty) => {{
            let values = column.as_primitive::<$kind>();
            for (row, digest) in digests.iter_mut().enumerate() {
                let bytes = values
                    .is_valid(row)
                    .then(|| values.value(row).to_le_bytes());
                mix_cell(digest, bytes.as_ref().map(AsRef::as_ref));
            }
        }};
    }
    match column.data_type() {
        DataType::Utf8 => {
            let values = column.as_string::<i32>();
            for (row, digest) in digests.iter_mut().enumerate() {
                mix_cell(
                    digest,
                    values.is_valid(row).then(|| values.value(row).as_bytes()),
                );
            }
        }
        DataType::Boolean => {
            let values = column.as_boolean();
            for (row, digest) in digests.iter_mut().enumerate() {
                let byte = values.is_valid(row).then(|| [u8::from(values.value(row))]);
                mix_cell(digest, byte.as_ref().map(AsRef::as_ref));
            }
        }
        DataType::List(_) => {
            let lists = column.as_list::<i32>();
            for (row, digest) in digests.iter_mut().enumerate() {
                let list = lists.is_valid(row).then(|| lists.value(row));
                let mut inner = vec![0; list.as_ref().map_or(0, |list| list.len())];
                if let Some(list) = list {
                    mix(list.as_ref(), &mut inner);
                }
                inner
                    .iter()
                    .for_each(|cell| mix_cell(digest, Some(&cell.to_le_bytes())));
                mix_cell(digest, Some(&inner.len().to_le_bytes()));
            }
        }
        DataType::Int16 => primitive!(Int16Type),
        DataType::Int32 => primitive!(Int32Type),
        DataType::Int64 => primitive!(Int64Type),
        DataType::Float64 => primitive!(Float64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Decimal128(..) => primitive!(Decimal128Type),
        DataType::Timestamp(TimeUnit::Microsecond, _) => primitive!(TimestampMicrosecondType),
        other => unreachable!("no table has a column of type {other}"),
    }
}

fn mix_cell(digest: &mut u64, cell: Option<&[u8]>) {
    /// An odd constant (2^64 over the golden ratio): spreads the bits so that the order of columns matters.
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let cell = cell.map_or(SPREAD, XxHash3_64::oneshot);
    *digest = (digest.rotate_left(5) ^ cell).wrapping_mul(SPREAD);
}

fn texts<'a>(rows: &'a RecordBatch, column: &str) -> &'a arrow::array::StringArray {
    rows[column].as_string::<i32>()
}

fn tenant_hash(name: &str) -> u64 {
    XxHash3_64::oneshot(name.as_bytes())
}

/// Reads hex of our own making; anything else leaves zeros, which no row has.
fn hex_into(text: &str, room: &mut [u8]) {
    if hex::decode_to_slice(text, room).is_err() {
        room.fill(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Hex, SpanRow};

    fn span(name: &str, end: i64, attributes: i32) -> SpanRow {
        SpanRow {
            trace_id: Hex([1; 16]),
            span_id: Hex([2; 8]),
            name: name.to_owned(),
            duration_ns: end,
            attribute_count: attributes,
            ..SpanRow::default()
        }
    }

    fn versions_of(rows: &[SpanRow]) -> Vec<Version> {
        let mut batch = crate::model::Batch::default();
        batch.set_rows(Table::Spans, rows);
        versions(Table::Spans, batch.table(Table::Spans).unwrap())
    }

    #[test]
    fn the_later_end_wins_then_more_attributes() {
        let all = versions_of(&[span("a", 10, 5), span("a", 20, 1), span("a", 20, 2)]);
        assert!(all[1].replaces(&all[0]) && !all[0].replaces(&all[1]));
        assert!(all[2].replaces(&all[1]) && !all[1].replaces(&all[2]));
    }

    #[test]
    fn of_two_that_differ_in_words_only_the_same_one_wins_in_either_order() {
        let all = versions_of(&[span("a", 10, 5), span("b", 10, 5)]);
        assert_ne!(all[0].replaces(&all[1]), all[1].replaces(&all[0]));
    }

    #[test]
    fn the_same_words_received_again_replace_nothing() {
        let again = SpanRow {
            ingest_ts: crate::model::Micros(9),
            ingest_seq: 7,
            ..span("a", 10, 5)
        };
        let all = versions_of(&[span("a", 10, 5), again]);
        assert!(!all[0].replaces(&all[1]) && !all[1].replaces(&all[0]));
    }

    #[test]
    fn tenants_traces_and_spans_tell_keys_apart() {
        let other = |row: SpanRow| {
            let mut batch = crate::model::Batch::default();
            batch.set_rows(Table::Spans, &[row]);
            keys(Table::Spans, batch.table(Table::Spans).unwrap())[0]
        };
        let base = other(span("a", 1, 1));
        assert_eq!(base, other(span("b", 2, 2)));
        assert_ne!(
            base,
            other(SpanRow {
                tenant: "acme".into(),
                ..span("a", 1, 1)
            })
        );
        assert_ne!(
            base,
            other(SpanRow {
                trace_id: Hex([3; 16]),
                ..span("a", 1, 1)
            })
        );
        assert_ne!(
            base,
            other(SpanRow {
                span_id: Hex([3; 8]),
                ..span("a", 1, 1)
            })
        );
    }
}
