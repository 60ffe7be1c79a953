//! What redaction promises, rule by rule and as a whole.

mod batches;
mod examples;
mod hidden;
mod json;
mod laws;
mod recorded;

use super::{Counts, Rules};
use crate::model::Privacy;

/// The rules, compiled once for all tests.
fn rules() -> &'static Rules {
    static RULES: std::sync::LazyLock<Rules> = std::sync::LazyLock::new(Rules::builtin);
    &RULES
}

/// Asserts what becomes of a text.
#[track_caller]
fn becomes(text: &str, clean: &str) {
    assert_eq!(rules().text(text), clean, "from {text}");
}

/// Asserts that a text stays as it is.
#[track_caller]
fn stays(text: &str) {
    becomes(text, text);
}

/// Returns the classes found in a text.
fn classes(text: &str) -> Vec<(&'static str, u64)> {
    let mut counts = Counts::default();
    rules().clean(text, Privacy::Text, &mut counts);
    counts
        .iter()
        .map(|(class, count)| (class.name(), count))
        .collect()
}
