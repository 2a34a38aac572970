//! The form of a segment file: a header, then frames of one usage record each.
//!
//! Header: eight bytes that name the format, then its version (u32). Frame: length of the record (u32), CRC-32 (IEEE
//! 802.3) over the length and the record, the record as protobuf. Numbers are little-endian. A reader keeps everything
//! before the first frame that is cut short or does not match its checksum.

use prost::Message as _;
use shared::pb::UsageRecord;

/// The header of a segment file.
pub const HEADER: [u8; 12] = *b"OAUSAGE\0\x01\0\0\0";

/// The bytes of a frame before its record.
const FRAME_HEAD: usize = 8;

/// The longest record, in bytes. A real one has about a thousandth of it.
pub const MAX_RECORD: usize = 1024 * 1024;

/// The longest frame, in bytes.
pub const MAX_FRAME: usize = FRAME_HEAD + MAX_RECORD;

/// Appends the frame of `record` to `bytes`, and says whether it did. A record over [`MAX_RECORD`] is left out.
pub fn push_frame(record: &UsageRecord, bytes: &mut Vec<u8>) -> bool {
    let length = record.encoded_len();
    let Some(stored) = u32::try_from(length).ok().filter(|_| length <= MAX_RECORD) else { return false };
    bytes.reserve(FRAME_HEAD + length);
    let start = bytes.len();
    bytes.extend_from_slice(&stored.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    // A vector grows as needed, so encoding into it cannot fail.
    let _ = record.encode(bytes);
    let checksum = checksum(stored, &bytes[start + FRAME_HEAD..]);
    bytes[start + 4..start + FRAME_HEAD].copy_from_slice(&checksum.to_le_bytes());
    true
}

/// What stands at a place of a segment.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A whole frame.
    Whole {
        /// The record in it, as protobuf.
        record: &'a [u8],
        /// The bytes of the frame.
        length: usize,
    },
    /// The bytes end inside the frame.
    Cut,
    /// The frame is damaged.
    Damaged,
}

/// The frame at the beginning of `bytes`. None where there are no bytes.
pub fn first_frame(bytes: &[u8]) -> Option<Frame<'_>> {
    if bytes.is_empty() {
        return None;
    }
    let Some((head, rest)) = bytes.split_first_chunk::<FRAME_HEAD>() else { return Some(Frame::Cut) };
    let [l0, l1, l2, l3, c0, c1, c2, c3] = *head;
    let (stored, expected) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([c0, c1, c2, c3]));
    let Some(length) = usize::try_from(stored).ok().filter(|length| *length <= MAX_RECORD) else {
        return Some(Frame::Damaged);
    };
    let Some(record) = rest.get(..length) else { return Some(Frame::Cut) };
    if checksum(stored, record) != expected {
        return Some(Frame::Damaged);
    }
    Some(Frame::Whole { record, length: FRAME_HEAD + length })
}

/// What a segment file holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The bytes up to the end of the last whole frame, the header included.
    pub length: u64,
    /// The number of whole frames.
    pub records: u64,
    /// The number of whole frames before the place that was asked for.
    pub records_before: u64,
    /// The bytes behind the whole frames, which are lost.
    pub lost: u64,
}

/// Looks through the bytes of a segment file, and counts apart the frames up to `place` in it. None where the bytes do
/// not begin with this version's header.
pub fn scan(bytes: &[u8], place: u64) -> Option<Scan> {
    if !bytes.starts_with(&HEADER) {
        return None;
    }
    let mut at = HEADER.len();
    let mut scan = Scan::default();
    while let Some(Frame::Whole { length, .. }) = bytes.get(at..).and_then(first_frame) {
        at += length;
        scan.records += 1;
        if at as u64 <= place {
            scan.records_before += 1;
        }
    }
    scan.length = at as u64;
    scan.lost = (bytes.len() - at) as u64;
    Some(scan)
}

fn checksum(length: u32, record: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(record);
    hasher.finalize()
}

#[cfg(test)]
mod tests;
