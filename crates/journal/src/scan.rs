//! Scans the frames of one segment, skipping damaged parts.

use std::io;
use std::sync::Arc;

use crate::frame::{FRAME_HEADER_BYTES, FrameHeader};
use crate::segment::Segment;

const CHUNK_BYTES: usize = 256 << 10;

/// An item of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    Frame(FrameHeader),
    /// No valid frame between these positions.
    Bad {
        from: u64,
        to: u64,
    },
}

/// A walk over the frames of `segment` up to the position `limit`.
pub(crate) struct Scan {
    segment: Arc<Segment>,
    /// Where the next frame starts.
    at: u64,
    limit: u64,
    /// Read (and check) the payloads of this key only.
    only: Option<[u8; 16]>,
    buffer: Vec<u8>,
    buffer_at: u64,
    payload: std::ops::Range<usize>,
}

impl Scan {
    /// Checks every frame from the one that starts at `from`.
    pub fn all(segment: Arc<Segment>, from: u64, limit: u64) -> Self {
        let at = from.max(segment.base);
        let limit = limit.min(segment.capacity_end());
        Self { segment, at, limit, only: None, buffer: Vec::new(), buffer_at: at, payload: 0..0 }
    }

    /// Skips the payloads of frames with another key.
    pub fn only(mut self, key: [u8; 16]) -> Self {
        self.only = Some(key);
        self
    }

    /// Where the next frame starts.
    pub fn at(&self) -> u64 {
        self.at
    }

    /// The payload of the frame that `next` returned last, if its payload was read.
    pub fn payload(&self) -> &[u8] {
        &self.buffer[self.payload.clone()]
    }

    pub fn next(&mut self) -> io::Result<Option<Item>> {
        if self.at >= self.limit {
            return Ok(None);
        }
        let start = self.at;
        let limit = self.limit;
        let fits = |header: &FrameHeader| header.position <= limit;
        let Some(header) = FrameHeader::decode(self.fill(start, FRAME_HEADER_BYTES)?, start).filter(fits)
        else {
            let to = self.next_header(start + 1)?;
            self.at = to;
            return Ok(Some(Item::Bad { from: start, to }));
        };
        self.payload = 0..0;
        if self.only.is_none_or(|key| key == header.key) {
            let bytes = self.fill(start, header.frame_len())?;
            let payload = bytes.get(FRAME_HEADER_BYTES..header.frame_len());
            if payload.is_none_or(|payload| crc32fast::hash(payload) != header.payload_crc) {
                self.at = header.position;
                return Ok(Some(Item::Bad { from: start, to: header.position }));
            }
            let first = (start - self.buffer_at) as usize;
            self.payload = first + FRAME_HEADER_BYTES..first + header.frame_len();
        }
        self.at = header.position;
        Ok(Some(Item::Frame(header)))
    }

    /// The first place at or after `from` where a frame header stands, or the limit.
    fn next_header(&mut self, mut from: u64) -> io::Result<u64> {
        let limit = self.limit;
        while from + FRAME_HEADER_BYTES as u64 <= limit {
            let bytes = self.fill(from, FRAME_HEADER_BYTES)?;
            if bytes.len() < FRAME_HEADER_BYTES {
                break;
            }
            let places = bytes.len() - FRAME_HEADER_BYTES + 1;
            for place in 0..places {
                let start = from + place as u64;
                if FrameHeader::decode(&bytes[place..], start).is_some_and(|header| header.position <= limit)
                {
                    return Ok(start);
                }
            }
            from += places as u64;
        }
        Ok(limit)
    }

    /// The bytes from `position` on: at least `need` of them, unless the limit or the file ends before.
    fn fill(&mut self, position: u64, need: usize) -> io::Result<&[u8]> {
        let need = (need as u64).min(self.limit - position) as usize;
        let have = self.buffer_at + self.buffer.len() as u64;
        if position < self.buffer_at || position + need as u64 > have {
            let want = need.max(CHUNK_BYTES).min((self.limit - position) as usize);
            self.buffer.resize(want, 0);
            let got = self.segment.file.read_at(self.segment.offset(position), &mut self.buffer)?;
            self.buffer.truncate(got);
            self.buffer_at = position;
        }
        Ok(&self.buffer[(position - self.buffer_at) as usize..])
    }
}
