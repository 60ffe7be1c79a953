//! Takes compression off, never further than a limit.

use std::io::{self, Read};

use axum::http::HeaderValue;
use flate2::bufread::{MultiGzDecoder, ZlibDecoder};

use super::admission::Permit;
use super::failure::Failure;

/// How a body was compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Identity,
    Gzip,
    Zstd,
    /// Zlib, as HTTP and gRPC both mean it.
    Deflate,
}

/// The window that a zstd frame may ask for, as a power of two: enough for a frame of the largest body at once.
const ZSTD_WINDOW_LOG_MAX: u32 = 25;
/// Where the buffer for an inflated body starts.
const FIRST_BYTES: usize = 64 * 1024;

impl Compression {
    /// What we can take off, as a header says it.
    pub(super) const KNOWN: HeaderValue = HeaderValue::from_static("gzip, zstd, deflate, identity");

    /// Reads a `Content-Encoding` or `grpc-encoding`; `None` where it is one that we do not know.
    pub(super) fn from_header(value: Option<&HeaderValue>) -> Option<Self> {
        let Some(value) = value else {
            return Some(Self::Identity);
        };
        let name = value.to_str().ok()?.trim();
        let is = |known: &str| name.eq_ignore_ascii_case(known);
        match () {
            () if name.is_empty() || is("identity") => Some(Self::Identity),
            () if is("gzip") || is("x-gzip") => Some(Self::Gzip),
            () if is("zstd") => Some(Self::Zstd),
            () if is("deflate") => Some(Self::Deflate),
            () => None,
        }
    }
}

/// Inflates `wire` (all members of a gzip file, all frames of a zstd one) to at most `limit` bytes, taking its memory
/// from `permit` before it is used.
pub(super) fn inflate(
    compression: Compression,
    wire: &[u8],
    limit: usize,
    permit: &mut Permit,
) -> Result<Vec<u8>, Failure> {
    let inflated = match compression {
        Compression::Identity => fill(wire, limit, permit),
        Compression::Gzip => fill(MultiGzDecoder::new(wire), limit, permit),
        Compression::Deflate => fill(ZlibDecoder::new(wire), limit, permit),
        Compression::Zstd => {
            let mut decoder =
                zstd::stream::read::Decoder::with_buffer(wire).map_err(|error| broken(&error))?;
            decoder
                .window_log_max(ZSTD_WINDOW_LOG_MAX)
                .map_err(|error| broken(&error))?;
            fill(decoder, limit, permit)
        }
    }?;
    permit.shrink_to(inflated.len());
    Ok(inflated)
}

fn fill(mut reader: impl Read, limit: usize, permit: &mut Permit) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    loop {
        // One byte more than the limit tells a body of just that size from a larger one.
        let capacity = (2 * out.len()).clamp(FIRST_BYTES, limit + 1);
        let more = capacity - out.len();
        permit.grow(more)?;
        out.reserve_exact(more);
        let read = reader
            .by_ref()
            .take(more as u64)
            .read_to_end(&mut out)
            .map_err(|error| broken(&error))?;
        if out.len() > limit {
            return Err(Failure::too_large(limit));
        }
        if read < more {
            return Ok(out);
        }
    }
}

fn broken(error: &io::Error) -> Failure {
    Failure::undecodable(format!("body cannot be decompressed: {error}"))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::receive::admission::Admission;
    use crate::receive::failure::Kind;

    const LIMIT: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        zstd::encode_all(bytes, 1).unwrap()
    }

    fn inflated(compression: Compression, wire: &[u8]) -> Result<Vec<u8>, Failure> {
        let admission = Admission::of(64 << 20);
        let mut permit = admission.admit(0).unwrap();
        let out = inflate(compression, wire, LIMIT, &mut permit);
        assert!(
            admission.in_flight() <= LIMIT + 1,
            "more was inflated than the limit"
        );
        if let Ok(out) = &out {
            assert_eq!(admission.in_flight(), out.len());
        }
        out
    }

    type Compress = fn(&[u8]) -> Vec<u8>;

    const KINDS: [(Compression, Compress); 3] = [
        (Compression::Gzip, gzip),
        (Compression::Zstd, zstd),
        (Compression::Deflate, zlib),
    ];

    #[test]
    fn a_body_of_just_the_limit_is_inflated_and_one_byte_more_is_too_large() {
        for (compression, compress) in KINDS {
            for length in [0, 1, FIRST_BYTES - 1, FIRST_BYTES, FIRST_BYTES + 1, LIMIT] {
                let plain = vec![7; length];
                assert_eq!(inflated(compression, &compress(&plain)).unwrap(), plain);
            }
            for length in [LIMIT + 1, 50 * LIMIT] {
                let failure = inflated(compression, &compress(&vec![7; length])).unwrap_err();
                assert_eq!(failure.kind, Kind::TooLarge);
            }
        }
    }

    #[test]
    fn all_members_and_frames_are_inflated() {
        for (compression, compress) in [KINDS[0], KINDS[1]] {
            let wire = [compress(b"one "), compress(b""), compress(b"two")].concat();
            assert_eq!(inflated(compression, &wire).unwrap(), b"one two");
        }
    }

    #[test]
    fn broken_and_cut_bodies_are_undecodable() {
        for (compression, compress) in KINDS {
            let whole = compress(&[b"some text of some length ".as_slice(); 40].concat());
            for wire in [
                &whole[..whole.len() - 1],
                &whole[..10],
                b"not compressed at all",
            ] {
                let failure = inflated(compression, wire).unwrap_err();
                assert_eq!(
                    failure.kind,
                    Kind::Undecodable,
                    "{compression:?} {failure:?}"
                );
            }
        }
    }

    #[test]
    fn inflating_stops_where_admission_has_no_room() {
        let admission = Admission::of(64 << 20);
        let _others = admission.admit((64 << 20) - FIRST_BYTES).unwrap();
        let mut permit = admission.admit(0).unwrap();
        let small = inflate(Compression::Zstd, &zstd(&[7; 100]), LIMIT, &mut permit).unwrap();
        permit.shrink_to(0);
        assert_eq!(small.len(), 100);
        let failure = inflate(Compression::Zstd, &zstd(&[7; LIMIT]), LIMIT, &mut permit);
        assert!(matches!(failure.unwrap_err().kind, Kind::Busy(_)));
    }

    #[test]
    fn headers_name_a_compression_in_any_case() {
        let of = |name| Compression::from_header(Some(&HeaderValue::from_static(name)));
        assert_eq!(Compression::from_header(None), Some(Compression::Identity));
        assert_eq!(of(""), Some(Compression::Identity));
        assert_eq!(of("GZIP"), Some(Compression::Gzip));
        assert_eq!(of("br"), None);
        assert_eq!(of("gzip, zstd"), None);
    }
}
