//! The one table that turns errors into HTTP.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::query;

/// Seconds after which a refused query may come again.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("1");

/// An error as the API says it: a status, a stable word, a sentence, and what would help.
#[derive(Debug)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub code: &'static str,
    pub message: String,
    pub hint: Option<String>,
}

impl Failure {
    /// The request itself is wrong.
    pub(super) fn request(status: StatusCode, message: impl Into<String>, hint: &str) -> Self {
        Self {
            status,
            code: "request",
            message: message.into(),
            hint: Some(hint.to_owned()),
        }
    }
}

impl Failure {
    /// The engine has not recovered yet.
    pub(super) fn recovering() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: "recovering",
            message: "the server is reading its log".to_owned(),
            hint: Some("try again after a while; /readyz tells when".to_owned()),
        }
    }
}

impl From<query::Error> for Failure {
    fn from(error: query::Error) -> Self {
        let status = match &error {
            query::Error::Syntax { .. }
            | query::Error::Invalid { .. }
            | query::Error::TooLarge { .. } => StatusCode::BAD_REQUEST,
            query::Error::Refused { .. } => StatusCode::FORBIDDEN,
            query::Error::Timeout { .. } => StatusCode::GATEWAY_TIMEOUT,
            query::Error::Memory { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            query::Error::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status == StatusCode::INTERNAL_SERVER_ERROR {
            tracing::error!(error = &error as &dyn std::error::Error, "query failed");
        }
        let hint = error.hint().map(str::to_owned);
        Self {
            status,
            code: error.code(),
            message: error.to_string(),
            hint,
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut error = serde_json::json!({ "code": self.code, "message": self.message });
        if let Some(hint) = self.hint {
            error["hint"] = hint.into();
        }
        let mut response =
            (self.status, Json(serde_json::json!({ "error": error }))).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, RETRY_AFTER);
        }
        response
    }
}
