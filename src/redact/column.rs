//! A column of strings without personal data: all its values are looked at as one buffer, and a column in which there is
//! nothing is not touched.

use arrow::array::{Array, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};

use super::class::Counts;
use super::engine::Rules;
use crate::model::Privacy;

/// A column of which something was taken out.
#[derive(Debug)]
pub struct Cleaned {
    /// The column, as long as before and null where it was.
    pub array: StringArray,
    /// Rows that changed, in order, and how many values were replaced in each.
    pub redactions: Vec<(usize, u64)>,
    /// How many values of each class were replaced.
    pub counts: Counts,
}

impl Rules {
    /// Returns a column without personal data and secrets; `None` where there are none in it.
    pub fn column(&self, array: &StringArray, privacy: Privacy) -> Option<Cleaned> {
        if privacy == Privacy::Keep {
            return None;
        }
        // A resource, a service and a scope say the same on each of their spans: once is enough to see nothing in them.
        if repeats_one_value(array)
            && self
                .suspects(array.value_data(), &array.value_offsets()[..2])
                .is_empty()
        {
            return None;
        }
        let suspects = self.suspects(array.value_data(), array.value_offsets());
        let changes = self.changes(array, privacy, &suspects);
        if changes.is_empty() {
            return None;
        }
        let mut counts = Counts::default();
        changes
            .iter()
            .for_each(|change| counts.merge(&change.counts));
        let redactions = changes
            .iter()
            .map(|change| (change.row, change.counts.total()))
            .collect();
        Some(Cleaned {
            array: rebuild(array, &changes),
            redactions,
            counts,
        })
    }

    fn changes(&self, array: &StringArray, privacy: Privacy, suspects: &[usize]) -> Vec<Change> {
        let mut changes: Vec<Change> = Vec::new();
        for &row in suspects {
            let text = array.value(row);
            // A resource says the same on each of its spans.
            if let Some(last) = changes.last()
                && array.value(last.row) == text
            {
                let again = Change {
                    row,
                    text: last.text.clone(),
                    counts: last.counts,
                };
                changes.push(again);
                continue;
            }
            let mut counts = Counts::default();
            if let Some(text) = self.rewrite(text, privacy, &mut counts) {
                changes.push(Change { row, text, counts });
            }
        }
        changes
    }
}

/// Returns whether each of two or more rows has the text of the first: equally long, and equal to itself moved by one.
fn repeats_one_value(array: &StringArray) -> bool {
    let offsets = array.value_offsets();
    let Some([first, second]) = offsets.first_chunk() else {
        return false;
    };
    let width = second - first;
    let (start, end) = (index(*first), index(offsets[offsets.len() - 1]));
    let moved = index(width);
    width > 0
        && offsets.len() > 2
        && offsets.windows(2).all(|ends| ends[1] - ends[0] == width)
        && array.value_data()[start + moved..end] == array.value_data()[start..end - moved]
}

/// What becomes of a row.
struct Change {
    row: usize,
    text: String,
    counts: Counts,
}

/// Builds the column anew; what lies between two changes is copied as one piece.
fn rebuild(array: &StringArray, changes: &[Change]) -> StringArray {
    let offsets = array.value_offsets();
    let data = array.value_data();
    let added: usize = changes.iter().map(|change| change.text.len()).sum();
    let mut values = Vec::with_capacity(data.len() + added);
    let mut ends = Vec::with_capacity(offsets.len());
    ends.push(0);
    let mut from = 0;
    for change in changes {
        copy(offsets, data, from..change.row, &mut values, &mut ends);
        values.extend_from_slice(change.text.as_bytes());
        ends.push(offset(values.len()));
        from = change.row + 1;
    }
    copy(offsets, data, from..array.len(), &mut values, &mut ends);
    let ends = OffsetBuffer::new(ScalarBuffer::from(ends));
    StringArray::try_new(ends, Buffer::from_vec(values), array.nulls().cloned())
        .expect("pieces of strings between whole strings are strings")
}

fn copy(
    offsets: &[i32],
    data: &[u8],
    rows: std::ops::Range<usize>,
    values: &mut Vec<u8>,
    ends: &mut Vec<i32>,
) {
    let start = index(offsets[rows.start]);
    let moved = values.len();
    values.extend_from_slice(&data[start..index(offsets[rows.end])]);
    ends.extend(
        offsets[rows.start + 1..=rows.end]
            .iter()
            .map(|end| offset(index(*end) - start + moved)),
    );
}

fn index(offset: i32) -> usize {
    usize::try_from(offset).expect("an array's offsets are never negative")
}

fn offset(index: usize) -> i32 {
    i32::try_from(index).expect("a request is far smaller than the 2 GiB of an array")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_repeated_is_told_from_values_of_the_same_length() {
        let repeats = |texts: &[&str]| repeats_one_value(&StringArray::from(texts.to_vec()));
        assert!(repeats(&["abc", "abc", "abc"]));
        assert!(!repeats(&["abc", "abd", "abc"]) && !repeats(&["abc", "abc", "ab"]));
        assert!(!repeats(&["", ""]) && !repeats(&["abc"]) && !repeats(&[]));
        assert!(repeats_one_value(
            &StringArray::from(vec!["x", "ab", "ab"]).slice(1, 2)
        ));
        assert!(!repeats_one_value(&StringArray::from(vec![
            Some("ab"),
            None,
            Some("ab")
        ])));
    }

    #[test]
    fn a_repeated_value_with_something_in_it_is_cleaned_on_every_row() {
        let array = StringArray::from(vec!["jane.doe@example.com"; 3]);
        let cleaned = Rules::builtin().column(&array, Privacy::Text).unwrap();
        assert!(
            cleaned
                .array
                .iter()
                .all(|text| text == Some("[REDACTED:email]"))
        );
        assert_eq!(cleaned.redactions, [(0, 1), (1, 1), (2, 1)]);
    }
}
