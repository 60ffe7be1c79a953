//! How a span ended, and what kind of error it was (semconv.md §4.7).

use super::coerce::first_chars;

/// Characters kept of an error's type.
const TYPE_CHARS_MAX: usize = 80;

/// The exceptions among a span's events.
#[derive(Debug, Default)]
pub(super) struct Exceptions {
    last: Option<String>,
    /// Whether one was more than control flow.
    real: bool,
}

impl Exceptions {
    /// Notes the type of one exception.
    pub(super) fn add(&mut self, exception: &str) {
        let class = short(exception);
        self.real |= !is_deferral(class);
        self.last = Some(class.to_owned());
    }

    fn only_defer(&self) -> bool {
        self.last.is_some() && !self.real
    }
}

/// How a span ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ending {
    pub(super) status: &'static str,
    pub(super) error_type: Option<String>,
    pub(super) error_class: Option<&'static str>,
}

/// Returns how a span ended, from OTLP's status code, the error type it names, its exceptions, and whether its result
/// says that a tool failed.
pub(super) fn ending(
    status_code: i32,
    named: Option<&str>,
    exceptions: Exceptions,
    tool_failed: bool,
) -> Ending {
    let fine = status_code == 1;
    let deferred = exceptions.only_defer() && named.is_none_or(|named| is_deferral(short(named)));
    let named = named.map(|named| short(named).to_owned());
    let told = named.or(if fine { None } else { exceptions.last });
    let error_type = told.or_else(|| tool_failed.then(|| "tool_error".to_owned()));
    let is = |known: fn(&str) -> bool| error_type.as_deref().is_some_and(known);
    let status = match status_code {
        1 => "ok",
        _ if deferred || is(is_deferral) => "deferred",
        _ if is(is_cancellation) => "cancelled",
        2 => "error",
        _ if tool_failed => "error",
        _ => "unset",
    };
    let counts = !matches!(status, "deferred" | "cancelled");
    let error_class = error_type.as_deref().filter(|_| counts).map(class);
    Ending {
        status,
        error_type,
        error_class,
    }
}

/// Control flow that waits for a person is no error.
fn is_deferral(class: &str) -> bool {
    matches!(
        class,
        "GraphInterrupt" | "GraphBubbleUp" | "CallDeferred" | "ApprovalRequired" | "NodeInterrupt"
    )
}

fn is_cancellation(class: &str) -> bool {
    matches!(class, "CancelledError" | "AbortError")
}

/// Returns the last step of a dotted class, at most 80 characters of it.
fn short(error: &str) -> &str {
    let error = error.trim();
    let dotted = error
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"_.:$<>".contains(&byte));
    let last = error.rsplit(['.', ':']).next().unwrap_or(error);
    let class =
        dotted && last.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    first_chars(if class { last } else { error }, TYPE_CHARS_MAX)
}

/// Returns the class of an error type; the first hit counts.
pub(super) fn class(error_type: &str) -> &'static str {
    let error = error_type.to_ascii_lowercase();
    let any = |words: &[&str]| words.iter().any(|word| error.contains(word));
    let codes = || {
        error
            .split(|c: char| !c.is_ascii_digit())
            .filter(|code| code.len() == 3)
    };
    let code = |known: &[&str]| codes().any(|code| known.contains(&code));
    if any(&["timeout", "timed_out", "timedout", "deadline"]) {
        "timeout"
    } else if (any(&["rate"]) && any(&["limit"])) || code(&["429"]) || any(&["throttl", "quota"]) {
        "rate_limit"
    } else if code(&["401", "403"]) || any(&["auth", "permission"]) {
        "auth"
    } else if any(&["validation", "invalid", "toolretryerror", "badrequest"])
        || code(&["400", "422"])
    {
        "validation"
    } else if any(&["not_found", "notfound"]) || code(&["404"]) {
        "not_found"
    } else if any(&["schema"]) {
        "schema_mismatch"
    } else if any(&["server", "overloaded", "unavailable"])
        || codes().any(|code| code.starts_with('5'))
    {
        "server"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(
        code: i32,
        named: Option<&str>,
        thrown: &[&str],
    ) -> (&'static str, Option<String>, Option<&'static str>) {
        let mut exceptions = Exceptions::default();
        thrown
            .iter()
            .for_each(|exception| exceptions.add(exception));
        let ending = ending(code, named, exceptions, false);
        (ending.status, ending.error_type, ending.error_class)
    }

    #[test]
    fn the_status_is_that_of_the_sender() {
        assert_eq!(ended(0, None, &[]), ("unset", None, None));
        assert_eq!(ended(1, None, &[]), ("ok", None, None));
        assert_eq!(ended(2, None, &[]), ("error", None, None));
        assert_eq!(ended(99, None, &[]).0, "unset");
    }

    #[test]
    fn what_waits_for_a_person_is_deferred_and_has_no_class() {
        let deferred = ended(2, None, &["langgraph.errors.GraphInterrupt"]);
        assert_eq!(
            deferred,
            ("deferred", Some("GraphInterrupt".to_owned()), None)
        );
        assert_eq!(ended(2, None, &["GraphInterrupt", "ValueError"]).0, "error");
        assert_eq!(ended(2, Some("timeout"), &["GraphInterrupt"]).0, "error");
        assert_eq!(ended(2, Some("GraphInterrupt"), &[]).0, "deferred");
    }

    #[test]
    fn a_cancelled_span_did_not_fail() {
        assert_eq!(
            ended(2, None, &["asyncio.exceptions.CancelledError"]).0,
            "cancelled"
        );
        assert_eq!(ended(2, Some("AbortError"), &[]).0, "cancelled");
    }

    #[test]
    fn an_exception_that_was_handled_is_no_error_of_the_span() {
        assert_eq!(ended(1, None, &["ValueError"]), ("ok", None, None));
        assert_eq!(
            ended(0, None, &["ValueError"]).1.as_deref(),
            Some("ValueError")
        );
    }

    #[test]
    fn a_named_type_beats_exceptions_and_is_shortened() {
        let (_, named, class) = ended(2, Some("openai.RateLimitError"), &["ValueError"]);
        assert_eq!(
            (named.as_deref(), class),
            (Some("RateLimitError"), Some("rate_limit"))
        );
        let long = "e".repeat(81);
        assert_eq!(
            ended(2, Some(&long), &[]).1.map(|name| name.len()),
            Some(80)
        );
        assert_eq!(
            ended(2, Some(&long[..80]), &[]).1.map(|name| name.len()),
            Some(80)
        );
        assert_eq!(
            ended(2, Some("cannot read a.b"), &[]).1.as_deref(),
            Some("cannot read a.b")
        );
    }

    #[test]
    fn a_failed_result_of_a_tool_is_an_error() {
        let ending = ending(0, None, Exceptions::default(), true);
        assert_eq!(
            (ending.status, ending.error_type.as_deref()),
            ("error", Some("tool_error"))
        );
    }

    #[test]
    fn error_types_fall_into_classes() {
        for (error, expected) in [
            ("APITimeoutError", "timeout"),
            ("DEADLINE_EXCEEDED", "timeout"),
            ("rate_limited", "rate_limit"),
            ("RateLimitError", "rate_limit"),
            ("429", "rate_limit"),
            ("ThrottlingException", "rate_limit"),
            ("insufficient_quota", "rate_limit"),
            ("401", "auth"),
            ("PermissionDenied", "auth"),
            ("ValidationError", "validation"),
            ("ToolRetryError", "validation"),
            ("BadRequestError", "validation"),
            ("422", "validation"),
            ("not_found", "not_found"),
            ("404", "not_found"),
            ("schema_mismatch", "schema_mismatch"),
            ("InternalServerError", "server"),
            ("503", "server"),
            ("overloaded_error", "server"),
            ("E4001", "other"),
            ("api_error", "other"),
        ] {
            assert_eq!(class(error), expected, "{error}");
        }
    }
}
