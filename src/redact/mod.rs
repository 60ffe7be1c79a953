//! Takes personal data and secrets out before anything is stored.
//!
//! A pure function of its input: a batch goes in, a [`Redacted`] one comes out, and nothing else makes one, so what is
//! written to disk has come through here. Values become `[REDACTED:<class>]`, JSON stays JSON, and the ids, times, prices
//! and names that analytics needs stay what they are. A new pattern is an entry in `builtin`, a new name one in
//! `keys.rs`.

mod builtin;
mod chars;
mod check;
mod class;
mod column;
mod engine;
mod json;
mod keys;
mod rule;
mod scan;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Int32Array, ListArray, RecordBatch};
use arrow::datatypes::{DataType, Int32Type};

use crate::model::{Batch, Privacy, Table};

pub use class::{Class, Counts};
pub use column::Cleaned;
pub use engine::Rules;

/// A batch without personal data and secrets: the only thing that may be stored.
///
/// Nobody makes one but [`redact`]:
/// ```
/// use outspan::{model::Batch, redact};
/// let clean = redact::redact(Batch::default(), &redact::Rules::builtin());
/// assert!(clean.batch().is_empty());
/// ```
/// ```compile_fail,E0451
/// use outspan::{model::Batch, redact};
/// let clean = redact::Redacted { batch: Batch::default(), counts: redact::Counts::default() };
/// ```
#[derive(Debug)]
pub struct Redacted {
    batch: Batch,
    counts: Counts,
}

impl Redacted {
    /// Returns the rows.
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Gives the rows away.
    pub fn into_batch(self) -> Batch {
        self.batch
    }

    /// Returns how many values of each class were replaced.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// Takes personal data and secrets out of every column whose [`Privacy`] says that a sender may have written some there,
/// and adds to `redactions` what was replaced in the `body` beside it.
pub fn redact(mut batch: Batch, rules: &Rules) -> Redacted {
    let mut counts = Counts::default();
    for table in Table::ALL {
        if let Some(clean) = batch
            .table(table)
            .and_then(|rows| clean_rows(table, rows, rules, &mut counts))
        {
            batch.set(table, clean);
        }
    }
    Redacted { batch, counts }
}

/// Returns the rows of a table without personal data; `None` where there is none in them.
fn clean_rows(
    table: Table,
    rows: &RecordBatch,
    rules: &Rules,
    counts: &mut Counts,
) -> Option<RecordBatch> {
    let mut columns = rows.columns().to_vec();
    let mut in_bodies = None;
    let mut is_clean = true;
    for (column, array) in table.columns().iter().zip(&mut columns) {
        let Some(cleaned) = clean_column(array, column.privacy, rules) else {
            continue;
        };
        is_clean = false;
        counts.merge(&cleaned.counts);
        *array = cleaned.array;
        if column.name == "body" {
            in_bodies = Some(cleaned.redactions);
        }
    }
    if is_clean {
        return None;
    }
    if let Some((index, redactions)) = rows.schema().index_of("redactions").ok().zip(in_bodies) {
        columns[index] = add_redactions(&columns[index], &redactions);
    }
    let rows = RecordBatch::try_new(rows.schema(), columns);
    Some(rows.expect("redaction changes neither types nor lengths"))
}

/// A column of any type of which something was taken out.
struct CleanedColumn {
    array: ArrayRef,
    redactions: Vec<(usize, u64)>,
    counts: Counts,
}

fn clean_column(array: &ArrayRef, privacy: Privacy, rules: &Rules) -> Option<CleanedColumn> {
    if privacy == Privacy::Keep {
        return None;
    }
    if let Some(strings) = array.as_string_opt::<i32>() {
        let Cleaned {
            array,
            redactions,
            counts,
        } = rules.column(strings, privacy)?;
        return Some(CleanedColumn {
            array: Arc::new(array),
            redactions,
            counts,
        });
    }
    let lists = array.as_list_opt::<i32>()?;
    let Cleaned { array, counts, .. } =
        rules.column(lists.values().as_string_opt::<i32>()?, privacy)?;
    let DataType::List(field) = lists.data_type() else {
        return None;
    };
    let lists = ListArray::new(
        Arc::clone(field),
        lists.offsets().clone(),
        Arc::new(array),
        lists.nulls().cloned(),
    );
    Some(CleanedColumn {
        array: Arc::new(lists),
        redactions: Vec::new(),
        counts,
    })
}

fn add_redactions(array: &ArrayRef, redactions: &[(usize, u64)]) -> ArrayRef {
    let Some(before) = array.as_primitive_opt::<Int32Type>() else {
        return Arc::clone(array);
    };
    let mut counts = before.values().to_vec();
    for (row, count) in redactions {
        counts[*row] = counts[*row].saturating_add(i32::try_from(*count).unwrap_or(i32::MAX));
    }
    Arc::new(Int32Array::new(counts.into(), before.nulls().cloned()))
}
