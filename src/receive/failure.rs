//! Why a request was not taken, and how each protocol says so.
//!
//! Senders repeat a request after 429, 502, 503 and 504 and after gRPC's CANCELLED, DEADLINE_EXCEEDED, ABORTED,
//! OUT_OF_RANGE, UNAVAILABLE and DATA_LOSS; after RESOURCE_EXHAUSTED only where it comes with a RetryInfo (OTLP
//! specification 1.5, "Failures"). So: what may succeed later is 429 or 503 and UNAVAILABLE with a time, what cannot
//! is one of the others without.

use std::time::Duration;

use axum::http::StatusCode;

use super::IngestError;
use super::admission::NoRoom;
use crate::otlp::{Code, DecodeError};

/// One refusal of a whole request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) kind: Kind,
    pub(super) message: String,
}

/// What the sender should make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It can never be read.
    Undecodable,
    /// It is larger than we take.
    TooLarge,
    /// It comes in a form that we do not know.
    Unsupported,
    /// It came while there was too much: again after this time.
    Busy(Duration),
    /// We cannot store it now: again after this time.
    Unavailable(Duration),
    /// A fault of ours.
    Bug,
}

/// After this time a burst is over.
const SOON: Duration = Duration::from_secs(1);
/// After this time a disk may have been cleared.
const LATER: Duration = Duration::from_secs(10);

impl Failure {
    pub(super) fn undecodable(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Undecodable,
            message: message.into(),
        }
    }

    pub(super) fn unsupported(message: impl Into<String>) -> Self {
        Self {
            kind: Kind::Unsupported,
            message: message.into(),
        }
    }

    pub(super) fn over_rate(wait: Duration) -> Self {
        // In whole seconds, and never none: that is what `Retry-After` can say.
        let wait = Duration::from_secs(wait.as_secs() + 1);
        Self {
            kind: Kind::Busy(wait),
            message: "the tenant sends more than its rate".to_owned(),
        }
    }

    pub(super) fn too_large(limit: usize) -> Self {
        Self {
            kind: Kind::TooLarge,
            message: format!("body is larger than {limit} bytes after decompression"),
        }
    }

    pub(super) fn late(after: Duration) -> Self {
        let message = format!("body did not arrive within {} s", after.as_secs_f64());
        Self {
            kind: Kind::Unavailable(SOON),
            message,
        }
    }

    pub(super) fn bug() -> Self {
        Self::from(IngestError::Bug)
    }
}

impl Kind {
    /// Returns when to come back; `None` is "never with this".
    pub(super) fn retry_after(self) -> Option<Duration> {
        match self {
            Self::Busy(after) | Self::Unavailable(after) => Some(after),
            Self::Undecodable | Self::TooLarge | Self::Unsupported | Self::Bug => None,
        }
    }

    /// Returns the kind as a metric's label and as an error's code.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Undecodable => "invalid",
            Self::TooLarge => "too_large",
            Self::Unsupported => "unsupported",
            Self::Busy(_) => "busy",
            Self::Unavailable(_) => "unavailable",
            Self::Bug => "bug",
        }
    }

    pub(super) fn http_status(self) -> StatusCode {
        match self {
            Self::Undecodable => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unsupported => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    pub(super) fn code(self) -> Code {
        match self {
            Self::Undecodable => Code::InvalidArgument,
            Self::TooLarge => Code::ResourceExhausted,
            Self::Unsupported => Code::Unimplemented,
            Self::Busy(_) | Self::Unavailable(_) => Code::Unavailable,
            Self::Bug => Code::Internal,
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        let kind = match &error {
            IngestError::Busy { retry_after } => Kind::Busy(*retry_after),
            IngestError::Full => Kind::Unavailable(LATER),
            IngestError::Unavailable | IngestError::Closed => Kind::Unavailable(SOON),
            IngestError::Invalid(_) => Kind::Undecodable,
            IngestError::Bug => Kind::Bug,
        };
        Self {
            kind,
            message: error.to_string(),
        }
    }
}

impl From<NoRoom> for Failure {
    fn from(_: NoRoom) -> Self {
        IngestError::Busy { retry_after: SOON }.into()
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Self::undecodable(error.to_string())
    }
}
