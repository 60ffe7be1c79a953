//! Reading the log back, one record at a time.
//!
//! A replay reads what was there when the log was opened, through files of its own. It needs no order with appending:
//! both may go on at once. What it has not yielded yet must not be forgotten.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

use super::disk::Disk;
use super::error::{Damage, Error};
use super::reader::{SegmentReader, Step};
use super::segment::{self, SegmentFile};

/// The records that were in the log when it was opened, in order: sequence and payload.
///
/// It holds about one record in memory, and ends after the first error.
#[derive(Debug)]
pub struct Replay {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segments: VecDeque<SegmentFile>,
    open: Option<(SegmentFile, SegmentReader)>,
    after: u64,
}

impl Replay {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: PathBuf, segments: Vec<SegmentFile>) -> Self {
        Self {
            disk,
            dir,
            segments: segments.into(),
            open: None,
            after: 0,
        }
    }

    /// Leaves out the records up to and including `sequence`; segments that hold no others are not even read.
    #[must_use]
    pub fn after(mut self, sequence: u64) -> Self {
        self.after = sequence;
        let needed = sequence.saturating_add(1);
        while self
            .segments
            .get(1)
            .is_some_and(|next| next.header.first <= needed)
        {
            self.segments.pop_front();
        }
        self
    }

    /// Returns the sequence of the oldest record the log can still have. When it is above what the caller needs next,
    /// the records between are gone.
    pub fn oldest(&self) -> Option<u64> {
        self.open
            .as_ref()
            .map(|(open, _)| open)
            .or(self.segments.front())
            .map(|s| s.header.first)
    }

    fn read(&mut self) -> Result<Option<(u64, Vec<u8>)>, Error> {
        loop {
            let Some((file, mut reader)) = self.open.take() else {
                let Some(next) = self.segments.pop_front() else {
                    return Ok(None);
                };
                self.open = Some((next, self.open(next)?));
                continue;
            };
            match reader.step()? {
                Step::Record(sequence, _) if sequence <= self.after => {}
                Step::Record(sequence, payload) => {
                    let record = (sequence, payload.to_vec());
                    self.open = Some((file, reader));
                    return Ok(Some(record));
                }
                Step::End => {
                    self.check_joint(file, &reader)?;
                    continue;
                }
                Step::Bad(what) => {
                    let (segment, offset) = (file.header.first, reader.offset());
                    return Err(Error::Damaged {
                        segment,
                        offset,
                        what,
                    });
                }
            }
            self.open = Some((file, reader));
        }
    }

    fn open(&self, file: SegmentFile) -> Result<SegmentReader, Error> {
        let (path, handle) = segment::open(self.disk.as_ref(), &self.dir, file.header.first)?;
        Ok(SegmentReader::new(handle, path, file.header, file.bytes))
    }

    /// The next segment says which record it follows; that must be the last one of this.
    fn check_joint(&self, file: SegmentFile, reader: &SegmentReader) -> Result<(), Error> {
        let (segment, offset) = (file.header.first, reader.offset());
        let (next, last) = (self.segments.front(), reader.last());
        let what = match next.map(|next| next.header.follows) {
            Some(follows) if follows > last => Damage::Missing {
                first: last + 1,
                last: follows,
            },
            Some(follows) if follows < last => Damage::OutOfOrder {
                expected: last + 1,
                found: follows + 1,
            },
            _ => return Ok(()),
        };
        Err(Error::Damaged {
            segment,
            offset,
            what,
        })
    }
}

impl Iterator for Replay {
    type Item = Result<(u64, Vec<u8>), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let record = self.read().transpose();
        if matches!(record, Some(Err(_))) {
            self.open = None;
            self.segments.clear();
        }
        record
    }
}

impl std::iter::FusedIterator for Replay {}
