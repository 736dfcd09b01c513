//! The frame and its format on disk (see the crate's documentation).

use std::fmt;

/// Bytes before a frame's payload.
pub(crate) const FRAME_HEADER_BYTES: usize = 48;

/// A place in the log: the END of a frame. "Durable up to `p`" covers the frame whose position is `p` and
/// all before it; "after `p`" starts with the next. Strictly increasing in the order of appends.
///
/// It is never used for two frames that may have reached the disk, across restarts and recycled segments.
/// The number means nothing else to a caller: there are gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// Before the first frame of every journal.
    pub const START: Position = Position(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A frame as it is read back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// The appender's kind.
    pub kind: u8,
    /// The key, for `find`.
    pub key: [u8; 16],
    /// Where it ends: the checkpoint once this frame is in the database.
    pub position: Position,
    /// The parts given to `append`, joined.
    pub payload: Vec<u8>,
}

/// The numbers before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FrameHeader {
    pub payload_len: u32,
    /// Where the frame ends.
    pub position: u64,
    /// The durable position when the frame was appended.
    pub durable: u64,
    pub key: [u8; 16],
    pub payload_crc: u32,
    pub kind: u8,
}

impl FrameHeader {
    pub fn frame_len(&self) -> usize {
        FRAME_HEADER_BYTES + self.payload_len as usize
    }

    pub fn encode(&self) -> [u8; FRAME_HEADER_BYTES] {
        let mut out = [0; FRAME_HEADER_BYTES];
        out[4..8].copy_from_slice(&self.payload_len.to_le_bytes());
        out[8..16].copy_from_slice(&self.position.to_le_bytes());
        out[16..24].copy_from_slice(&self.durable.to_le_bytes());
        out[24..40].copy_from_slice(&self.key);
        out[40..44].copy_from_slice(&self.payload_crc.to_le_bytes());
        out[44] = self.kind;
        let crc = crc32fast::hash(&out[4..]);
        out[..4].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// The header at the start of `bytes`, if it is whole and belongs at `start`.
    pub fn decode(bytes: &[u8], start: u64) -> Option<Self> {
        let bytes = bytes.get(..FRAME_HEADER_BYTES)?;
        let payload_len = u32_at(bytes, 4);
        let position = u64_at(bytes, 8);
        // Checked before the CRC, because a search through stale bytes does this millions of times.
        if position.wrapping_sub(start) != FRAME_HEADER_BYTES as u64 + u64::from(payload_len) {
            return None;
        }
        if u32_at(bytes, 0) != crc32fast::hash(&bytes[4..]) {
            return None;
        }
        let mut key = [0; 16];
        key.copy_from_slice(&bytes[24..40]);
        Some(Self {
            payload_len,
            position,
            durable: u64_at(bytes, 16),
            key,
            payload_crc: u32_at(bytes, 40),
            kind: bytes[44],
        })
    }
}

/// The lengths of the frames in `bytes`, which this process encoded itself.
pub(crate) fn frame_lens(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let len = FRAME_HEADER_BYTES + u32_at(bytes.get(at..).filter(|rest| !rest.is_empty())?, 4) as usize;
        at += len;
        Some(len)
    })
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut out = [0; 4];
    out.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(out)
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(payload: &[u8], start: u64) -> FrameHeader {
        FrameHeader {
            payload_len: payload.len() as u32,
            position: start + (FRAME_HEADER_BYTES + payload.len()) as u64,
            durable: start,
            key: *b"sixteen bytes ok",
            payload_crc: crc32fast::hash(payload),
            kind: 7,
        }
    }

    #[test]
    fn a_header_survives_the_round_trip() {
        for payload in [&b""[..], b"x", &[0xff; 5000]] {
            let header = header(payload, 123);
            assert_eq!(FrameHeader::decode(&header.encode(), 123), Some(header));
        }
    }

    #[test]
    fn the_format_is_pinned() {
        let hex: String = header(b"abc", 123).encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = "03000000ae000000000000007b000000000000007369787465656e206279746573206f6bc2412435\
                      07000000";
        assert_eq!(hex[8..], *golden, "changed bytes need another version of the segment's header");
    }

    #[test]
    fn a_frame_found_elsewhere_than_it_was_written_is_refused() {
        let bytes = header(b"abc", 4096).encode();
        assert_eq!(FrameHeader::decode(&bytes, 4097), None);
        assert_eq!(FrameHeader::decode(&bytes, 0), None);
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let good = header(b"abc", 99).encode();
        for bit in 0..good.len() * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(FrameHeader::decode(&bad, 99), None, "bit {bit}");
        }
    }

    #[test]
    fn zeros_and_short_reads_are_no_frame() {
        assert_eq!(FrameHeader::decode(&[0; 64], 0), None);
        let bytes = header(b"", 0).encode();
        assert_eq!(FrameHeader::decode(&bytes[..47], 0), None);
    }

    #[test]
    fn lengths_are_walked_frame_by_frame() {
        let mut bytes = Vec::new();
        for payload in [&b"ab"[..], b"", b"xyz"] {
            bytes.extend_from_slice(&header(payload, 0).encode());
            bytes.extend_from_slice(payload);
        }
        assert_eq!(frame_lens(&bytes).collect::<Vec<_>>(), [50, 48, 51]);
        assert_eq!(frame_lens(&[]).count(), 0);
    }
}
