//! What can go wrong with a query, in words for the person who asked.
//!
//! Messages are one line, lower case, and name neither files nor the machinery; what is our fault keeps its cause as
//! the source, for the log.

use std::fmt;
use std::sync::Arc;

use datafusion::arrow::error::ArrowError;
use datafusion::common::{
    DataFusionError, SchemaError, utils::datafusion_strsim::normalized_levenshtein,
};
use datafusion::sql::sqlparser::parser::ParserError;

/// The result of a step of a query.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Messages longer than this are cut: some of DataFusion's list a whole schema.
const MESSAGE_CHARS_MAX: usize = 300;

/// How close a name must be to be suggested, 1 being equal.
const SIMILAR: f64 = 0.5;

/// Why a query has no answer. The variant is the advice: change the query, ask for less, come back, or call us.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The text is not SQL.
    #[error("{message}")]
    Syntax {
        /// What the parser expected, and where.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// The text is SQL, but means nothing here, or fails on the data it meets.
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// What would help.
        hint: Option<String>,
    },
    /// A statement that only reads tables would be fine; this one is not such a statement.
    #[error("{message}")]
    Refused {
        /// What is refused.
        message: String,
        /// What is allowed instead.
        hint: Option<String>,
    },
    /// The query or its answer is larger than a limit, which the message names.
    #[error("{message}")]
    TooLarge {
        /// The limit and what was found.
        message: String,
        /// How to stay below it.
        hint: Option<String>,
    },
    /// The query took longer than its deadline.
    #[error("the query took longer than {limit_ms} ms{}", if *.planning { " to plan" } else { "" })]
    Timeout {
        /// The deadline that passed.
        limit_ms: u64,
        /// Whether it was the deadline for planning.
        planning: bool,
    },
    /// The query needs more memory or spill space than there is for it.
    #[error("{message}")]
    Memory {
        /// Which memory ran out.
        message: String,
    },
    /// Too many queries are running; the same query may succeed after a while.
    #[error("{message}")]
    Busy {
        /// What there is too much of.
        message: String,
    },
    /// The one who asked has left.
    #[error("the query was cancelled")]
    Cancelled,
    /// A failure of ours or of the storage below.
    #[error("{message}")]
    Internal {
        /// What failed, without details.
        message: String,
        /// The details, for the log.
        #[source]
        source: Option<Arc<dyn std::error::Error + Send + Sync>>,
    },
}

impl Error {
    /// Returns what would help, where something would.
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Syntax { hint, .. }
            | Self::Invalid { hint, .. }
            | Self::Refused { hint, .. }
            | Self::TooLarge { hint, .. } => hint.as_deref(),
            Self::Timeout { .. } => Some("narrow the time range or aggregate more"),
            Self::Memory { .. } => {
                Some("narrow the time range, select fewer columns or aggregate more")
            }
            Self::Busy { .. } => Some("try again after a while"),
            Self::Cancelled | Self::Internal { .. } => None,
        }
    }

    /// Returns the stable word for this kind of error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Syntax { .. } => "syntax",
            Self::Invalid { .. } => "invalid",
            Self::Refused { .. } => "refused",
            Self::TooLarge { .. } => "too_large",
            Self::Timeout { .. } => "timeout",
            Self::Memory { .. } => "memory",
            Self::Busy { .. } => "busy",
            Self::Cancelled => "cancelled",
            Self::Internal { .. } => "internal",
        }
    }

    pub(super) fn syntax(message: impl Into<String>) -> Self {
        Self::Syntax {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn refused(message: impl Into<String>) -> Self {
        let hint = "select, explain, show and describe are answered here".to_owned();
        Self::Refused {
            message: message.into(),
            hint: Some(hint),
        }
    }

    pub(super) fn too_large(message: impl Into<String>) -> Self {
        Self::TooLarge {
            message: message.into(),
            hint: None,
        }
    }

    /// Says that there are `found` of something of which `limit` are allowed.
    pub(super) fn over(what: &str, found: impl fmt::Display, limit: impl fmt::Display) -> Self {
        Self::too_large(format!(
            "the query has {found} {what}, more than the limit of {limit}"
        ))
    }

    pub(super) fn memory(message: impl Into<String>) -> Self {
        Self::Memory {
            message: message.into(),
        }
    }

    pub(super) fn busy(message: impl Into<String>) -> Self {
        Self::Busy {
            message: message.into(),
        }
    }

    pub(super) fn internal(
        message: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> Self {
        Self::Internal {
            message: message.into(),
            source: Some(Arc::new(source)),
        }
    }

    pub(super) fn bug(message: impl Into<String>) -> Self {
        Self::Internal {
            message: message.into(),
            source: None,
        }
    }

    pub(super) fn with_hint(mut self, text: impl Into<String>) -> Self {
        if let Self::Syntax { hint, .. }
        | Self::Invalid { hint, .. }
        | Self::Refused { hint, .. }
        | Self::TooLarge { hint, .. } = &mut self
        {
            *hint = Some(text.into());
        }
        self
    }

    /// Says that there is no `name` among `names`, and which of them may have been meant.
    pub(super) fn unknown(kind: &str, name: &str, names: &[String]) -> Self {
        let name: String = name.chars().take(80).collect();
        let error = Self::invalid(format!("there is no {kind} '{name}'"));
        match closest(&name, names) {
            Some(near) => error.with_hint(format!("did you mean '{near}'?")),
            None if names.is_empty() => error,
            None => error.with_hint(format!("{kind}s: {}", listed(names))),
        }
    }
}

/// Our own errors travel through DataFusion's operators and functions inside its error type.
impl From<Error> for DataFusionError {
    fn from(error: Error) -> Self {
        Self::External(Box::new(error))
    }
}

impl From<DataFusionError> for Error {
    fn from(error: DataFusionError) -> Self {
        Self::from(&error)
    }
}

impl From<&DataFusionError> for Error {
    fn from(error: &DataFusionError) -> Self {
        if let Some(ours) = ours(error) {
            return ours.clone();
        }
        match error.find_root() {
            DataFusionError::SQL(parser, _) => from_parser(parser),
            DataFusionError::SchemaError(schema, _) => from_schema(schema),
            DataFusionError::Plan(text)
            | DataFusionError::NotImplemented(text)
            | DataFusionError::Execution(text)
            | DataFusionError::Configuration(text) => from_text(text),
            DataFusionError::ArrowError(arrow, _) => from_arrow(arrow, error),
            DataFusionError::ResourcesExhausted(text) => from_exhausted(text),
            DataFusionError::Collection(errors) => errors
                .first()
                .map_or_else(|| Self::bug("the query failed"), Self::from),
            DataFusionError::Diagnostic(_, inner) | DataFusionError::Context(_, inner) => {
                Self::from(inner.as_ref())
            }
            _ => Self::internal(
                "the query failed inside the engine",
                Cause(error.to_string()),
            ),
        }
    }
}

/// The text of a cause that cannot be moved out of where it was found.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Cause(String);

fn ours(error: &DataFusionError) -> Option<&Error> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(ours) = error.downcast_ref::<Error>() {
            return Some(ours);
        }
        next = match error.downcast_ref::<DataFusionError>() {
            Some(DataFusionError::External(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Shared(inner)) => Some(inner.as_ref()),
            Some(DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner)) => {
                Some(inner.as_ref())
            }
            _ => match error.downcast_ref::<ArrowError>() {
                Some(ArrowError::ExternalError(inner)) => Some(inner.as_ref()),
                _ => error.source(),
            },
        };
    }
    None
}

/// Takes DataFusion's own suggestion, on the second line, as the hint.
fn from_text(text: &str) -> Error {
    let error = Error::invalid(one_line(text));
    match text
        .lines()
        .map(str::trim)
        .find(|line| line.starts_with("Did you mean"))
    {
        Some(line) => error.with_hint(one_line(line)),
        None => error,
    }
}

fn from_parser(error: &ParserError) -> Error {
    match error {
        ParserError::ParserError(text) | ParserError::TokenizerError(text) => {
            Error::syntax(one_line(text))
        }
        ParserError::RecursionLimitExceeded => Error::too_large("the query is nested too deeply"),
    }
}

fn from_schema(error: &SchemaError) -> Error {
    match error {
        SchemaError::FieldNotFound {
            field,
            valid_fields,
        } => {
            let mut names: Vec<String> = valid_fields.iter().map(|c| c.name.clone()).collect();
            names.sort_unstable();
            names.dedup();
            Error::unknown("column", &field.flat_name(), &names)
        }
        other => Error::invalid(one_line(&other.to_string())),
    }
}

fn from_arrow(arrow: &ArrowError, whole: &DataFusionError) -> Error {
    match arrow {
        ArrowError::DivideByZero => Error::invalid("division by zero"),
        ArrowError::CastError(text)
        | ArrowError::ComputeError(text)
        | ArrowError::ParseError(text)
        | ArrowError::InvalidArgumentError(text)
        | ArrowError::ArithmeticOverflow(text)
        | ArrowError::SchemaError(text)
        | ArrowError::NotYetImplemented(text) => Error::invalid(one_line(text)),
        // What the spill writers meet comes wrapped as a failure to write.
        ArrowError::IoError(text, io) => {
            let inner = io
                .get_ref()
                .and_then(|inner| inner.downcast_ref::<DataFusionError>());
            match inner {
                Some(inner) => Error::from(inner),
                None if text.contains("disk space") => from_exhausted(text),
                None => Error::internal("cannot read or write", Cause(whole.to_string())),
            }
        }
        ArrowError::OffsetOverflowError(_) => {
            Error::too_large("a column of one batch is larger than 2 GiB")
        }
        _ => Error::internal(
            "the query failed inside the engine",
            Cause(whole.to_string()),
        ),
    }
}

fn from_exhausted(text: &str) -> Error {
    tracing::debug!(detail = one_line(text), "a query has too little memory");
    if text.contains("disk space") {
        return Error::memory("the query needs more spill space than there is for it");
    }
    Error::memory("the query needs more memory than there is for it")
}

/// Returns the first line without DataFusion's prefixes, beginning in lower case.
pub(super) fn one_line(text: &str) -> String {
    let line = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty())
        .unwrap_or("invalid query");
    let mut line = line;
    for prefix in [
        "Error during planning: ",
        "Execution error: ",
        "sql parser error: ",
    ] {
        line = line.strip_prefix(prefix).unwrap_or(line);
    }
    let mut chars = line.chars();
    let shouted = line.chars().nth(1).is_some_and(char::is_uppercase);
    let first = chars
        .next()
        .map(|c| if shouted { c } else { c.to_ascii_lowercase() });
    let mut cut: String = first
        .into_iter()
        .chain(chars)
        .take(MESSAGE_CHARS_MAX)
        .collect();
    if line.chars().count() > MESSAGE_CHARS_MAX {
        cut.push('…');
    }
    cut.trim_end_matches('.').to_owned()
}

fn closest<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let name = name.rsplit('.').next().unwrap_or(name).to_lowercase();
    names
        .iter()
        .map(|other| {
            (
                normalized_levenshtein(&name, &other.to_lowercase()),
                other.as_str(),
            )
        })
        .filter(|(score, _)| *score >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| other)
}

fn listed(names: &[String]) -> String {
    const SHOWN: usize = 20;
    let shown = names
        .iter()
        .take(SHOWN)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(", ");
    if names.len() > SHOWN {
        format!("{shown}, …")
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_lower_case_line_of_bounded_length() {
        assert_eq!(
            one_line("Error during planning: No such thing.\nbacktrace: 1 2 3"),
            "no such thing"
        );
        assert_eq!(one_line(&"x".repeat(300)).chars().count(), 300);
        assert_eq!(
            one_line(&"x".repeat(301)).chars().count(),
            301,
            "300 and the ellipsis"
        );
    }

    #[test]
    fn our_own_error_survives_its_way_through_datafusion() {
        let wrapped = DataFusionError::from(Error::over("joins", 33, 32)).context("while planning");
        let shared = DataFusionError::Shared(Arc::new(wrapped));
        let arrow = ArrowError::ExternalError(Box::new(shared));
        let error = Error::from(DataFusionError::ArrowError(Box::new(arrow), None));
        assert_eq!(
            error.to_string(),
            "the query has 33 joins, more than the limit of 32"
        );
        assert_eq!(error.code(), "too_large");
    }

    #[test]
    fn a_name_that_is_close_is_suggested_and_else_all_are_listed() {
        let names = ["spans".to_owned(), "runs".to_owned()];
        assert_eq!(
            Error::unknown("table", "span", &names).hint(),
            Some("did you mean 'spans'?")
        );
        assert_eq!(
            Error::unknown("table", "xyzzy", &names).hint(),
            Some("tables: spans, runs")
        );
    }

    #[test]
    fn failures_of_ours_say_no_more_than_that() {
        let io = std::io::Error::other("/var/lib/outspan/spill/1: no such file");
        let error = Error::from(DataFusionError::IoError(io));
        assert_eq!(error.code(), "internal");
        assert!(!error.to_string().contains('/'), "{error}");
    }
}
