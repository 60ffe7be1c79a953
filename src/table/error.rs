//! What can go wrong with a table, by what the caller can do about it.

use std::error::Error as StdError;
use std::fmt::Display;

/// Any cause.
type Cause = Box<dyn StdError + Send + Sync>;

/// What can go wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store cannot be reached, or refuses: try again after a while.
    #[error("cannot reach {object}")]
    Unavailable {
        /// What was asked for.
        object: String,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// Something is missing or cannot be understood: a person has to look.
    #[error("cannot make sense of {object}")]
    Damaged {
        /// What was read.
        object: String,
        /// Why not.
        #[source]
        source: Cause,
    },
    /// Others changed the table each time we tried: try again.
    #[error("table {table} was changed by others {attempts} times while it was being changed here")]
    Conflict {
        /// Its name.
        table: &'static str,
        /// How often.
        attempts: usize,
    },
    /// The table needs what we do not know: of a newer Outspan, or changed by another program.
    #[error("cannot use table {table}: {reason}")]
    Unsupported {
        /// Its name.
        table: &'static str,
        /// What it needs.
        reason: String,
    },
}

/// A result of a table.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Returns the error that `source` is when it happens at `object`: a store that is away, or damage.
    pub(super) fn at(object: impl Display, source: impl Into<Cause>) -> Self {
        let (object, source) = (object.to_string(), source.into());
        if is_of_the_store(source.as_ref()) {
            Self::Unavailable { object, source }
        } else {
            Self::Damaged { object, source }
        }
    }
}

/// Returns whether an error has its root in a store that does not do what it should. What is not there is not such an
/// error: we ask only for what the log names.
fn is_of_the_store(error: &(dyn StdError + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<object_store::Error>() {
            return !matches!(error, object_store::Error::NotFound { .. });
        }
        if error.is::<std::io::Error>() || error.is::<tokio::task::JoinError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::errors::ParquetError;

    fn away() -> object_store::Error {
        object_store::Error::Generic {
            store: "S3",
            source: "connection refused".into(),
        }
    }

    #[test]
    fn a_store_that_is_away_is_told_from_damage_however_deep_the_cause_is() {
        assert!(matches!(Error::at("x", away()), Error::Unavailable { .. }));
        let wrapped = ParquetError::External(Box::new(away()));
        assert!(matches!(Error::at("x", wrapped), Error::Unavailable { .. }));
        let damaged = ParquetError::General("bad magic".into());
        assert!(matches!(Error::at("x", damaged), Error::Damaged { .. }));
    }

    #[test]
    fn a_file_that_the_log_names_and_that_is_gone_is_damage() {
        let gone = object_store::Error::NotFound {
            path: "x".into(),
            source: "gone".into(),
        };
        assert!(matches!(Error::at("x", gone), Error::Damaged { .. }));
    }
}
