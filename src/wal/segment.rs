//! The files of the log: their names, the one that is written, and how one is made.
//!
//! A segment is called by the sequence of its first record in twenty digits, so that names sort as sequences do. Only the
//! newest, the active one, is written; the others are sealed and every byte of them is durable.

use std::io;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, DiskFile};
use super::error::Error;
use super::frame::{HEADER_BYTES, Header, HeaderFault};

/// A segment as its file tells: where it begins, and how large it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct SegmentFile {
    pub(super) header: Header,
    pub(super) bytes: u64,
}

/// A segment that will not be written again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sealed {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) bytes: u64,
}

/// Returns where the segment with the first sequence `first` lies.
pub(super) fn path(dir: &Path, first: u64) -> PathBuf {
    dir.join(format!("{first:020}.wal"))
}

/// Returns the first sequence that a file name tells, or `None` where it is not a segment's.
fn first_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".wal")?;
    let first = digits.parse().ok().filter(|first| *first > 0)?;
    (format!("{first:020}") == digits).then_some(first)
}

/// Returns first sequence and size of every segment, in order.
pub(super) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<(u64, u64)>, Error> {
    let files = disk
        .list(dir)
        .map_err(|error| Error::io("list", dir, error))?;
    let mut segments: Vec<_> = files
        .iter()
        .filter_map(|(name, bytes)| Some((first_of(name)?, *bytes)))
        .collect();
    segments.sort_unstable();
    Ok(segments)
}

/// Opens the segment `first`.
pub(super) fn open(
    disk: &dyn Disk,
    dir: &Path,
    first: u64,
) -> Result<(PathBuf, Box<dyn DiskFile>), Error> {
    let path = path(dir, first);
    let file = disk
        .open(&path)
        .map_err(|error| Error::io("open", &path, error))?;
    Ok((path, file))
}

/// Reads the header of the segment `first`; `None` where the bytes are not its header.
pub(super) fn read_header(
    file: &mut dyn DiskFile,
    path: &Path,
    first: u64,
) -> Result<Option<Header>, Error> {
    let mut bytes = [0; HEADER_BYTES];
    let read =
        disk::read_full(file, 0, &mut bytes).map_err(|error| Error::io("read", path, error))?;
    match Header::decode(bytes.get(..read).unwrap_or_default()) {
        Ok(header) => Ok(Some(header).filter(|header| header.first == first)),
        Err(HeaderFault::Bad) => Ok(None),
        Err(HeaderFault::Version(version)) => Err(Error::Version {
            segment: first,
            version,
        }),
    }
}

/// Why an operation on the active segment did not come about.
#[derive(Debug)]
pub(super) enum Failure {
    /// Everything stands as before; a later try may succeed.
    Undone(Error),
    /// Nobody knows what stands on the disk.
    Unknown(Error),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Undone(error) | Failure::Unknown(error) => error,
        }
    }
}

/// The segment that is written.
#[derive(Debug)]
pub(super) struct Active {
    header: Header,
    path: PathBuf,
    file: Box<dyn DiskFile>,
    bytes: u64,
    last: u64,
}

impl Active {
    /// Makes a new segment; it is durable, and so is its name, before this returns.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, header: Header) -> Result<Self, Failure> {
        let path = path(dir, header.first);
        let written = disk.create(&path).and_then(|mut file| {
            disk::write_all(file.as_mut(), 0, &header.encode())?;
            Ok(file)
        });
        let mut file = written.map_err(|error| {
            // Whatever is left has no whole header and is cleared away when the log is opened.
            let _left = disk.remove(&path).is_err();
            Failure::Undone(Error::write(&path, error))
        })?;
        // Durable before the first record, so that a bad header is always damage and never a torn write.
        file.sync()
            .map_err(|error| Failure::Unknown(Error::sync(&path, error)))?;
        disk.sync_dir(dir)
            .map_err(|error| Failure::Unknown(Error::sync(dir, error)))?;
        let (bytes, last) = (HEADER_BYTES as u64, header.follows);
        Ok(Self {
            header,
            path,
            file,
            bytes,
            last,
        })
    }

    /// Goes on writing a segment whose good bytes end at `bytes`, with the record `last`.
    pub(super) fn reopen(
        header: Header,
        (path, file): (PathBuf, Box<dyn DiskFile>),
        (bytes, last): (u64, u64),
    ) -> Self {
        Self {
            header,
            path,
            file,
            bytes,
            last,
        }
    }

    /// Writes the records of one group behind the others; they are not durable yet.
    pub(super) fn write(&mut self, records: &[u8]) -> Result<(), Failure> {
        match disk::write_all(self.file.as_mut(), self.bytes, records) {
            Ok(()) => Ok(()),
            Err(error) => Err(self.undo(error)),
        }
    }

    /// Makes the group just written durable: from now on `last` is the last record.
    pub(super) fn sync(&mut self, group_bytes: u64, last: u64) -> Result<(), Failure> {
        self.file
            .sync()
            .map_err(|error| Failure::Unknown(Error::sync(&self.path, error)))?;
        self.bytes += group_bytes;
        self.last = last;
        Ok(())
    }

    /// Takes away what a failed write left. Synced, because a later rotation would not sync this file again.
    fn undo(&mut self, error: io::Error) -> Failure {
        match self
            .file
            .truncate(self.bytes)
            .and_then(|()| self.file.sync())
        {
            Ok(()) => Failure::Undone(Error::write(&self.path, error)),
            Err(error) => Failure::Unknown(Error::sync(&self.path, error)),
        }
    }

    pub(super) fn mark(&self) -> u64 {
        self.header.mark
    }

    /// Returns the size of the good bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Returns the sequence of the last record, or of the one before the segment.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Returns the sequence of the record to come.
    pub(super) fn next(&self) -> u64 {
        self.header.first.max(self.last + 1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes <= HEADER_BYTES as u64
    }

    /// Returns what remains to be known of the segment when another becomes the active one.
    pub(super) fn sealed(&self) -> Sealed {
        Sealed {
            first: self.header.first,
            last: self.last,
            bytes: self.bytes,
        }
    }

    /// Returns what a reader must know of the segment.
    pub(super) fn file(&self) -> SegmentFile {
        SegmentFile {
            header: self.header,
            bytes: self.bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_sequences_and_read_back() {
        for first in [1, 9, 10, u64::MAX] {
            let path = path(Path::new("wal"), first);
            assert_eq!(
                first_of(path.file_name().unwrap().to_str().unwrap()),
                Some(first)
            );
        }
        assert!(path(Path::new(""), 9) < path(Path::new(""), 10));
    }

    #[test]
    fn other_files_are_not_segments() {
        for name in [
            "lock",
            "1.wal",
            "+0000000000000000001.wal",
            "00000000000000000000.wal",
            "00000000000000000001.wal.tmp",
            "99999999999999999999.wal",
            "0000000000000000000x.wal",
        ] {
            assert_eq!(first_of(name), None, "{name}");
        }
    }
}
