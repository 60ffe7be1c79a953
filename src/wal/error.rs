//! What can go wrong with the log, and what each case asks of the caller.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the log cannot do what it was asked. Cheap to clone: one failed write answers a whole group.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process, or another `Wal` of this one, has the directory.
    #[error("log directory {} is in use{}", dir.display(), by(holder.as_deref()))]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// What the holder wrote with [`Wal::announce`](super::Wal::announce).
        holder: Option<String>,
    },

    /// The queue is full; nothing was written. Try again after a while.
    #[error("log queue is full")]
    Busy,

    /// The log has reached its cap, or its disk is full; nothing was written. Space must be made first.
    #[error("log is full")]
    Full {
        /// The disk's answer; none when the log's own cap was reached.
        #[source]
        source: Option<Arc<io::Error>>,
    },

    /// The record is larger than the log can ever take.
    #[error("record of {bytes} bytes is over the log's limit of {limit}")]
    TooLarge {
        /// Size of the payload.
        bytes: u64,
        /// The largest payload that is taken.
        limit: u64,
    },

    /// A write failed and was undone; a later one may succeed.
    #[error("cannot write to {}", path.display())]
    Write {
        /// The segment.
        path: PathBuf,
        /// The disk's answer.
        #[source]
        source: Arc<io::Error>,
    },

    /// The log does not know what stands on the disk, and takes no more records until it is opened again.
    #[error("log takes no more records after a failure")]
    Poisoned {
        /// What failed first.
        #[source]
        cause: Arc<Error>,
    },

    /// A sync, or the undoing of a write, failed. Wrapped in [`Error::Poisoned`] once the log is open.
    #[error("cannot make {} durable", path.display())]
    Sync {
        /// The file or directory.
        path: PathBuf,
        /// The disk's answer.
        #[source]
        source: Arc<io::Error>,
    },

    /// The callback of an append panicked.
    #[error("callback of record {sequence} panicked: {message}")]
    Panicked {
        /// The record.
        sequence: u64,
        /// The panic's message.
        message: String,
    },

    /// What the log promised is not on the disk as it was written.
    #[error("{segment:020}.wal is damaged at byte {offset}: {what}")]
    Damaged {
        /// The segment, by the sequence in its name.
        segment: u64,
        /// Where in it.
        offset: u64,
        /// In what way.
        what: Damage,
    },

    /// The segment was written by a newer program.
    #[error("{segment:020}.wal has format version {version}, this program reads version 1")]
    Version {
        /// The segment, by the sequence in its name.
        segment: u64,
        /// The version found.
        version: u32,
    },

    /// A file could not be opened, read, created or removed.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was tried, as a verb.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// The disk's answer.
        #[source]
        source: Arc<io::Error>,
    },

    /// The log was closed.
    #[error("log is closed")]
    Closed,
}

/// In what way a segment is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Damage {
    /// The segment's header is unreadable.
    #[error("unreadable segment header")]
    Header,
    /// No record starts here.
    #[error("no record starts here")]
    NotARecord,
    /// The segment ends in the middle of a record.
    #[error("record is cut short")]
    CutShort,
    /// The bytes changed after they were written.
    #[error("checksum does not match")]
    Checksum,
    /// An intact record stands in a place where it was not written.
    #[error("record {found} stands where {expected} belongs")]
    OutOfOrder {
        /// The sequence that belongs here.
        expected: u64,
        /// The sequence that stands here.
        found: u64,
    },
    /// Records that were written are not there.
    #[error("records {first} to {last} are missing")]
    Missing {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
}

fn by(holder: Option<&str>) -> String {
    holder
        .map(|holder| format!(" by {holder}"))
        .unwrap_or_default()
}

impl Error {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.into(),
            source: Arc::new(source),
        }
    }

    pub(super) fn sync(path: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Sync {
            path: path.into(),
            source: Arc::new(source),
        }
    }

    /// A failed write; a full disk is told from a broken one.
    pub(super) fn write(path: impl Into<PathBuf>, source: io::Error) -> Self {
        let full = matches!(
            source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        );
        let source = Arc::new(source);
        if full {
            Self::Full {
                source: Some(source),
            }
        } else {
            Self::Write {
                path: path.into(),
                source,
            }
        }
    }
}
