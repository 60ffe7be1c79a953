//! E-mail addresses, from their `@`: written out, percent-encoded in a URL, or escaped in a piece of JSON.

use std::ops::Range;

use crate::redact::chars::{before, byte, latin_letter, skip};
use crate::redact::rule::Candidate;

/// A local part has at most 64 bytes; percent-encoded it can be three times as long.
const LOCAL_MAX: usize = 192;
/// A domain has at most 253 bytes.
const DOMAIN_MAX: usize = 253;

/// Checks the `@` of an address.
pub(in crate::redact) fn check(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = local_start(c.text, c.start)?;
    let end = domain_end(c.text, c.end)?;
    let is_repository = &c.text[start..c.start] == b"git"; // git@github.com:...
    (!is_repository).then_some(start..end)
}

fn local_start(text: &[u8], end: usize) -> Option<usize> {
    let mut start = end;
    while end - start < LOCAL_MAX {
        match local_char_before(text, start) {
            0 => break,
            taken => start -= taken,
        }
    }
    // The first letter of an escape belongs to the escape: `\njane@example.com`. A letter that is one does not.
    if before(text, start) == b'\\' {
        let is_letter = byte(text, start) == b'u' && end - start > 5;
        match byte(text, start) {
            _ if is_letter => start -= 1,
            b'n' | b't' | b'r' | b'b' | b'f' => start += 1,
            _ => {}
        }
    }
    while start < end && b".'-+".contains(&byte(text, start)) {
        start += 1; // a quote or punctuation in front
    }
    (start < end && before(text, end) != b'.').then_some(start)
}

/// Returns the length of the character of a local part that ends at a position, or 0.
fn local_char_before(text: &[u8], at: usize) -> usize {
    if let [.., b'%', high, low] = &text[..at]
        && let (Some(high), Some(low)) = ((*high as char).to_digit(16), (*low as char).to_digit(16))
    {
        let code = high * 16 + low;
        return if code >= 0x80 || u8::try_from(code).is_ok_and(is_local) {
            3
        } else {
            0
        };
    }
    let last = before(text, at);
    if is_local(last) {
        return 1;
    }
    if at >= 2 {
        latin_letter(text, at - 2)
    } else {
        0
    }
}

fn is_local(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b".+-_'".contains(&byte)
}

/// Returns where a domain ends: behind the last label that can be a top-level domain, but the first label is none.
fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    if matches!(&text[start..], [b'1'..=b'9', b'x', b'.', ..]) {
        return None; // a picture for dense screens: logo@2x.png
    }
    let mut label = start;
    let mut end = None;
    loop {
        let next = label_end(text, label);
        if next == label || next - start > DOMAIN_MAX {
            return end;
        }
        if label > start {
            end = top_level_end(text, label).or(end);
        }
        if byte(text, next) != b'.' {
            return end;
        }
        label = next + 1;
    }
}

fn label_end(text: &[u8], start: usize) -> usize {
    skip(text, start, |text, at| match byte(text, at) {
        b if b.is_ascii_alphanumeric() => 1,
        b'-' => 1,
        _ => latin_letter(text, at),
    })
}

/// Returns where the letters end that a label starts with, if they can be a top-level domain. A dash behind them is
/// punctuation, if the label is the last one.
fn top_level_end(text: &[u8], label: usize) -> Option<usize> {
    if text[label..].starts_with(b"xn--") {
        return Some(label_end(text, label));
    }
    let end = skip(text, label, |text, at| {
        if byte(text, at).is_ascii_alphabetic() {
            1
        } else {
            latin_letter(text, at)
        }
    });
    (end - label >= 2 && !byte(text, end).is_ascii_digit()).then_some(end)
}
