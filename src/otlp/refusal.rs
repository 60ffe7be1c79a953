//! Why one item of a request cannot be taken.

use std::fmt::Display;

use crate::model::limits::VALUE_DEPTH_MAX;
use crate::model::{Reason, Rejected};

/// What is wrong with one span, log record or metric point; the caller adds which one it is.
///
/// Boxed, because every read may return one and hardly any does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal(Box<Fault>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Fault {
    reason: Reason,
    /// Continues a sentence whose subject is the item. Holds names and lengths, never values: they may be personal.
    what: String,
}

impl Refusal {
    #[cold]
    pub(super) fn new(reason: Reason, what: impl Into<String>) -> Self {
        Self(Box::new(Fault {
            reason,
            what: what.into(),
        }))
    }

    pub(super) fn malformed(what: impl Into<String>) -> Self {
        Self::new(Reason::Malformed, what)
    }

    pub(super) fn too_deep() -> Self {
        Self::new(
            Reason::Depth,
            format!("is nested deeper than {VALUE_DEPTH_MAX}"),
        )
    }

    /// Says in which field of the item it is.
    pub(super) fn within(mut self, place: impl Display) -> Self {
        self.0.what = format!("{place}: {}", self.0.what);
        self
    }

    /// Counts `count` items as refused; the first one is named.
    pub(super) fn count(&self, count: u64, item: impl Display, rejected: &mut Rejected) {
        for _ in 0..count {
            rejected.add(self.0.reason, || format!("{item}: {}", self.0.what));
        }
    }

    /// Returns what is wrong, as half a sentence.
    pub(super) fn what(&self) -> &str {
        &self.0.what
    }
}

/// Returns a name as a message may hold it: a sender chose it, so it is cut and stripped of what is no text.
pub(super) fn shown(name: &str) -> String {
    const CHARS_MAX: usize = 64;
    name.chars()
        .filter(|char| !char.is_control())
        .take(CHARS_MAX)
        .collect()
}
