//! Numbers with an inner check: payment cards, bank accounts, and US social security numbers.

use std::ops::Range;

use crate::redact::chars::{before, byte, dash, ends_word, has_word, is_word, space, starts_word};
use crate::redact::rule::Candidate;

/// The longest number looked at, in digits, and the most groups it may come in.
const DIGITS_MAX: usize = 19;
const GROUPS_MAX: usize = 6;

/// How the groups of a number are separated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Nothing,
    Space,
    Dash,
}

/// The digits from a position on, with the same separator between groups.
struct Number {
    digits: [u8; DIGITS_MAX],
    between: Between,
    /// Length and end of each group.
    groups: [(usize, usize); GROUPS_MAX],
    len: usize,
}

impl Number {
    /// Reads at most the digits and groups that a number may have; a longer group is left out.
    fn read(text: &[u8], start: usize) -> Self {
        let mut number = Self {
            digits: [0; DIGITS_MAX],
            between: Between::Nothing,
            groups: [(0, 0); GROUPS_MAX],
            len: 0,
        };
        let (mut at, mut total) = (start, 0);
        while number.len < GROUPS_MAX {
            let room = DIGITS_MAX - total;
            let group = text[at..]
                .iter()
                .take(room + 1)
                .take_while(|b| b.is_ascii_digit())
                .count();
            if group == 0 || group > room {
                break;
            }
            for (digit, byte) in number.digits[total..].iter_mut().zip(&text[at..at + group]) {
                *digit = byte - b'0';
            }
            total += group;
            at += group;
            number.groups[number.len] = (group, at);
            number.len += 1;
            let (between, length) = separator(text, at);
            if number.len > 1 && between != number.between {
                break;
            }
            number.between = between;
            at += length;
        }
        number
    }

    fn lengths(&self, groups: usize) -> [usize; GROUPS_MAX] {
        let mut lengths = [0; GROUPS_MAX];
        for (length, group) in lengths
            .iter_mut()
            .zip(self.groups[..self.len].iter().take(groups))
        {
            *length = group.0;
        }
        lengths
    }
}

fn separator(text: &[u8], at: usize) -> (Between, usize) {
    match (space(text, at), dash(text, at)) {
        (0, 0) if byte(text, at) == b'+' => (Between::Space, 1), // a space in a URL
        (0, 0) => (Between::Nothing, 0),
        (0, dash) => (Between::Dash, dash),
        (space, _) => (Between::Space, space),
    }
}

/// Returns where the digits of a candidate start: the digits of `%20` are not its own.
fn digits_start(c: Candidate<'_>) -> usize {
    if before(c.text, c.start) == b'%' && c.end - c.start > 2 {
        c.start + 2
    } else {
        c.start
    }
}

/// Returns whether a number may start here: not behind a letter, nor as the rest of a longer number.
fn starts_number(text: &[u8], at: usize) -> bool {
    let behind_digit = at >= 2 && byte(text, at - 2).is_ascii_digit();
    let is_rest = match before(text, at) {
        b'.' | b'-' => behind_digit,
        _ => false,
    };
    starts_word(text, at) && !is_rest
}

/// Returns whether a number may end here: not before a letter, a decimal point or a dash with more digits.
fn ends_number(text: &[u8], at: usize) -> bool {
    let goes_on = match byte(text, at) {
        b'.' | b'-' => byte(text, at + 1).is_ascii_digit(),
        _ => false,
    };
    ends_word(text, at) && !goes_on
}

/// Checks a payment card: 13 to 19 digits of a known brand, plain or in the groups that are printed on cards.
pub(in crate::redact) fn card(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = digits_start(c);
    if !starts_number(c.text, start) {
        return None;
    }
    let number = Number::read(c.text, start);
    (1..=number.len).rev().find_map(|groups| {
        let lengths = number.lengths(groups);
        let total = lengths.iter().sum();
        let digits = &number.digits[..total];
        let end = number.groups[groups - 1].1;
        (is_printed_so(&lengths[..groups])
            && is_brand(digits)
            && luhn(digits)
            && ends_number(c.text, end))
        .then_some(start..end)
    })
}

fn is_printed_so(groups: &[usize]) -> bool {
    match groups {
        [_] | [4, 6, 4 | 5] => true,
        [first @ .., last] => first.iter().all(|group| *group == 4) && (1..=4).contains(last),
        [] => false,
    }
}

fn is_brand(digits: &[u8]) -> bool {
    let Some(first) = digits.first_chunk::<4>() else {
        return false;
    };
    let prefix = first
        .iter()
        .fold(0, |number, digit| number * 10 + u32::from(*digit));
    let length = digits.len();
    match prefix {
        4000..=4999 => matches!(length, 13 | 16 | 19), // Visa
        5100..=5599 | 2221..=2720 => length == 16,     // Mastercard
        3400..=3499 | 3700..=3799 => length == 15,     // American Express
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => length == 14, // Diners Club
        6011 | 6440..=6599 => matches!(length, 16 | 19), // Discover, RuPay
        3528..=3589 => matches!(length, 16..=19),      // JCB
        6200..=6299 | 8100..=8199 => matches!(length, 16..=19), // UnionPay, RuPay
        5018 | 5020 | 5038 | 5893 | 6304 | 6390 | 6759 | 6761..=6763 => matches!(length, 13..=19), // Maestro
        2200..=2204 | 5061 | 5080..=5089 | 6000..=6099 | 8200..=8299 | 9792 => length == 16, // Mir, Verve, RuPay, Troy
        _ => false,
    }
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Checks a US social security number: with dashes wherever it stands, otherwise where the text before says what it is.
pub(in crate::redact) fn us_ssn(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = digits_start(c);
    let number = Number::read(c.text, start);
    let groups = if number.lengths(1)[0] == 9 { 1 } else { 3 };
    let is_formatted = match number.lengths(groups)[..groups] {
        [3, 2, 4] => number.between == Between::Dash,
        [9] => false,
        _ => return None,
    };
    let end = number.groups[groups - 1].1;
    if !is_ssn(&number.digits[..9]) || !ends_number(c.text, end) {
        return None;
    }
    let is_part = before(c.text, start) == b'-' && is_word(before(c.text, start - 1)); // PO-192-62-4561
    let stands_alone = starts_number(c.text, start) && !is_part;
    (is_formatted && stands_alone || is_said(c.text, start)).then_some(start..end)
}

/// Returns whether nine digits can be a social security number.
pub(in crate::redact) fn is_ssn(digits: &[u8]) -> bool {
    match digits {
        [0, 0, 0, ..] | [6, 6, 6, ..] | [9, ..] => false,
        [_, _, _, 0, 0, ..] | [.., 0, 0, 0, 0] => false,
        _ => digits.len() == 9,
    }
}

fn is_said(text: &[u8], at: usize) -> bool {
    let near = &text[at.saturating_sub(40)..at];
    has_word(near, b"ssn") || has_word(near, b"social security")
}

/// Checks an IBAN from the check digits behind its country.
pub(in crate::redact) fn iban(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = c.start.checked_sub(2)?;
    let country = &c.text[start..c.start];
    let one_case =
        country.iter().all(u8::is_ascii_uppercase) || country.iter().all(u8::is_ascii_lowercase);
    if !one_case || !starts_word(c.text, start) {
        return None;
    }
    let wanted = iban_length(country)?;
    let mut value = [0; IBAN_MAX];
    let end = read_iban(c.text, start, &mut value[..wanted])?;
    (ends_word(c.text, end) && mod_97(&value[..wanted]) == 1).then_some(start..end)
}

/// Reads a number without separators or with one behind every fourth character.
fn read_iban(text: &[u8], start: usize, value: &mut [u8]) -> Option<usize> {
    let (mut at, mut grouped) = (start, false);
    for (place, slot) in value.iter_mut().enumerate() {
        if place > 0 && place % 4 == 0 && (grouped || place == 4) {
            let gap = space(text, at).max(dash(text, at));
            if gap == 0 && grouped {
                return None;
            }
            grouped = gap > 0;
            at += gap;
        }
        let byte = byte(text, at);
        if !byte.is_ascii_alphanumeric() {
            return None;
        }
        *slot = byte.to_ascii_uppercase();
        at += 1;
    }
    Some(at)
}

fn mod_97(value: &[u8]) -> u32 {
    let (head, tail) = value.split_at(4);
    tail.iter().chain(head).fold(0, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    })
}

const IBAN_MAX: usize = 33;

/// Countries and the length of their numbers, from the registry of SWIFT.
const IBAN_LENGTHS: &[(usize, &str)] = &[
    (15, "NO"),
    (16, "BE"),
    (18, "DK FI FK FO GL NL SD"),
    (19, "MK SI"),
    (20, "AT BA EE KZ LT LU MN XK"),
    (21, "CH HR LI LV"),
    (22, "BG BH CR DE GB GE IE ME RS VA"),
    (23, "AE GI IL IQ OM SO TL"),
    (24, "AD CZ ES MD PK RO SA SE SK TN VG"),
    (25, "LY PT ST"),
    (26, "IS TR"),
    (27, "BI DJ FR GR IT MC MR SM"),
    (28, "AL AZ BY CY DO GT HN HU LB NI PL SV"),
    (29, "BR EG PS QA UA"),
    (30, "JO KW MU YE"),
    (31, "MT SC"),
    (32, "LC"),
    (33, "RU"),
];

fn iban_length(country: &[u8]) -> Option<usize> {
    let is_listed = |names: &str| {
        names
            .split(' ')
            .any(|name| name.as_bytes().eq_ignore_ascii_case(country))
    };
    IBAN_LENGTHS
        .iter()
        .find(|(_, names)| is_listed(names))
        .map(|(length, _)| *length)
}
