//! Telephone numbers in international form: `+` or `00`, a country code that exists, and as many digits as numbers of
//! that country have.

use std::ops::Range;

use crate::redact::chars::{before, byte, dash, ends_word, is_word, run, skip, space, starts_word};
use crate::redact::rule::Candidate;

/// A number has at most 15 digits, country code included (E.164).
const DIGITS_MAX: usize = 15;

/// Checks a number from its `+`, or from `%2B`.
pub(in crate::redact) fn plus(c: Candidate<'_>) -> Option<Range<usize>> {
    let is_sum = matches!(before(c.text, c.start), b'+' | b')' | b'/');
    if !starts_word(c.text, c.start) || is_sum {
        return None;
    }
    let number = Digits::read(c.text, c.end);
    // Without separators a short one is any number with a sign.
    let end = number.end(|groups, digits| groups > 1 || digits >= 10)?;
    Some(c.start..extension_end(c.text, end))
}

/// Checks a number that starts with `00`; the country code stands apart.
pub(in crate::redact) fn double_zero(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = if before(c.text, c.start) == b'%' {
        c.start + 2
    } else {
        c.start
    };
    if !c.text[start..].starts_with(b"00") || !starts_word(c.text, start) || is_rest(c.text, start)
    {
        return None;
    }
    let country = skip(c.text, start + 2, gap);
    let number = Digits::read(c.text, country);
    let stands_apart = number.country()?.length == number.groups[0].0;
    let end = number.end(|groups, digits| groups > 1 && digits >= 8)?;
    let is_reference = c.text[start..end]
        .split(|b| *b == b'-')
        .all(|group| group.len() == 4);
    (stands_apart && !is_reference).then(|| start..extension_end(c.text, end))
}

/// Returns whether digits are the rest of a longer number, or of a time or sum.
fn is_rest(text: &[u8], start: usize) -> bool {
    match before(text, start) {
        b'.' | b',' | b':' | b'-' | b'+' | b'/' => true,
        b' ' => start >= 2 && byte(text, start - 2).is_ascii_digit(),
        _ => false,
    }
}

/// Digits with what may stand between them in a telephone number.
struct Digits {
    digits: [u8; DIGITS_MAX],
    /// Digits so far, and where they end, after each group.
    groups: [(usize, usize); DIGITS_MAX],
    len: usize,
    text_goes_on: [bool; DIGITS_MAX],
}

impl Digits {
    fn read(text: &[u8], start: usize) -> Self {
        let mut read = Self {
            digits: [0; DIGITS_MAX],
            groups: [(0, 0); DIGITS_MAX],
            len: 0,
            text_goes_on: [false; DIGITS_MAX],
        };
        let (mut at, mut total) = (start, 0);
        loop {
            at = between(text, at, total == 0);
            let end = run(text, at, DIGITS_MAX - total + 1, |b| b.is_ascii_digit());
            let group = end - at;
            if group == 0 || total + group > DIGITS_MAX {
                return read;
            }
            for (digit, byte) in read.digits[total..].iter_mut().zip(&text[at..end]) {
                *digit = byte - b'0';
            }
            total += group;
            at = end;
            read.groups[read.len] = (total, end);
            read.text_goes_on[read.len] = !ends_word(text, end) && !starts_extension(text, end);
            read.len += 1;
        }
    }

    /// Returns the end of the longest number in whole groups that is one, and that `enough` accepts.
    fn end(&self, enough: impl Fn(usize, usize) -> bool) -> Option<usize> {
        let country = self.country()?;
        (1..=self.len).rev().find_map(|groups| {
            let (digits, end) = self.groups[groups - 1];
            let national = digits.checked_sub(country.length)?;
            (country.national.contains(&national)
                && enough(groups, digits)
                && !self.text_goes_on[groups - 1])
                .then_some(end)
        })
    }

    fn country(&self) -> Option<Country> {
        let total = self.groups[self.len.checked_sub(1)?].0;
        (1..=3.min(total)).find_map(|length| {
            let code = self.digits[..length]
                .iter()
                .fold(0, |code, digit| code * 10 + u32::from(*digit));
            Some(Country {
                length,
                national: national_digits(length, code)?,
            })
        })
    }
}

struct Country {
    length: usize,
    national: std::ops::RangeInclusive<usize>,
}

/// Returns how many digits follow a country code, where there is such a country.
fn national_digits(length: usize, code: u32) -> Option<std::ops::RangeInclusive<usize>> {
    Some(match (length, code) {
        (1, 1 | 7) | (2, 52 | 91) => 10..=10,
        (2, 20 | 55 | 86) => 9..=11,
        (2, 31 | 33 | 34 | 41 | 48 | 61) => 9..=9,
        (2, 32 | 60 | 62..=66 | 81 | 82) => 8..=11,
        (2, 44) => 9..=10,
        (2, 45 | 47) => 8..=8,
        (2, 46) => 7..=10,
        (2, 39 | 43 | 49) => 6..=12,
        (2, 27 | 30 | 36 | 40 | 51 | 53 | 54 | 56..=58 | 84 | 90 | 92..=95 | 98) => 7..=11,
        (
            3,
            211..=213
            | 216
            | 218
            | 220..=269
            | 290
            | 291
            | 297..=299
            | 350..=359
            | 370..=389
            | 420
            | 421
            | 423
            | 500..=509
            | 590..=599
            | 670..=692
            | 800
            | 808
            | 850..=856
            | 870
            | 878
            | 880..=888
            | 960..=968
            | 970..=979
            | 992..=998,
        ) => 6..=11,
        _ => return None,
    })
}

/// Returns the position behind the signs between two groups: a space, dash, dot or bracket, or two of them.
fn between(text: &[u8], start: usize, first: bool) -> usize {
    if first {
        return start;
    }
    if text[start..].starts_with(b" (0)") {
        return start + 4 + gap(text, start + 4); // +44 (0)20: the zero is dialled at home only
    }
    let mut at = start;
    for _ in 0..2 {
        at += match byte(text, at) {
            b'(' | b')' | b'.' | b'/' => 1,
            _ => gap(text, at),
        };
    }
    at
}

fn gap(text: &[u8], at: usize) -> usize {
    let is_line_break = matches!(byte(text, at), b'\n' | b'\r');
    if is_line_break {
        0
    } else {
        space(text, at).max(dash(text, at))
    }
}

fn starts_extension(text: &[u8], at: usize) -> bool {
    byte(text, at) == b'x' && byte(text, at + 1).is_ascii_digit()
}

/// Returns the end of ` ext. 409` or `x409` if there is one.
fn extension_end(text: &[u8], end: usize) -> usize {
    let word = skip(text, end, |text, at| {
        if byte(text, at) == b',' {
            1
        } else {
            gap(text, at)
        }
    });
    let rest = &text[word..];
    let known = ["extension", "ext", "x"].into_iter();
    let is_prefix = |name: &&str| {
        rest.get(..name.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(name.as_bytes()))
    };
    let Some(name) = known.into_iter().find(is_prefix) else {
        return end;
    };
    let digits = skip(text, word + name.len(), |text, at| match byte(text, at) {
        b'.' | b':' => 1,
        _ => gap(text, at),
    });
    let stop = run(text, digits, 6, |b| b.is_ascii_digit());
    if stop > digits && !is_word(byte(text, stop)) {
        stop
    } else {
        end
    }
}
