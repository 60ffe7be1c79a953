//! Rations what can be decoded from few bytes, so that a small body cannot become a large batch.

use super::refusal::Refusal;
use crate::model::Reason;

/// How many more things may be read out of some bytes.
#[derive(Debug)]
pub(super) struct Allowance {
    left: usize,
    things: &'static str,
}

/// What any message may hold, however short.
const FREE: usize = 16;

impl Allowance {
    /// Attributes, events, links and list elements of one item. The shortest that says something (a `true` in a list)
    /// takes four bytes, an empty one two; in memory each takes over 30.
    pub(super) fn of_values(bytes: usize) -> Self {
        Self {
            left: FREE + bytes / 4,
            things: "values",
        }
    }

    /// Items of one request, or points of one metric: with a time and anything else they take 16 bytes or more.
    pub(super) fn of_items(bytes: usize) -> Self {
        Self {
            left: FREE + bytes / 16,
            things: "items",
        }
    }

    /// Takes one thing's share.
    pub(super) fn take(&mut self) -> Result<(), Refusal> {
        self.left = self.left.checked_sub(1).ok_or_else(|| {
            let things = self.things;
            Refusal::new(
                Reason::Field,
                format!("too many {things} for the bytes that hold them"),
            )
        })?;
        Ok(())
    }
}
