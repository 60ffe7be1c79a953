//! Reads protobuf's wire format field by field, borrowing from the body.
//!
//! Accepts and refuses what prost does (a test holds the two together), but allocates nothing: what a field's bytes
//! become, and how much of it, is the caller's decision. A name goes with each read so that a refusal can say it.

use super::refusal::Refusal;

/// The fields of one message, in the order sent.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(&'a [u8]);

/// One field's value as the wire knows it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
    /// A group: obsolete, skipped wherever a field is not known.
    Group,
    /// Only flags are sent so, and we read none of them.
    Fixed32,
}

/// How deep groups may nest: they are only ever skipped.
const GROUP_DEPTH_MAX: usize = 100;

impl<'a> Fields<'a> {
    pub(super) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// Returns the next field's number and value; `None` at the end of the message.
    #[inline]
    pub(super) fn next(&mut self) -> Result<Option<(u32, Wire<'a>)>, Refusal> {
        if self.0.is_empty() {
            return Ok(None);
        }
        let (number, kind) = self.key()?;
        let wire = match kind {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(self.array()?)),
            2 => Wire::Bytes(self.delimited()?),
            3 => self.skip_group(number)?,
            5 => {
                self.array::<4>()?;
                Wire::Fixed32
            }
            _ => return Err(Refusal::malformed("holds a wire type that does not exist")),
        };
        Ok(Some((number, wire)))
    }

    /// Returns how many fields have this number; stops at what cannot be read.
    pub(super) fn count_of(mut self, number: u32) -> usize {
        let mut count = 0;
        while let Ok(Some((found, _))) = self.next() {
            count += usize::from(found == number);
        }
        count
    }

    #[inline]
    fn key(&mut self) -> Result<(u32, u8), Refusal> {
        let key = self.varint()?;
        let key = u32::try_from(key)
            .map_err(|_| Refusal::malformed("holds a field key that is too large"))?;
        match key >> 3 {
            0 => Err(Refusal::malformed("holds a field number 0")),
            number => Ok((number, (key & 7) as u8)),
        }
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, Refusal> {
        if let Some((&byte, rest)) = self.0.split_first()
            && byte < 0x80
        {
            self.0 = rest;
            return Ok(u64::from(byte));
        }
        self.long_varint()
    }

    fn long_varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0;
        for (index, &byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                // The tenth byte holds the 64th bit and nothing else.
                if index == 9 && byte > 1 {
                    break;
                }
                self.0 = self.0.get(index + 1..).unwrap_or_default();
                return Ok(value);
            }
        }
        Err(Refusal::malformed("holds a broken varint"))
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (head, rest) = self.0.split_first_chunk().ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    fn delimited(&mut self) -> Result<&'a [u8], Refusal> {
        let length = usize::try_from(self.varint()?).unwrap_or(usize::MAX);
        let (head, rest) = self.0.split_at_checked(length).ok_or_else(cut_short)?;
        self.0 = rest;
        Ok(head)
    }

    fn skip_group(&mut self, number: u32) -> Result<Wire<'a>, Refusal> {
        let mut open = vec![number];
        while let Some(&innermost) = open.last() {
            let (number, kind) = self.key()?;
            match kind {
                0 => drop(self.varint()?),
                1 => drop(self.array::<8>()?),
                2 => drop(self.delimited()?),
                3 if open.len() < GROUP_DEPTH_MAX => open.push(number),
                4 if number == innermost => drop(open.pop()),
                5 => drop(self.array::<4>()?),
                _ => return Err(Refusal::malformed("holds a broken group")),
            }
        }
        Ok(Wire::Group)
    }
}

impl<'a> Wire<'a> {
    /// Returns text, checked to be UTF-8.
    #[inline]
    pub(super) fn text(self, field: &str) -> Result<&'a str, Refusal> {
        let bytes = self.bytes(field)?;
        str::from_utf8(bytes).map_err(|_| Refusal::malformed(format!("{field} is not UTF-8")))
    }

    /// Returns the bytes of a length-delimited field.
    #[inline]
    pub(super) fn bytes(self, field: &str) -> Result<&'a [u8], Refusal> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(wrong_kind(field)),
        }
    }

    /// Returns the fields of a message within the message.
    pub(super) fn message(self, field: &str) -> Result<Fields<'a>, Refusal> {
        self.bytes(field).map(Fields)
    }

    pub(super) fn varint(self, field: &str) -> Result<u64, Refusal> {
        match self {
            Self::Varint(value) => Ok(value),
            _ => Err(wrong_kind(field)),
        }
    }

    /// Returns an `int32` or an enum: protobuf keeps the low half of a longer varint.
    #[expect(clippy::cast_possible_truncation, reason = "protobuf says so")]
    pub(super) fn int32(self, field: &str) -> Result<i32, Refusal> {
        self.varint(field).map(|value| value as i32)
    }

    /// Returns a `uint32`: protobuf keeps the low half of a longer varint.
    #[expect(clippy::cast_possible_truncation, reason = "protobuf says so")]
    pub(super) fn uint32(self, field: &str) -> Result<u32, Refusal> {
        self.varint(field).map(|value| value as u32)
    }

    /// Returns a `sint32`, which the wire holds zig-zag.
    pub(super) fn sint32(self, field: &str) -> Result<i32, Refusal> {
        let zigzag = self.uint32(field)?;
        Ok((zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed())
    }

    pub(super) fn fixed64(self, field: &str) -> Result<u64, Refusal> {
        match self {
            Self::Fixed64(value) => Ok(value),
            _ => Err(wrong_kind(field)),
        }
    }

    pub(super) fn double(self, field: &str) -> Result<f64, Refusal> {
        self.fixed64(field).map(f64::from_bits)
    }

    /// Appends a repeated `fixed64`, packed or one by one.
    pub(super) fn fixed64s(self, field: &str, out: &mut Vec<u64>) -> Result<(), Refusal> {
        match self {
            Self::Bytes(packed) => {
                let (values, []) = packed.as_chunks::<8>() else {
                    return Err(cut_short());
                };
                out.extend(values.iter().copied().map(u64::from_le_bytes));
            }
            one => out.push(one.fixed64(field)?),
        }
        Ok(())
    }

    /// Appends a repeated `uint64`, packed or one by one.
    pub(super) fn varints(self, field: &str, out: &mut Vec<u64>) -> Result<(), Refusal> {
        match self {
            Self::Bytes(packed) => {
                let mut rest = Fields(packed);
                while !rest.0.is_empty() {
                    out.push(rest.varint()?);
                }
            }
            one => out.push(one.varint(field)?),
        }
        Ok(())
    }
}

fn cut_short() -> Refusal {
    Refusal::malformed("is cut short")
}

fn wrong_kind(field: &str) -> Refusal {
    Refusal::malformed(format!("{field} has the wrong wire type"))
}
