//! Reads one segment record by record, and finds the next intact record behind damage.
//!
//! It judges bytes and numbers, and leaves what follows from the judgement to `recover`, `replay` and `salvage`. It holds
//! one window of the file in memory, which grows to the size of a record larger than itself and shrinks again.

use std::path::PathBuf;

use super::disk::{self, DiskFile};
use super::error::{Damage, Error};
use super::frame::{FRAME_BYTES, Frame, HEADER_BYTES, Header};

const WINDOW_BYTES: usize = 1 << 20;

/// Reads the records of one segment in order.
#[derive(Debug)]
pub(super) struct SegmentReader {
    window: Window,
    header: Header,
    end: u64,
    offset: u64,
    last: Option<u64>,
    group: Option<Group>,
}

/// Records that went to the disk in one write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    /// Sequence of the first of them.
    pub(super) first: u64,
    /// Where in the segment they start.
    pub(super) offset: u64,
}

/// What stands at the reader's place.
#[derive(Debug)]
pub(super) enum Step<'a> {
    /// The record that belongs here.
    Record(u64, &'a [u8]),
    /// Nothing: all of the segment was read.
    End,
    /// Something else; the reader stays where it is.
    Bad(Damage),
}

impl SegmentReader {
    /// Reads `file` up to byte `end`; `header` is the file's.
    pub(super) fn new(file: Box<dyn DiskFile>, path: PathBuf, header: Header, end: u64) -> Self {
        let window = Window {
            file,
            path,
            start: 0,
            bytes: Vec::new(),
        };
        Self {
            window,
            header,
            end,
            offset: HEADER_BYTES as u64,
            last: None,
            group: None,
        }
    }

    /// Returns what stands here, and goes on behind it when it is the record that belongs here.
    pub(super) fn step(&mut self) -> Result<Step<'_>, Error> {
        if self.offset >= self.end {
            return Ok(Step::End);
        }
        let frame = match self.frame_at(self.offset)? {
            Ok(frame) => frame,
            Err(damage) => return Ok(Step::Bad(damage)),
        };
        let (start, expected) = (self.offset, self.expected());
        let opens_group = frame.group_first == frame.sequence;
        let in_group = self
            .group
            .is_none_or(|group| group.first == frame.group_first);
        if frame.sequence != expected || !(opens_group || in_group) {
            return Ok(Step::Bad(Damage::OutOfOrder {
                expected,
                found: frame.sequence,
            }));
        }
        if opens_group || self.group.is_none() {
            self.group = Some(Group {
                first: frame.group_first,
                offset: start,
            });
        }
        self.offset += frame.size() as u64;
        self.last = Some(frame.sequence);
        let record = self.window.load(start, frame.size())?;
        Ok(Step::Record(
            frame.sequence,
            record.get(FRAME_BYTES..).unwrap_or_default(),
        ))
    }

    /// Returns the first intact record at or behind `from`, and where it starts; it may be any record of this segment.
    pub(super) fn find(&mut self, from: u64) -> Result<Option<(u64, Frame)>, Error> {
        let mark = self.header.mark.to_le_bytes();
        let mut at = from;
        while at + FRAME_BYTES as u64 <= self.end {
            let bytes = self.window.load(at, WINDOW_BYTES)?;
            let Some(skip) = bytes.windows(mark.len()).position(|bytes| bytes == mark) else {
                // The mark may lie across the edge of the window.
                at += (bytes.len() + 1).saturating_sub(mark.len()).max(1) as u64;
                continue;
            };
            at += skip as u64;
            if let Ok(frame) = self.frame_at(at)? {
                return Ok(Some((at, frame)));
            }
            at += 1;
        }
        Ok(None)
    }

    /// Returns whether a record behind `offset` proves that record `sequence` had been synced.
    ///
    /// A group is written only when the group before is durable. So whoever was written in a group that starts behind
    /// `sequence` was written after the sync of `sequence`; whoever is of the same group proves nothing.
    pub(super) fn proves_synced(&mut self, offset: u64, sequence: u64) -> Result<bool, Error> {
        let mut at = offset;
        while let Some((found, frame)) = self.find(at)? {
            if frame.group_first > sequence {
                return Ok(true);
            }
            at = found + frame.size() as u64;
        }
        Ok(false)
    }

    /// Returns up to `size` bytes from `offset` as they stand in the file.
    pub(super) fn raw(&mut self, offset: u64, size: usize) -> Result<&[u8], Error> {
        self.window.load(offset, size)
    }

    /// Returns where the next record starts.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Returns the sequence that belongs here.
    pub(super) fn expected(&self) -> u64 {
        self.last.map_or(self.header.first, |last| last + 1)
    }

    /// Returns the sequence of the last record read, or of the one before the segment.
    pub(super) fn last(&self) -> u64 {
        self.last.unwrap_or(self.header.follows)
    }

    /// Returns whether no record was read yet.
    pub(super) fn is_at_start(&self) -> bool {
        self.last.is_none()
    }

    /// Returns the group of the last record read.
    pub(super) fn group(&self) -> Option<Group> {
        self.group
    }

    /// Gives the file back.
    pub(super) fn into_file(self) -> Box<dyn DiskFile> {
        self.window.file
    }

    fn frame_at(&mut self, offset: u64) -> Result<Result<Frame, Damage>, Error> {
        let left = self.end.saturating_sub(offset);
        let head = self.window.load(offset, FRAME_BYTES)?;
        let frame = match Frame::decode(head, self.header.mark) {
            Ok(frame) if frame.size() as u64 <= left => frame,
            Ok(_) => return Ok(Err(Damage::CutShort)),
            Err(damage) => return Ok(Err(damage)),
        };
        let record = self.window.load(offset, frame.size())?;
        let intact = record
            .get(FRAME_BYTES..)
            .is_some_and(|payload| frame.is_intact(payload));
        Ok(if intact {
            Ok(frame)
        } else {
            Err(Damage::Checksum)
        })
    }
}

/// A piece of a file in memory.
#[derive(Debug)]
struct Window {
    file: Box<dyn DiskFile>,
    path: PathBuf,
    start: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// Returns `want` bytes from `offset`, fewer where the file ends.
    fn load(&mut self, offset: u64, want: usize) -> Result<&[u8], Error> {
        if !self.holds(offset, want) {
            self.fill(offset, want)?;
        }
        let skip = usize::try_from(offset - self.start).unwrap_or(usize::MAX);
        let bytes = self.bytes.get(skip..).unwrap_or_default();
        Ok(bytes.get(..want).unwrap_or(bytes))
    }

    fn holds(&self, offset: u64, want: usize) -> bool {
        let end = self.start + self.bytes.len() as u64;
        self.start <= offset && offset + want as u64 <= end
    }

    fn fill(&mut self, offset: u64, want: usize) -> Result<(), Error> {
        let size = want.max(WINDOW_BYTES);
        if size == WINDOW_BYTES {
            self.bytes.truncate(WINDOW_BYTES);
            self.bytes.shrink_to(WINDOW_BYTES);
        }
        self.bytes.resize(size, 0);
        let read = disk::read_full(self.file.as_mut(), offset, &mut self.bytes)
            .map_err(|error| Error::io("read", &self.path, error))?;
        self.bytes.truncate(read);
        self.start = offset;
        Ok(())
    }
}
