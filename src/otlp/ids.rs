//! Trace and span ids: bytes in protobuf, hexadecimal text in JSON, checked alike.

use std::fmt;

use super::refusal::Refusal;
use crate::model::Reason;

/// An id as it was sent, before anybody asked whether it is one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Id<const N: usize> {
    #[default]
    Missing,
    /// Of the right length; may be all zero.
    Bytes([u8; N]),
    /// This many bytes.
    Length(usize),
    /// This many hexadecimal digits.
    Digits(usize),
    NotHex,
}

impl<const N: usize> Id<N> {
    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        match bytes.try_into() {
            Ok(bytes) => Self::Bytes(bytes),
            Err(_) if bytes.is_empty() => Self::Missing,
            Err(_) => Self::Length(bytes.len()),
        }
    }

    /// Takes digits in any case.
    pub(super) fn from_hex(text: &str) -> Self {
        let mut bytes = [0; N];
        match hex::decode_to_slice(text, &mut bytes) {
            Ok(()) => Self::Bytes(bytes),
            Err(_) if text.is_empty() => Self::Missing,
            Err(_) if !text.bytes().all(|byte| byte.is_ascii_hexdigit()) => Self::NotHex,
            Err(_) => Self::Digits(text.len()),
        }
    }

    /// Returns the id where it is one.
    pub(super) fn valid(self) -> Option<[u8; N]> {
        match self {
            Self::Bytes(bytes) if bytes != [0; N] => Some(bytes),
            _ => None,
        }
    }

    /// Returns the id, or what is wrong with it.
    pub(super) fn required(self, field: &str, reason: Reason) -> Result<[u8; N], Refusal> {
        self.valid()
            .ok_or_else(|| Refusal::new(reason, format!("{field} {}", self.fault())))
    }

    /// Returns the id where there is one: empty and all zero both say "none", anything else must be an id.
    pub(super) fn optional(self, field: &str, reason: Reason) -> Result<Option<[u8; N]>, Refusal> {
        match self {
            Self::Missing => Ok(None),
            Self::Bytes(bytes) if bytes == [0; N] => Ok(None),
            other => other.required(field, reason).map(Some),
        }
    }

    fn fault(self) -> String {
        match self {
            Self::Missing => "is missing".into(),
            Self::Bytes(_) => "is all zero".into(),
            Self::Length(length) => format!("is {length} bytes long instead of {N}"),
            Self::Digits(digits) => format!("is {digits} digits long instead of {}", 2 * N),
            Self::NotHex => "is not hexadecimal".into(),
        }
    }
}

/// Names one item of a request in a message: its place and, where it was read, its span id.
#[derive(Clone, Copy, Debug)]
pub(super) struct Item {
    pub(super) noun: &'static str,
    /// Counted from 0 over the whole request.
    pub(super) index: u64,
    pub(super) span_id: Id<8>,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.noun, self.index)?;
        match self.span_id.valid() {
            Some(id) => write!(f, " ({})", hex::encode(id)),
            None => Ok(()),
        }
    }
}
