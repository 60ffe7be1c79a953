//! Secrets that have a form of their own: tokens, private keys, credentials in URLs and authorization headers.

use std::ops::Range;
use std::sync::LazyLock;

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use memchr::memmem;
use regex::bytes::Regex;

use crate::redact::chars::{before, byte, ends_word, is_word, run, skip, space, starts_word};
use crate::redact::class::PLACEHOLDER;
use crate::redact::rule::{Candidate, is_random};

/// Three parts (five when encrypted), the first of which is a JSON object.
static JWT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)\AeyJ[\w=-]{9,}\.[\w=-]{5,}(?:\.\w[\w=-]*){0,3}")
        .expect("the pattern is a constant")
});

/// Checks a JSON web token; one that was cut off in its second part is one too.
pub(in crate::redact) fn jwt(c: Candidate<'_>) -> Option<Range<usize>> {
    if !starts_word(c.text, c.start) {
        return None;
    }
    let token = JWT.find(&c.text[c.start..])?;
    Some(c.start..c.start + token.end())
}

/// The longest private key looked at.
const PEM_MAX: usize = 16 * 1024;

/// Checks a private key in PEM from its `-----BEGIN`; without an end it reaches as far as base64 and line breaks do.
pub(in crate::redact) fn pem(c: Candidate<'_>) -> Option<Range<usize>> {
    let label = run(c.text, c.end, 64, |b| {
        b.is_ascii_uppercase() || b.is_ascii_digit() || b == b' '
    });
    if memmem::find(&c.text[c.end..label], b"PRIVATE KEY").is_none() || byte(c.text, label) != b'-'
    {
        return None;
    }
    let body = run(c.text, label, 5, |b| b == b'-');
    let window = &c.text[body..c.text.len().min(body + PEM_MAX)];
    let cut = body + memmem::find(window, b"-----BEGIN").unwrap_or(window.len());
    let end = match memmem::find(&c.text[body..cut], b"-----END") {
        Some(found) => {
            let label = run(c.text, body + found + 8, 64, |b| {
                b.is_ascii_uppercase() || b == b' '
            });
            run(c.text, label, 5, |b| b == b'-')
        }
        None => base64_lines_end(&c.text[..cut], body)?,
    };
    Some(c.start..end)
}

/// Returns where lines of base64 end; the last one may be short. Words are shorter than lines.
fn base64_lines_end(text: &[u8], start: usize) -> Option<usize> {
    let mut end = None;
    let mut at = start;
    loop {
        at = skip(text, at, |text, at| {
            match (byte(text, at), byte(text, at + 1)) {
                (b'\\', b'n' | b'r' | b't') => 2,
                (b'\\', _) => 1,
                _ => space(text, at),
            }
        });
        let stop = run(text, at, PEM_MAX, |b| {
            b.is_ascii_alphanumeric() || b"+/=".contains(&b)
        });
        if stop - at < 16 && (end.is_none() || stop == at) {
            return end;
        }
        end = Some(stop);
        if stop - at < 16 {
            return end;
        }
        at = stop;
    }
}

/// The longest user name and password looked at.
const USERINFO_MAX: usize = 1024;

/// Checks the `://` of a URL for a password, or for a token in the place of the user.
pub(in crate::redact) fn url_credentials(c: Candidate<'_>) -> Option<Range<usize>> {
    if !before(c.text, c.start).is_ascii_alphanumeric()
        || c.text[c.end..].starts_with(PLACEHOLDER.as_bytes())
    {
        return None;
    }
    let limit = run(c.text, c.end, USERINFO_MAX, |b| {
        !b.is_ascii_whitespace() && !b"/\"'`<>\\".contains(&b)
    });
    let info = &c.text[c.end..limit];
    let at = memchr::memrchr(b'@', info)?;
    let password = match memchr::memchr(b':', &info[..at]) {
        Some(colon)
            if info[..colon]
                .iter()
                .all(|b| is_word(*b) || b"-.~%+@".contains(b)) =>
        {
            colon + 1..at
        }
        None if at >= 16 && is_random(&info[..at]) => 0..at,
        _ => return None,
    };
    let is_done = info[password.clone()].starts_with(PLACEHOLDER.as_bytes());
    (!password.is_empty() && !is_done && byte(c.text, c.end + at + 1) != 0)
        .then_some(c.end + password.start..c.end + password.end)
}

/// The longest part of an authorization that is looked at.
const TOKEN_MAX: usize = 512;

/// Checks the token behind `Bearer`.
pub(in crate::redact) fn bearer(c: Candidate<'_>) -> Option<Range<usize>> {
    let Range { start, end } = token68(c)?;
    let value = &c.text[start..end];
    let is_token = value.len() >= 8 && is_random(value) || value.len() >= 32;
    let rest = if value.len() == TOKEN_MAX {
        usize::MAX
    } else {
        0
    };
    is_token.then(|| start..run(c.text, end, rest, is_token68))
}

/// Checks the user and password behind `Basic`.
pub(in crate::redact) fn basic(c: Candidate<'_>) -> Option<Range<usize>> {
    let found = token68(c)?;
    let lenient = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decoded = GeneralPurpose::new(&STANDARD, lenient)
        .decode(&c.text[found.clone()])
        .ok()?;
    let is_text = std::str::from_utf8(&decoded).is_ok_and(|text| !text.contains(char::is_control));
    (is_text && decoded.contains(&b':')).then_some(found)
}

fn token68(c: Candidate<'_>) -> Option<Range<usize>> {
    let start = skip(c.text, c.end, |text, at| {
        if byte(text, at) == b'+' {
            1
        } else {
            space(text, at)
        }
    });
    if start == c.end || !starts_word(c.text, c.start) {
        return None;
    }
    let end = run(c.text, start, TOKEN_MAX, is_token68);
    let is_sentence = before(c.text, end) == b'.' && end - start < TOKEN_MAX;
    let end = if is_sentence { end - 1 } else { end };
    (end > start).then_some(start..end)
}

fn is_token68(byte: u8) -> bool {
    is_word(byte) || b"-.~+/=".contains(&byte)
}

/// Checks a Telegram bot's token: its number, a colon, 35 characters.
pub(in crate::redact) fn telegram(c: Candidate<'_>) -> Option<Range<usize>> {
    let body = c.end + 1;
    let end = run(c.text, body, 36, |b| is_word(b) || b == b'-');
    (starts_word(c.text, c.start)
        && byte(c.text, c.end) == b':'
        && end - body.min(end) == 35
        && c.text[body..].starts_with(b"AA")
        && ends_word(c.text, end))
    .then_some(c.start..end)
}

/// Checks the secret part of a web hook's address.
pub(in crate::redact) fn webhook(c: Candidate<'_>) -> Option<Range<usize>> {
    let end = run(c.text, c.end, 256, |b| is_word(b) || b == b'/' || b == b'-');
    (end - c.end >= 20 && is_random(c.text[c.end..end].rsplit(|b| *b == b'/').next()?))
        .then_some(c.end..end)
}
