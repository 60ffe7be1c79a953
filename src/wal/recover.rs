//! What opening does with the files it finds: tells a torn tail from damage, and makes sure of the last group.
//!
//! The last segment is read whole here, because its end must be known before anything is appended; the others are only
//! looked at (`replay` checks each record as it reads it). A torn tail is what a crash leaves of a group that nobody was
//! told is durable: it is cut. Anything else that is not as it was written is an error and stays as it is.

use std::path::Path;

use super::disk::{self, Disk, DiskFile};
use super::error::{Damage, Error};
use super::frame::HEADER_BYTES;
use super::reader::{SegmentReader, Step};
use super::segment::{self, Active, SegmentFile};

/// The log as it was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The segments before the active one, in order.
    pub(super) sealed: Vec<SegmentFile>,
    /// The segment to go on with; none where the directory holds none.
    pub(super) active: Option<Active>,
    /// Bytes cut off the end.
    pub(super) torn_bytes: u64,
    /// The log must go on at this sequence or above.
    pub(super) next_at_least: u64,
}

/// Finds the segments in `dir`, and cuts the last where it is torn.
pub(super) fn recover(disk: &dyn Disk, dir: &Path) -> Result<Found, Error> {
    let (mut sealed, mut next_at_least) = (Vec::new(), 1);
    for (first, bytes) in segment::list(disk, dir)? {
        let (path, mut file) = segment::open(disk, dir, first)?;
        if let Some(header) = segment::read_header(file.as_mut(), &path, first)? {
            sealed.push(SegmentFile { header, bytes });
        } else if bytes <= HEADER_BYTES as u64 {
            // Too short to have held a record: the crash came while it was made. Its name still counts.
            next_at_least = first;
            disk.remove(&path)
                .map_err(|error| Error::io("remove", &path, error))?;
        } else {
            return Err(Error::Damaged {
                segment: first,
                offset: 0,
                what: Damage::Header,
            });
        }
    }
    // The crash may have come between the making of a segment and the sync of its name.
    disk.sync_dir(dir)
        .map_err(|error| Error::sync(dir, error))?;
    let Some(last) = sealed.pop() else {
        return Ok(Found {
            sealed,
            active: None,
            torn_bytes: 0,
            next_at_least,
        });
    };
    let (active, torn_bytes) = reopen(disk, dir, last)?;
    Ok(Found {
        sealed,
        active: Some(active),
        torn_bytes,
        next_at_least,
    })
}

/// Reads the last segment to its end and makes it ready to be written.
fn reopen(
    disk: &dyn Disk,
    dir: &Path,
    SegmentFile { header, bytes }: SegmentFile,
) -> Result<(Active, u64), Error> {
    let (path, file) = segment::open(disk, dir, header.first)?;
    let mut reader = SegmentReader::new(file, path.clone(), header, bytes);
    let fault = loop {
        match reader.step()? {
            Step::Record(..) => {}
            Step::End => break None,
            Step::Bad(what) => break Some(what),
        }
    };
    let (end, last) = (reader.offset(), reader.last());
    if let Some(what) = fault {
        // An intact record out of its order was written by us, and not by a crash.
        let misplaced = matches!(what, Damage::OutOfOrder { .. });
        if misplaced || reader.proves_synced(end, reader.expected())? {
            return Err(Error::Damaged {
                segment: header.first,
                offset: end,
                what,
            });
        }
    }
    let torn_bytes = bytes.saturating_sub(end);
    let file = make_sure(reader, &path, torn_bytes > 0)?;
    if torn_bytes > 0 {
        tracing::warn!(
            segment = header.first,
            offset = end,
            torn_bytes,
            "torn tail of the log cut"
        );
    }
    Ok((
        Active::reopen(header, (path, file), (end, last)),
        torn_bytes,
    ))
}

/// Cuts what is torn, and writes the last group, or the header where there is none, again where it stands.
///
/// The process before may have died between its write and its sync, or the sync may have failed; then the bytes read
/// well from the page cache, which may even take them for clean, and are on no disk. Written again, they are.
fn make_sure(
    mut reader: SegmentReader,
    path: &Path,
    torn: bool,
) -> Result<Box<dyn DiskFile>, Error> {
    let end = reader.offset();
    let at = reader.group().map_or(0, |group| group.offset);
    let size = usize::try_from(end - at).unwrap_or(usize::MAX);
    let group = reader.raw(at, size)?.to_vec();
    let mut file = reader.into_file();
    if torn {
        file.truncate(end)
            .map_err(|error| Error::sync(path, error))?;
    }
    disk::write_all(file.as_mut(), at, &group).map_err(|error| Error::write(path, error))?;
    file.sync().map_err(|error| Error::sync(path, error))?;
    Ok(file)
}
