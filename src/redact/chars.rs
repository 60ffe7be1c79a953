//! Looking at bytes around a candidate: what a word is, where it may start and end.
//!
//! Text is looked at as it stands, also inside JSON strings and URLs. So the `n` of a line break written as `\n` and the
//! `20` of `%20` end a word although they are letters and digits. Other than in ASCII there are no words here: scripts
//! without spaces put a card number right behind a letter.

/// Returns the byte at a position, or 0 behind the end.
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// Returns the byte before a position, or 0 at the start.
pub(super) fn before(text: &[u8], at: usize) -> u8 {
    at.checked_sub(1).map_or(0, |at| byte(text, at))
}

/// Returns whether a byte belongs to a word.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Returns whether a word may start here: at the start, behind a sign, behind an escape.
pub(super) fn starts_word(text: &[u8], at: usize) -> bool {
    !is_word(before(text, at)) || follows_escape(text, at)
}

/// Returns whether a word may end here.
pub(super) fn ends_word(text: &[u8], at: usize) -> bool {
    !is_word(byte(text, at))
}

/// Returns whether the characters before are an escape: `\n`, `\u00e9`, `%20`.
pub(super) fn follows_escape(text: &[u8], at: usize) -> bool {
    let head = &text[..at];
    match head {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [.., b'%', a, b] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => true,
        _ => {
            head.len() >= 6
                && head[head.len() - 6..].starts_with(b"\\u")
                && head[head.len() - 4..].iter().all(u8::is_ascii_hexdigit)
        }
    }
}

/// Returns the length of the letter of a Latin alphabet beyond ASCII that starts here, or 0.
pub(super) fn latin_letter(text: &[u8], at: usize) -> usize {
    match (byte(text, at), byte(text, at + 1)) {
        (0xc3, 0x97 | 0xb7) => 0, // the signs of multiplication and division
        (0xc3..=0xc9, 0x80..=0xbf) => 2,
        _ => 0,
    }
}

/// Returns the length of the white space that starts here, written out or percent-encoded, or 0.
pub(super) fn space(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b' ' | b'\t' | b'\n' | b'\r', ..] => 1,
        [0xc2, 0xa0, ..] => 2,
        [0xe2, 0x80, 0x87 | 0x89 | 0xaf, ..] | [b'%', b'2', b'0', ..] => 3,
        _ => 0,
    }
}

/// Returns the length of the dash that starts here, or 0.
pub(super) fn dash(text: &[u8], at: usize) -> usize {
    match text.get(at..).unwrap_or_default() {
        [b'-', ..] => 1,
        [0xe2, 0x80, 0x90..=0x93, ..] => 3,
        _ => 0,
    }
}

/// Returns the position behind all that `length` takes, one after the other.
pub(super) fn skip(text: &[u8], mut at: usize, length: fn(&[u8], usize) -> usize) -> usize {
    loop {
        match length(text, at) {
            0 => return at,
            taken => at += taken,
        }
    }
}

/// Returns the position behind the bytes that `wanted` takes, at most `max` of them.
pub(super) fn run(text: &[u8], at: usize, max: usize, wanted: fn(u8) -> bool) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take(max)
        .take_while(|byte| wanted(**byte))
        .count()
}

/// Returns whether a text holds a word, in any case, as a word of its own or as part of a `camelCase` name.
pub(super) fn has_word(text: &[u8], word: &[u8]) -> bool {
    text.windows(word.len()).enumerate().any(|(at, window)| {
        window.eq_ignore_ascii_case(word)
            && !byte(text, at + word.len()).is_ascii_lowercase()
            && !(before(text, at).is_ascii_alphabetic() && window[0].is_ascii_lowercase())
    })
}
