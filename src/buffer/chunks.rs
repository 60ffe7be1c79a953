//! The rows themselves: Arrow batches by table, in the order of the log.

use std::collections::HashSet;

use arrow::array::{BooleanArray, Int64Array, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};

use crate::model::schema::SEQUENCE_COLUMN;
use crate::model::{Key, Table, keys};
use std::sync::Arc;

/// Rows that a better version has replaced: each is named by its key and the sequence number it came with.
pub type Dead = HashSet<(Key, i64)>;

/// Small batches are put together once so many of them stand at the end: a batch costs about a hundred arrays.
const MERGE_CHUNKS: usize = 32;
/// A batch of so many rows is large enough to stand alone.
const MERGED_ROWS: usize = 8_192;

/// Rows by table, each with the sequence numbers it came with.
#[derive(Debug, Default)]
pub struct Buffer {
    tables: [Vec<Chunk>; Table::ALL.len()],
    bytes: usize,
}

/// Rows of consecutive entries of the log.
#[derive(Debug)]
struct Chunk {
    rows: Arc<RecordBatch>,
    last: u64,
    bytes: usize,
}

impl Chunk {
    fn new(rows: RecordBatch, last: u64) -> Self {
        let bytes = rows.get_array_memory_size();
        Self {
            rows: Arc::new(rows),
            last,
            bytes,
        }
    }
}

impl Buffer {
    /// Puts rows in under the sequence number of their entry, which is stamped into them; numbers never go down.
    pub fn insert(&mut self, table: Table, rows: &RecordBatch, sequence: u64) {
        let chunk = Chunk::new(stamped(rows, sequence), sequence);
        self.bytes += chunk.bytes;
        let chunks = &mut self.tables[table.index()];
        debug_assert!(chunks.last().is_none_or(|chunk| chunk.last <= sequence));
        chunks.push(chunk);
        self.merge(table);
    }

    /// Takes rows out that a better version has replaced.
    pub fn remove(&mut self, table: Table, dead: &Dead) {
        let (Some(first), Some(last)) = (
            dead.iter().map(|(_, at)| *at).min(),
            dead.iter().map(|(_, at)| *at).max(),
        ) else {
            return;
        };
        let chunks = &mut self.tables[table.index()];
        // Chunks stand in the order of the log: those that end before the first dead row are left alone.
        let from =
            chunks.partition_point(|chunk| i64::try_from(chunk.last).unwrap_or(i64::MAX) < first);
        for chunk in &mut chunks[from..] {
            let (was, rows) = (chunk.bytes, without(table, &chunk.rows, dead));
            let Some(rows) = rows else { continue };
            *chunk = Chunk::new(rows, chunk.last);
            self.bytes = self.bytes + chunk.bytes - was;
            if i64::try_from(chunk.last).unwrap_or(i64::MAX) > last {
                break;
            }
        }
        chunks.retain(|chunk| chunk.rows.num_rows() > 0);
        self.count();
    }

    /// Returns the rows of a table, in the order of the log.
    pub fn rows(&self, table: Table) -> Vec<Arc<RecordBatch>> {
        self.tables[table.index()]
            .iter()
            .map(|chunk| Arc::clone(&chunk.rows))
            .collect()
    }

    /// Returns the rows of a table that came with `sequence` or before, in the order of the log.
    pub fn rows_up_to(&self, table: Table, sequence: u64) -> Vec<RecordBatch> {
        let chunks = &self.tables[table.index()];
        let whole = chunks.partition_point(|chunk| chunk.last <= sequence);
        let mut rows: Vec<_> = chunks[..whole]
            .iter()
            .map(|chunk| chunk.rows.as_ref().clone())
            .collect();
        // Later rows may have been put together with these.
        if let Some(next) = chunks.get(whole) {
            let early = up_to(&next.rows, sequence);
            rows.extend((early.num_rows() > 0).then_some(early));
        }
        rows
    }

    /// Lets the rows of a table go that came with `sequence` or before: the table holds them now.
    pub fn release(&mut self, table: Table, sequence: u64) {
        let chunks = &mut self.tables[table.index()];
        let whole = chunks.partition_point(|chunk| chunk.last <= sequence);
        chunks.drain(..whole);
        // Rows that came while the flush was under way may have been put together with older ones.
        if let Some(first) = chunks.first_mut()
            && let Some(rows) = after(&first.rows, sequence)
        {
            *first = Chunk::new(rows, first.last);
        }
        self.count();
    }

    /// Returns the bytes that the rows take in memory.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Returns how many rows there are in all tables.
    pub fn num_rows(&self) -> usize {
        self.tables
            .iter()
            .flatten()
            .map(|chunk| chunk.rows.num_rows())
            .sum()
    }

    fn count(&mut self) {
        self.bytes = self.tables.iter().flatten().map(|chunk| chunk.bytes).sum();
    }

    /// Puts the small chunks at the end together once there are enough of them.
    fn merge(&mut self, table: Table) {
        let chunks = &mut self.tables[table.index()];
        let small = chunks
            .iter()
            .rev()
            .take_while(|chunk| chunk.rows.num_rows() < MERGED_ROWS)
            .count();
        if small < MERGE_CHUNKS {
            return;
        }
        let tail = chunks.split_off(chunks.len() - small);
        let last = tail[tail.len() - 1].last;
        let rows = concat_batches(
            &table.schema(),
            tail.iter().map(|chunk| chunk.rows.as_ref()),
        )
        .expect("all chunks of a table have its schema");
        chunks.push(Chunk::new(rows, last));
        self.count();
    }
}

/// Returns the rows with their sequence number written in.
fn stamped(rows: &RecordBatch, sequence: u64) -> RecordBatch {
    let schema = rows.schema();
    let at = schema
        .index_of(SEQUENCE_COLUMN)
        .expect("every table has the column");
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    let mut columns = rows.columns().to_vec();
    columns[at] = Arc::new(Int64Array::from_value(sequence, rows.num_rows()));
    RecordBatch::try_new(schema, columns).expect("the column keeps its type and length")
}

/// Returns the rows that are not dead; `None` where all are alive.
fn without(table: Table, rows: &RecordBatch, dead: &Dead) -> Option<RecordBatch> {
    let sequences = sequences(rows);
    let keep: BooleanArray = keys(table, rows)
        .into_iter()
        .zip(sequences.values())
        .map(|(key, sequence)| Some(!dead.contains(&(key, *sequence))))
        .collect();
    (keep.true_count() < rows.num_rows()).then(|| filtered(rows, &keep))
}

/// Returns the rows that came after `sequence`; `None` where all did.
fn after(rows: &RecordBatch, sequence: u64) -> Option<RecordBatch> {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    let keep: BooleanArray = sequences(rows)
        .values()
        .iter()
        .map(|at| Some(*at > sequence))
        .collect();
    (keep.true_count() < rows.num_rows()).then(|| filtered(rows, &keep))
}

/// Returns the rows that came with `sequence` or before.
fn up_to(rows: &RecordBatch, sequence: u64) -> RecordBatch {
    let sequence = i64::try_from(sequence).unwrap_or(i64::MAX);
    let keep = sequences(rows)
        .values()
        .iter()
        .map(|at| Some(*at <= sequence))
        .collect();
    filtered(rows, &keep)
}

fn filtered(rows: &RecordBatch, keep: &BooleanArray) -> RecordBatch {
    filter_record_batch(rows, keep).expect("one flag a row")
}

fn sequences(rows: &RecordBatch) -> &Int64Array {
    use arrow::array::AsArray;
    rows[SEQUENCE_COLUMN].as_primitive()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Batch, Hex, SpanRow};

    fn spans(ids: impl IntoIterator<Item = u8>) -> RecordBatch {
        let rows: Vec<_> = ids
            .into_iter()
            .map(|id| SpanRow {
                trace_id: Hex([1; 16]),
                span_id: Hex([id; 8]),
                ..SpanRow::default()
            })
            .collect();
        let mut batch = Batch::default();
        batch.set_rows(Table::Spans, &rows);
        batch.table(Table::Spans).unwrap().clone()
    }

    fn found(buffer: &Buffer) -> Vec<(String, i64)> {
        use arrow::array::AsArray;
        let batches = buffer.rows(Table::Spans);
        let pairs = batches.iter().flat_map(|rows| {
            let ids = rows["span_id"].as_string::<i32>();
            (0..rows.num_rows())
                .map(|row| (ids.value(row)[..2].to_owned(), sequences(rows).value(row)))
        });
        pairs.collect()
    }

    fn pair(id: u8, sequence: i64) -> (String, i64) {
        (format!("{id:02x}"), sequence)
    }

    #[test]
    fn rows_carry_the_sequence_number_of_their_entry() {
        let mut buffer = Buffer::default();
        buffer.insert(Table::Spans, &spans([1, 2]), 7);
        assert_eq!(found(&buffer), [pair(1, 7), pair(2, 7)]);
    }

    #[test]
    fn small_batches_are_put_together_and_none_is_lost() {
        let mut buffer = Buffer::default();
        for sequence in 1..=MERGE_CHUNKS as u64 {
            assert_eq!(buffer.rows(Table::Spans).len() as u64, sequence - 1);
            buffer.insert(Table::Spans, &spans([1]), sequence);
        }
        assert_eq!(buffer.rows(Table::Spans).len(), 1);
        assert_eq!(buffer.num_rows(), MERGE_CHUNKS);
    }

    #[test]
    fn a_release_takes_what_the_table_holds_even_out_of_a_merged_batch() {
        let mut buffer = Buffer::default();
        for sequence in 1..=40 {
            buffer.insert(
                Table::Spans,
                &spans([u8::try_from(sequence).unwrap()]),
                sequence,
            );
        }
        buffer.release(Table::Spans, 10);
        assert_eq!(found(&buffer).first(), Some(&pair(11, 11)));
        assert_eq!(buffer.num_rows(), 30);
        buffer.release(Table::Spans, 40);
        assert_eq!((buffer.num_rows(), buffer.bytes()), (0, 0));
    }

    #[test]
    fn only_the_dead_version_of_a_row_is_removed() {
        let mut buffer = Buffer::default();
        buffer.insert(Table::Spans, &spans([1, 2]), 1);
        buffer.insert(Table::Spans, &spans([1, 3]), 2);
        let key = keys(Table::Spans, &spans([1]))[0];
        buffer.remove(Table::Spans, &Dead::from([(key, 1)]));
        assert_eq!(found(&buffer), [pair(2, 1), pair(1, 2), pair(3, 2)]);
    }
}
