//! A rule: one class of personal data, how it is found and how it is told from what merely looks like it.
//!
//! To add one, add an entry to `builtin`. Candidates come from one scan for all rules (see `scan.rs`), so a rule names
//! the letters or digits that every value of it has; its check then looks at the text around that place alone. The
//! examples of an entry are its tests.

use std::ops::Range;

use super::chars::{byte, ends_word, run, starts_word};
use super::class::Class;

/// One kind of value to take out.
#[derive(Debug)]
pub(super) struct Rule {
    /// What is being looked for, for people: `github token`.
    pub(super) name: &'static str,
    /// What is counted and stands in the placeholder.
    pub(super) class: Class,
    /// Where to look.
    pub(super) find: Find,
    /// Whether it is one, and from where to where.
    pub(super) check: Check,
    /// Texts and what becomes of them.
    #[cfg_attr(not(test), expect(dead_code, reason = "the examples are the tests"))]
    pub(super) hits: &'static [(&'static str, &'static str)],
    /// Texts in which this and every other rule finds nothing.
    #[cfg_attr(not(test), expect(dead_code, reason = "the examples are the tests"))]
    pub(super) misses: &'static [&'static str],
}

/// How candidates are found.
#[derive(Debug)]
pub(super) enum Find {
    /// One of these, as written.
    Exact(&'static [&'static str]),
    /// One of these, in any case.
    AnyCase(&'static [&'static str]),
    /// A run of digits of one of these lengths (bit n stands for n digits; see [`lengths`]).
    Digits(u32),
}

/// How a candidate is checked.
#[derive(Clone, Copy, Debug)]
pub(super) enum Check {
    /// By a function of its own.
    With(fn(Candidate<'_>) -> Option<Range<usize>>),
    /// A literal and a body behind it, as service keys are made.
    Prefixed {
        body: Alphabet,
        min: usize,
        max: usize,
    },
}

/// A place where a rule's value may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Candidate<'a> {
    /// The whole text.
    pub(super) text: &'a [u8],
    /// Where the literal or the run of digits starts.
    pub(super) start: usize,
    /// Where it ends.
    pub(super) end: usize,
}

/// The characters of a key's body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Alphabet {
    /// Letters and digits.
    Alnum,
    /// Capitals and digits.
    Upper,
    /// Digits and a to f.
    Hex,
    /// Letters, digits, `-` and `_`.
    Url,
    /// Letters, digits, `-`, `_` and `.`.
    Dotted,
}

impl Alphabet {
    fn test(self) -> fn(u8) -> bool {
        match self {
            Self::Alnum => |b| b.is_ascii_alphanumeric(),
            Self::Upper => |b| b.is_ascii_uppercase() || b.is_ascii_digit(),
            Self::Hex => |b| b.is_ascii_hexdigit(),
            Self::Url => |b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_',
            Self::Dotted => |b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.',
        }
    }
}

impl Check {
    /// Returns the part of the text to take out.
    pub(super) fn run(self, candidate: Candidate<'_>) -> Option<Range<usize>> {
        match self {
            Self::With(check) => check(candidate),
            Self::Prefixed { body, min, max } => prefixed(candidate, body, min, max),
        }
    }
}

/// Returns the bit set of the lengths from `min` to `max`.
pub(super) const fn lengths(min: u32, max: u32) -> u32 {
    let mut set = 0;
    let mut length = min;
    while length <= max {
        set |= 1 << length;
        length += 1;
    }
    set
}

fn prefixed(c: Candidate<'_>, body: Alphabet, min: usize, max: usize) -> Option<Range<usize>> {
    if !starts_word(c.text, c.start) {
        return None;
    }
    let mut end = run(c.text, c.end, max, body.test());
    while end > c.end && matches!(byte(c.text, end - 1), b'.' | b'-') {
        end -= 1; // punctuation of the sentence
    }
    let value = &c.text[c.end..end];
    // Sixteen capitals are no words, random or not.
    let is_key = matches!(body, Alphabet::Upper) || is_random(value);
    (value.len() >= min && ends_word(c.text, end) && is_key).then_some(c.start..end)
}

/// Returns whether a value looks drawn by lot rather than written by a person: it has a piece that is longer than
/// words joined by dashes are, and in it a digit or letters of both cases.
pub(super) fn is_random(value: &[u8]) -> bool {
    value
        .split(|b| matches!(b, b'-' | b'_' | b'.'))
        .any(|piece| {
            let has = |wanted: fn(&u8) -> bool| piece.iter().any(wanted);
            piece.len() >= 8
                && (has(u8::is_ascii_digit)
                    || (has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase)))
        })
}
