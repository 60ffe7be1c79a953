//! The bodies of answers: export responses with their partial success, and `google.rpc.Status` for errors.

use std::time::Duration;

use prost::Message;
use serde_json::json;

use super::{Encoding, Signal};
use crate::model::Rejected;

/// The codes of `google.rpc.Code` that we answer with.
///
/// Senders repeat a request after `Unavailable`, and after `ResourceExhausted` where it says when; never after the
/// others (OTLP specification, "Failures").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request cannot be read, today or tomorrow.
    InvalidArgument = 3,
    /// The request is larger than we take.
    ResourceExhausted = 8,
    /// There is no such method, or no such compression.
    Unimplemented = 12,
    /// A fault of ours that sending again would only repeat.
    Internal = 13,
    /// Not now: send it again later.
    Unavailable = 14,
}

/// The same on the wire for all three signals.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`.
#[derive(Clone, Copy, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO: &str = "type.googleapis.com/google.rpc.RetryInfo";

/// Encodes the answer to an export that was taken, whole or in part.
pub fn export_response(signal: Signal, rejected: &Rejected, encoding: Encoding) -> Vec<u8> {
    let partial_success = rejected.message().map(|error_message| PartialSuccess {
        rejected: i64::try_from(rejected.total()).unwrap_or(i64::MAX),
        error_message,
    });
    match encoding {
        Encoding::Protobuf => ExportResponse { partial_success }.encode_to_vec(),
        Encoding::Json => match partial_success {
            None => b"{}".to_vec(),
            Some(partial) => json!({ "partialSuccess": {
                rejected_key(signal): partial.rejected.to_string(),
                "errorMessage": partial.error_message,
            }})
            .to_string()
            .into_bytes(),
        },
    }
}

/// Reads what a server refused out of its answer in protobuf: how many items, and its sentence about them.
///
/// `None` where it refused nothing, or where the bytes are no export response.
pub fn refused(body: &[u8]) -> Option<(u64, Option<String>)> {
    let partial = ExportResponse::decode(body).ok()?.partial_success?;
    let message = Some(partial.error_message).filter(|message| !message.is_empty());
    Some((u64::try_from(partial.rejected).unwrap_or(0), message))
}

/// Encodes a `google.rpc.Status`; `retry_after` adds the detail that tells a sender when to come back.
pub fn status(
    code: Code,
    message: &str,
    retry_after: Option<Duration>,
    encoding: Encoding,
) -> Vec<u8> {
    match encoding {
        Encoding::Protobuf => {
            let details = retry_after.map(retry_info).into_iter().collect();
            Status {
                code: code as i32,
                message: message.to_owned(),
                details,
            }
            .encode_to_vec()
        }
        Encoding::Json => {
            let details = retry_after.map(|after| {
                json!([{ "@type": RETRY_INFO, "retryDelay": format!("{}s", after.as_secs_f64()) }])
            });
            let mut status = json!({ "code": code as i32, "message": message });
            if let (Some(details), Some(status)) = (details, status.as_object_mut()) {
                status.insert("details".into(), details);
            }
            status.to_string().into_bytes()
        }
    }
}

fn retry_info(after: Duration) -> Any {
    let delay = Delay {
        seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX),
        nanos: after.subsec_nanos().cast_signed(),
    };
    let info = RetryInfo {
        retry_delay: Some(delay),
    };
    Any {
        type_url: RETRY_INFO.into(),
        value: info.encode_to_vec(),
    }
}

fn rejected_key(signal: Signal) -> &'static str {
    match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
    }
}
