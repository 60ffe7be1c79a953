//! The notes that a row carries about how it was read.

use super::coerce::first_chars;

/// Notes kept of one row.
pub(super) const WARNINGS_MAX: usize = 32;
/// Characters kept of a sender's name in a note.
const SUBJECT_CHARS_MAX: usize = 128;

/// Notes such as `conflict:tokens_input`, each once, at most [`WARNINGS_MAX`].
#[derive(Clone, Debug, Default)]
pub(super) struct Warnings(Vec<String>);

impl Warnings {
    /// Adds a note about a column or a sender's name.
    pub(super) fn add(&mut self, what: &'static str, subject: &str) {
        if self.0.len() >= WARNINGS_MAX {
            return;
        }
        let note = format!("{what}:{}", first_chars(subject, SUBJECT_CHARS_MAX));
        if !self.0.contains(&note) {
            self.0.push(note);
        }
    }

    /// Forgets all notes.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Moves the notes out.
    pub(super) fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_kept_once_short_and_up_to_the_limit() {
        let mut warnings = Warnings::default();
        warnings.add("truncated", "a");
        warnings.add("truncated", "a");
        warnings.add("truncated", &"é".repeat(SUBJECT_CHARS_MAX + 1));
        assert_eq!(
            warnings.take(),
            [
                "truncated:a".to_owned(),
                format!("truncated:{}", "é".repeat(SUBJECT_CHARS_MAX))
            ]
        );
        for number in 0..=WARNINGS_MAX {
            warnings.add("truncated", &number.to_string());
        }
        assert_eq!(warnings.take().len(), WARNINGS_MAX);
    }
}
