//! What can go wrong in the engine, and what the caller should do about it.

use crate::{base, query, table, wal};

use super::entry;

/// Why the engine could not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The rows that wait for their table take all the memory they may.
    #[error(
        "the buffer holds {bytes} bytes of its {limit}, rows are written faster than the store takes them"
    )]
    BufferFull {
        /// Bytes held.
        bytes: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// The log cannot be opened.
    #[error("cannot open the log")]
    Open(#[source] wal::Error),
    /// The log holds rows for tables elsewhere: opened here, they would be written here and forgotten there.
    #[error("the log in {} belongs to the tables at {theirs}, not at {ours}", wal.display())]
    OtherTables {
        /// The directory of the log.
        wal: std::path::PathBuf,
        /// Where its tables are.
        theirs: String,
        /// Where they were looked for.
        ours: String,
    },
    /// The log.
    #[error("the log failed")]
    Wal(#[from] wal::Error),
    /// A table.
    #[error("a table cannot be read or written")]
    Table(#[from] table::Error),
    /// The object store.
    #[error("the store cannot be opened")]
    Store(#[from] base::store::Error),
    /// The query engine could not be started.
    #[error("the query engine cannot be started")]
    Engine(#[from] query::Error),
    /// An entry of the log.
    #[error("entry {sequence} of the log cannot be read")]
    Entry {
        /// Its sequence number.
        sequence: u64,
        /// What is wrong with it.
        #[source]
        source: entry::Error,
    },
    /// The files beside the log.
    #[error("cannot use {}", path.display())]
    Local {
        /// The file or directory.
        path: std::path::PathBuf,
        /// The system's answer.
        #[source]
        source: std::io::Error,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Closed,
    /// Something that cannot happen, did.
    #[error("bug: {0}")]
    Bug(String),
}

/// What a caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Change the request.
    Invalid,
    /// Try again after a while.
    Busy,
    /// Storage is away; try again after a while.
    Unavailable,
    /// Stop, call a person.
    Damaged,
    /// The server is stopping; try another or later.
    Closed,
    /// Tell us.
    Bug,
}

impl Error {
    /// Returns what the caller should do.
    pub fn kind(&self) -> Kind {
        match self {
            Self::BufferFull { .. } => Kind::Busy,
            Self::Wal(wal::Error::TooLarge { .. }) => Kind::Invalid,
            Self::Wal(wal::Error::Busy | wal::Error::Full { .. }) => Kind::Busy,
            Self::Open(wal::Error::Damaged { .. })
            | Self::Wal(wal::Error::Damaged { .. })
            | Self::Entry { .. }
            | Self::OtherTables { .. } => Kind::Damaged,
            Self::Open(_) | Self::Wal(_) | Self::Table(_) | Self::Store(_) | Self::Local { .. } => {
                Kind::Unavailable
            }
            Self::Closed => Kind::Closed,
            Self::Engine(_) | Self::Bug(_) => Kind::Bug,
        }
    }
}
