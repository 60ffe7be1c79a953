//! The bytes of a segment's header and of one record; pure functions of bytes.
//!
//! Integers are little-endian. A header opens every segment:
//!
//! ```text
//!  0            8        12        16               24               32               40
//!  +------------+--------+---------+----------------+----------------+----------------+
//!  | "outspwal" | crc32c | version | first sequence | follows        | mark           |
//!  +------------+--------+---------+----------------+----------------+----------------+
//! ```
//!
//! `follows` is the sequence of the record before this segment. It is `first - 1` except where a gap is known: after a
//! salvage, or when the log was told to continue at a higher number. Records come one after another behind it:
//!
//! ```text
//!  0                8        12       16               24               32
//!  +----------------+--------+--------+----------------+----------------+------------------+
//!  | mark           | crc32c | length | sequence       | group first    | payload (length) |
//!  +----------------+--------+--------+----------------+----------------+------------------+
//! ```
//!
//! `mark` is drawn at random for each segment. Only with it can bytes be taken for a record, so a payload that looks like
//! one, whoever sent it, never is. A record's checksum covers the payload, then all of the head but itself: this order
//! lets the appending thread do the long part before the sequence is known.
//! `group first` is the sequence of the first record that went to the disk in the same write; see `recover` for its use.

use std::hash::{BuildHasher, Hasher};

use super::{Damage, RECORD_BYTES_MAX};

/// Size of a segment's header.
pub(super) const HEADER_BYTES: usize = 40;

/// Size of a record without its payload.
pub(super) const FRAME_BYTES: usize = 32;

/// The version of the format that is written, and the only one there is to read.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"outspwal";

/// What the header of a segment says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Sequence of the segment's first record, there or to come.
    pub(super) first: u64,
    /// Sequence of the record before.
    pub(super) follows: u64,
    /// What every record of the segment starts with.
    pub(super) mark: u64,
}

/// Why bytes are not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// They are too few, or changed.
    Bad,
    /// They are intact, and of a version that this program does not know.
    Version(u32),
}

impl Header {
    /// Returns a header with a mark of its own.
    pub(super) fn new(first: u64, follows: u64) -> Self {
        Self {
            first,
            follows,
            mark: random(),
        }
    }

    /// Returns the bytes of the header.
    pub(super) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut covered = [0; HEADER_BYTES - 12];
        let fields = [
            &VERSION.to_le_bytes()[..],
            &self.first.to_le_bytes(),
            &self.follows.to_le_bytes(),
            &self.mark.to_le_bytes(),
        ];
        fill(&mut covered, &fields);
        let mut bytes = [0; HEADER_BYTES];
        fill(
            &mut bytes,
            &[&MAGIC, &crc32c::crc32c(&covered).to_le_bytes(), &covered],
        );
        bytes
    }

    /// Reads a header from the start of `bytes`.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderFault> {
        let bytes = bytes
            .first_chunk::<HEADER_BYTES>()
            .ok_or(HeaderFault::Bad)?;
        let covered = bytes.get(12..).ok_or(HeaderFault::Bad)?;
        let mut fields = Fields(bytes);
        let magic = fields.take::<8>().ok_or(HeaderFault::Bad)?;
        let crc = fields.u32().ok_or(HeaderFault::Bad)?;
        if magic != MAGIC || crc != crc32c::crc32c(covered) {
            return Err(HeaderFault::Bad);
        }
        let version = fields.u32().ok_or(HeaderFault::Bad)?;
        if version != VERSION {
            return Err(HeaderFault::Version(version));
        }
        let mut next = || fields.u64().ok_or(HeaderFault::Bad);
        let header = Self {
            first: next()?,
            follows: next()?,
            mark: next()?,
        };
        // Sequences start at 1 and rise.
        if header.follows < header.first {
            Ok(header)
        } else {
            Err(HeaderFault::Bad)
        }
    }
}

/// What the head of a record says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    /// Bytes of the payload.
    pub(super) length: u32,
    /// The record's number.
    pub(super) sequence: u64,
    /// Number of the first record of the same write.
    pub(super) group_first: u64,
    mark: u64,
    crc: u32,
}

impl Frame {
    /// Appends the record to `out`; `payload_crc` is the CRC32C of the payload, which must not be longer than
    /// [`RECORD_BYTES_MAX`].
    pub(super) fn put(
        out: &mut Vec<u8>,
        mark: u64,
        (sequence, group_first): (u64, u64),
        (payload, payload_crc): (&[u8], u32),
    ) {
        debug_assert!(payload.len() as u64 <= RECORD_BYTES_MAX);
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a payload is at most 64 MiB"
        )]
        let length = payload.len() as u32;
        let mut frame = Self {
            length,
            sequence,
            group_first,
            mark,
            crc: 0,
        };
        frame.crc = frame.crc_behind(payload_crc);
        out.extend_from_slice(&mark.to_le_bytes());
        out.extend_from_slice(&frame.crc.to_le_bytes());
        out.extend_from_slice(&frame.numbers());
        out.extend_from_slice(payload);
    }

    /// Reads the head of a record from the start of `bytes`, without knowing yet whether it is intact.
    pub(super) fn decode(bytes: &[u8], mark: u64) -> Result<Self, Damage> {
        let head = bytes.first_chunk::<FRAME_BYTES>().ok_or(Damage::CutShort)?;
        let mut fields = Fields(head);
        let (found, crc) = (fields.u64(), fields.u32());
        if found != Some(mark) {
            return Err(Damage::NotARecord);
        }
        let frame = Self {
            crc: crc.ok_or(Damage::CutShort)?,
            length: fields.u32().ok_or(Damage::CutShort)?,
            sequence: fields.u64().ok_or(Damage::CutShort)?,
            group_first: fields.u64().ok_or(Damage::CutShort)?,
            mark,
        };
        // No memory is asked for on the word of a length that was never written.
        if u64::from(frame.length) > RECORD_BYTES_MAX || frame.group_first > frame.sequence {
            return Err(Damage::NotARecord);
        }
        Ok(frame)
    }

    /// Returns whether this head and `payload` are what was written.
    pub(super) fn is_intact(&self, payload: &[u8]) -> bool {
        payload.len() == self.length as usize
            && self.crc == self.crc_behind(crc32c::crc32c(payload))
    }

    /// Returns the size of the whole record.
    pub(super) fn size(&self) -> usize {
        FRAME_BYTES + self.length as usize
    }

    fn crc_behind(&self, payload_crc: u32) -> u32 {
        let crc = crc32c::crc32c_append(payload_crc, &self.mark.to_le_bytes());
        crc32c::crc32c_append(crc, &self.numbers())
    }

    fn numbers(&self) -> [u8; 20] {
        let mut bytes = [0; 20];
        let fields = [
            &self.length.to_le_bytes()[..],
            &self.sequence.to_le_bytes(),
            &self.group_first.to_le_bytes(),
        ];
        fill(&mut bytes, &fields);
        bytes
    }
}

/// Takes integers off the front of bytes.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}

fn fill(into: &mut [u8], fields: &[&[u8]]) {
    let bytes = fields.iter().flat_map(|field| field.iter());
    into.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
}

/// Returns a number that nobody outside can guess: the standard library's hasher is keyed by the system's randomness.
fn random() -> u64 {
    std::hash::RandomState::new().build_hasher().finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn record(payload: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Frame::put(&mut bytes, 77, (9, 8), (payload, crc32c::crc32c(payload)));
        bytes
    }

    fn reads_back(bytes: &[u8]) -> bool {
        Frame::decode(bytes, 77).is_ok_and(|frame| frame.is_intact(&bytes[FRAME_BYTES..]))
    }

    proptest! {
        #[test]
        fn a_record_reads_back(payload: Vec<u8>) {
            let bytes = record(&payload);
            let frame = Frame::decode(&bytes, 77).unwrap();
            prop_assert_eq!((frame.sequence, frame.group_first), (9, 8));
            prop_assert_eq!(frame.size(), bytes.len());
            prop_assert!(frame.is_intact(&bytes[FRAME_BYTES..]));
            prop_assert!(!frame.is_intact(b"another payload, surely longer than none"));
        }

        #[test]
        fn a_header_reads_back(follows in 0..u64::MAX, mark: u64) {
            let header = Header { first: follows + 1, follows, mark };
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }

        #[test]
        fn no_bytes_make_the_decoders_panic(bytes: Vec<u8>, mark: u64) {
            let _header = Header::decode(&bytes).is_ok();
            let _frame = Frame::decode(&bytes, mark).is_ok();
        }
    }

    #[test]
    fn every_flipped_bit_of_a_record_is_seen() {
        let bytes = record(b"some payload");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!reads_back(&flipped), "bit {bit}");
        }
        assert!(reads_back(&bytes));
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_seen() {
        let bytes = Header::new(4, 3).encode();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Header::decode(&flipped), Err(HeaderFault::Bad), "bit {bit}");
        }
    }

    #[test]
    fn a_length_beyond_the_limit_is_not_believed() {
        let mut bytes = record(b"x");
        let limit = u32::try_from(RECORD_BYTES_MAX).unwrap();
        bytes[12..16].copy_from_slice(&limit.to_le_bytes());
        assert!(Frame::decode(&bytes, 77).is_ok());
        bytes[12..16].copy_from_slice(&(limit + 1).to_le_bytes());
        assert_eq!(Frame::decode(&bytes, 77), Err(Damage::NotARecord));
    }

    #[test]
    fn the_layout_on_disk_stays_as_drawn() {
        let header = Header {
            first: 2,
            follows: 1,
            mark: 3,
        }
        .encode();
        assert_eq!(&header[..8], b"outspwal");
        assert_eq!(
            header[12..],
            [
                [1, 0, 0, 0].as_slice(),
                &[2, 0, 0, 0, 0, 0, 0, 0],
                &[1, 0, 0, 0, 0, 0, 0, 0],
                &[3, 0, 0, 0, 0, 0, 0, 0]
            ]
            .concat()
        );
        let record = record(b"ab");
        assert_eq!(record[..8], [77, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            record[12..],
            [
                [2, 0, 0, 0].as_slice(),
                &[9, 0, 0, 0, 0, 0, 0, 0],
                &[8, 0, 0, 0, 0, 0, 0, 0],
                b"ab"
            ]
            .concat()
        );
    }

    #[test]
    fn another_version_is_told_from_damage() {
        let mut bytes = Header::new(1, 0).encode();
        bytes[12..16].copy_from_slice(&2_u32.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[12..]);
        bytes[8..12].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(Header::decode(&bytes), Err(HeaderFault::Version(2)));
    }

    #[test]
    fn marks_differ() {
        assert_ne!(Header::new(1, 0).mark, Header::new(1, 0).mark);
    }
}
