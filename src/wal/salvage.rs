//! Repair on request: what is damaged is moved aside, what is intact stays in the log.
//!
//! Damaged bytes are copied to `quarantine/SEGMENT-OFFSET.bad`, and the intact records behind them become a segment of their
//! own, whose header says that a gap comes before it. Nothing is deleted that is not in the quarantine or in another
//! segment, durably; a crash in the middle leaves files that a second run takes further.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::disk::{self, Disk, DiskFile};
use super::error::{Damage, Error};
use super::frame::{HEADER_BYTES, Header};
use super::reader::{SegmentReader, Step};
use super::segment;

const COPY_BYTES: usize = 1 << 20;

/// What a repair has done.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Salvaged {
    /// Bytes moved aside.
    pub(super) bytes: u64,
    /// The log must go on at this sequence or above, since records up to it may have been moved aside.
    pub(super) next_at_least: u64,
}

/// Repairs the log in `dir`; does nothing where nothing is damaged.
pub(super) fn repair(disk: &dyn Disk, dir: &Path) -> Result<Salvaged, Error> {
    let todo = segment::list(disk, dir)?
        .into_iter()
        .map(|(first, _)| first)
        .collect();
    let quarantine = dir.join("quarantine");
    let done = Salvaged::default();
    let mut salvage = Salvage {
        disk,
        dir,
        quarantine,
        todo,
        last: None,
        done,
    };
    while let Some(first) = salvage.todo.pop_first() {
        salvage.segment(first)?;
    }
    Ok(salvage.done)
}

struct Salvage<'a> {
    disk: &'a dyn Disk,
    dir: &'a Path,
    quarantine: PathBuf,
    todo: BTreeSet<u64>,
    /// The last record of the segments done.
    last: Option<u64>,
    done: Salvaged,
}

impl Salvage<'_> {
    /// Repairs one segment up to its first damage; the rest becomes a segment that is still to be done.
    fn segment(&mut self, first: u64) -> Result<(), Error> {
        let (path, mut file) = segment::open(self.disk, self.dir, first)?;
        let size = file
            .size()
            .map_err(|error| Error::io("read", &path, error))?;
        let Some(header) = self.header(file.as_mut(), &path, first, size)? else {
            return Ok(());
        };
        let mut reader = SegmentReader::new(file, path.clone(), header, size);
        let misplaced = loop {
            match reader.step()? {
                Step::Record(..) => {}
                Step::End => {
                    self.last = Some(reader.last());
                    return Ok(());
                }
                Step::Bad(what) => break matches!(what, Damage::OutOfOrder { .. }),
            }
        };
        let (offset, expected) = (reader.offset(), reader.expected());
        self.last = Some(reader.last());
        let is_newest = self.todo.is_empty();
        if is_newest && !misplaced && !reader.proves_synced(offset, expected)? {
            // A torn tail: opening cuts it.
            return Ok(());
        }
        let bad_until = self.split_off(&mut reader, first, header, size)?;
        self.quarantine(&mut reader, first, offset..bad_until)?;
        if reader.is_at_start() && !self.todo.is_empty() {
            return self.remove(&path);
        }
        let mut file = reader.into_file();
        file.truncate(offset)
            .and_then(|()| file.sync())
            .map_err(|error| Error::sync(&path, error))
    }

    /// Returns the segment's header, put right where it can be; moves the segment aside where it cannot.
    fn header(
        &mut self,
        file: &mut dyn DiskFile,
        path: &Path,
        first: u64,
        size: u64,
    ) -> Result<Option<Header>, Error> {
        let found = segment::read_header(file, path, first)?;
        if found.is_none() && size <= HEADER_BYTES as u64 {
            // Never held a record: opening clears it away.
            return Ok(None);
        }
        let overlaps = self.last.is_some_and(|last| first <= last);
        let known = match found {
            Some(header) => Some(header),
            None => self.header_from_record(path, first, size)?,
        };
        let Some(known) = known.filter(|_| !overlaps) else {
            self.move_aside(path, first, size)?;
            return Ok(None);
        };
        let right = Header {
            follows: self.last.unwrap_or(known.follows),
            ..known
        };
        if found.is_none() {
            let mut bad = SegmentReader::new(self.open(path)?, path.into(), right, size);
            self.quarantine(&mut bad, first, 0..HEADER_BYTES as u64)?;
        }
        if found != Some(right) {
            disk::write_all(file, 0, &right.encode()).map_err(|error| Error::write(path, error))?;
            file.sync().map_err(|error| Error::sync(path, error))?;
        }
        Ok(Some(right))
    }

    /// Learns a lost header from the first record, which starts with the mark and must have the segment's sequence.
    fn header_from_record(
        &self,
        path: &Path,
        first: u64,
        size: u64,
    ) -> Result<Option<Header>, Error> {
        let mut file = self.open(path)?;
        let mut mark = [0; 8];
        disk::read_full(file.as_mut(), HEADER_BYTES as u64, &mut mark)
            .map_err(|error| Error::io("read", path, error))?;
        let header = Header {
            first,
            follows: first - 1,
            mark: u64::from_le_bytes(mark),
        };
        let mut reader = SegmentReader::new(file, path.into(), header, size);
        Ok(matches!(reader.step()?, Step::Record(..)).then_some(header))
    }

    /// Makes the records behind the damage a segment, and returns where the bytes end that belong to no segment then.
    fn split_off(
        &mut self,
        reader: &mut SegmentReader,
        first: u64,
        header: Header,
        size: u64,
    ) -> Result<u64, Error> {
        let mut at = reader.offset();
        while let Some((found, frame)) = reader.find(at)? {
            if frame.sequence < reader.expected() {
                at = found + frame.size() as u64;
                continue;
            }
            if frame.sequence == first || self.todo.contains(&frame.sequence) {
                // Another segment has these records and this name already.
                break;
            }
            let target = segment::path(self.dir, frame.sequence);
            let rest = Header {
                first: frame.sequence,
                follows: reader.last(),
                ..header
            };
            self.write_segment(reader, rest, &target, found..size)?;
            self.todo.insert(frame.sequence);
            return Ok(found);
        }
        Ok(size)
    }

    fn write_segment(
        &self,
        reader: &mut SegmentReader,
        header: Header,
        target: &Path,
        range: std::ops::Range<u64>,
    ) -> Result<(), Error> {
        let temporary = target.with_extension("tmp");
        let mut file = self.create(&temporary)?;
        disk::write_all(file.as_mut(), 0, &header.encode())
            .map_err(|error| Error::write(&temporary, error))?;
        copy(
            reader,
            range,
            file.as_mut(),
            HEADER_BYTES as u64,
            &temporary,
        )?;
        self.disk
            .rename(&temporary, target)
            .map_err(|error| Error::io("rename", &temporary, error))?;
        self.disk
            .sync_dir(self.dir)
            .map_err(|error| Error::sync(self.dir, error))
    }

    fn quarantine(
        &mut self,
        reader: &mut SegmentReader,
        segment: u64,
        range: std::ops::Range<u64>,
    ) -> Result<(), Error> {
        if range.is_empty() {
            return Ok(());
        }
        let path = self.quarantined(segment, range.start)?;
        let bytes = range.end - range.start;
        let mut file = self.create(&path)?;
        copy(reader, range, file.as_mut(), 0, &path)?;
        self.count(&path, bytes)
    }

    fn move_aside(&mut self, from: &Path, first: u64, bytes: u64) -> Result<(), Error> {
        let path = self.quarantined(first, 0)?;
        self.disk
            .rename(from, &path)
            .map_err(|error| Error::io("rename", from, error))?;
        self.disk
            .sync_dir(self.dir)
            .map_err(|error| Error::sync(self.dir, error))?;
        self.done.next_at_least = self.done.next_at_least.max(first + 1);
        self.count(&path, bytes)
    }

    fn quarantined(&self, segment: u64, offset: u64) -> Result<PathBuf, Error> {
        self.disk
            .create_dir(&self.quarantine)
            .map_err(|error| Error::io("create", &self.quarantine, error))?;
        Ok(self.quarantine.join(format!("{segment:020}-{offset}.bad")))
    }

    fn count(&mut self, path: &Path, bytes: u64) -> Result<(), Error> {
        let quarantine = &self.quarantine;
        self.disk
            .sync_dir(quarantine)
            .map_err(|error| Error::sync(quarantine, error))?;
        self.done.bytes += bytes;
        tracing::warn!(path = %path.display(), bytes, "damaged part of the log moved aside");
        Ok(())
    }

    fn open(&self, path: &Path) -> Result<Box<dyn DiskFile>, Error> {
        self.disk
            .open(path)
            .map_err(|error| Error::io("open", path, error))
    }

    fn create(&self, path: &Path) -> Result<Box<dyn DiskFile>, Error> {
        self.disk
            .create(path)
            .map_err(|error| Error::io("create", path, error))
    }

    fn remove(&self, path: &Path) -> Result<(), Error> {
        self.disk
            .remove(path)
            .map_err(|error| Error::io("remove", path, error))?;
        self.disk
            .sync_dir(self.dir)
            .map_err(|error| Error::sync(self.dir, error))
    }
}

/// Copies a part of a segment to `at` in another file, durably.
fn copy(
    reader: &mut SegmentReader,
    range: std::ops::Range<u64>,
    to: &mut dyn DiskFile,
    mut at: u64,
    path: &Path,
) -> Result<(), Error> {
    let mut from = range.start;
    while from < range.end {
        let want = usize::try_from(range.end - from)
            .unwrap_or(COPY_BYTES)
            .min(COPY_BYTES);
        let bytes = reader.raw(from, want)?;
        if bytes.is_empty() {
            break;
        }
        disk::write_all(to, at, bytes).map_err(|error| Error::write(path, error))?;
        (from, at) = (from + bytes.len() as u64, at + bytes.len() as u64);
    }
    to.sync().map_err(|error| Error::sync(path, error))
}
