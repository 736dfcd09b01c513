//! A segment: one file of the log, and the header that says which part of the log it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::JournalError;
use crate::frame::{u32_at, u64_at};
use crate::storage::StorageFile;

/// A page of its own, so that writing frames never touches the header again.
pub(crate) const SEGMENT_HEADER_BYTES: u64 = 4096;

/// The last character is the version of the format of segments and frames.
const MAGIC: &[u8; 8] = b"LOAMJRN1";
/// Within one sector, so that it is written whole or not at all.
const ENCODED_BYTES: usize = 52;

/// What makes a file a segment of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub journal: [u8; 16],
    pub seq: u64,
    /// Where its first frame starts.
    pub base: u64,
    /// Where the log before it ended: what an earlier segment holds beyond is not part of the log.
    pub prev_end: u64,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderState {
    /// A spare: all zeros.
    Blank,
    Live(SegmentHeader),
    Damaged,
    /// Of a version of the format that this build doesn't read, by its character.
    UnknownVersion(char),
}

impl SegmentHeader {
    pub const BLANK: [u8; ENCODED_BYTES] = [0; ENCODED_BYTES];

    pub fn encode(&self) -> [u8; ENCODED_BYTES] {
        let mut out = [0; ENCODED_BYTES];
        out[..8].copy_from_slice(MAGIC);
        out[8..24].copy_from_slice(&self.journal);
        out[24..32].copy_from_slice(&self.seq.to_le_bytes());
        out[32..40].copy_from_slice(&self.base.to_le_bytes());
        out[40..48].copy_from_slice(&self.prev_end.to_le_bytes());
        let crc = crc32fast::hash(&out[..48]);
        out[48..].copy_from_slice(&crc.to_le_bytes());
        out
    }

    /// Reads the header of segment `seq` of this journal. A file too short for one is a spare: segments get their
    /// name after they have been filled.
    pub fn read(file: &dyn StorageFile, journal: [u8; 16], seq: u64) -> std::io::Result<HeaderState> {
        let mut bytes = Self::BLANK;
        if file.read_at(0, &mut bytes)? < ENCODED_BYTES || bytes == Self::BLANK {
            return Ok(HeaderState::Blank);
        }
        let is_whole = u32_at(&bytes, 48) == crc32fast::hash(&bytes[..48]);
        let (magic, version) = (&MAGIC[..7], bytes[7]);
        if is_whole && bytes.starts_with(magic) && version != MAGIC[7] {
            return Ok(HeaderState::UnknownVersion(version.into()));
        }
        let header = Self { journal, seq, base: u64_at(&bytes, 32), prev_end: u64_at(&bytes, 40) };
        Ok(if is_whole && header.encode() == bytes && header.prev_end <= header.base {
            HeaderState::Live(header)
        } else {
            HeaderState::Damaged
        })
    }
}

/// A segment file, open. `base` means nothing while it is a spare.
pub(crate) struct Segment {
    pub seq: u64,
    pub base: u64,
    /// Length of the file, header included.
    pub len: u64,
    pub path: PathBuf,
    pub file: Arc<dyn StorageFile>,
}

impl Segment {
    /// A file without a live header.
    pub fn spare(dir: &Path, seq: u64, len: u64, file: Arc<dyn StorageFile>) -> Self {
        Self { seq, base: 0, len, path: dir.join(name(seq)), file }
    }

    /// The file as a part of the log.
    pub fn live(&self, base: u64) -> Self {
        Self { seq: self.seq, base, len: self.len, path: self.path.clone(), file: Arc::clone(&self.file) }
    }

    /// Where a position lies in the file.
    pub fn offset(&self, position: u64) -> u64 {
        SEGMENT_HEADER_BYTES + (position - self.base)
    }

    /// The last position the file has room for.
    pub fn capacity_end(&self) -> u64 {
        self.base + self.len.saturating_sub(SEGMENT_HEADER_BYTES)
    }

    /// An error about this file.
    pub fn error(&self, what: &'static str) -> impl FnOnce(std::io::Error) -> JournalError {
        JournalError::io(what, &self.path)
    }
}

pub(crate) fn name(seq: u64) -> String {
    format!("seg-{seq:016x}")
}

/// The number in a segment's name.
pub(crate) fn parse_name(name: &str) -> Option<u64> {
    let digits = name.strip_prefix("seg-")?;
    let seq = u64::from_str_radix(digits, 16).ok()?;
    (self::name(seq) == name).then_some(seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::SimStorage;
    use crate::storage::Storage;

    const HEADER: SegmentHeader = SegmentHeader { journal: [7; 16], seq: 3, base: 900, prev_end: 800 };

    fn read(bytes: &[u8], journal: [u8; 16], seq: u64) -> HeaderState {
        let file = SimStorage::new(1).create(Path::new("/j/x")).unwrap();
        file.write_at(0, bytes).unwrap();
        SegmentHeader::read(&*file, journal, seq).unwrap()
    }

    #[test]
    fn a_header_is_live_blank_or_damaged() {
        let good = HEADER.encode();
        assert_eq!(read(&good, [7; 16], 3), HeaderState::Live(HEADER));
        assert_eq!(read(&[0; 4096], [7; 16], 3), HeaderState::Blank);
        assert_eq!(read(&[], [7; 16], 3), HeaderState::Blank);
        for at in 0..good.len() {
            let mut bad = good;
            bad[at] ^= 4;
            assert_eq!(read(&bad, [7; 16], 3), HeaderState::Damaged, "byte {at}");
        }
    }

    #[test]
    fn the_format_is_pinned_and_another_version_is_known_as_such() {
        let hex: String = HEADER.encode().iter().map(|byte| format!("{byte:02x}")).collect();
        let golden = "4c4f414d4a524e310707070707070707070707070707070703000000000000008403000000000000\
                      2003000000000000";
        assert_eq!(hex[..96], *golden, "changed bytes need another version");
        let mut later = HEADER.encode();
        later[7] = b'2';
        let crc = crc32fast::hash(&later[..48]);
        later[48..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(read(&later, [7; 16], 3), HeaderState::UnknownVersion('2'));
    }

    #[test]
    fn a_file_of_another_journal_or_under_another_name_is_refused() {
        assert_eq!(read(&HEADER.encode(), [8; 16], 3), HeaderState::Damaged);
        assert_eq!(read(&HEADER.encode(), [7; 16], 4), HeaderState::Damaged);
    }

    #[test]
    fn names_are_parsed_strictly() {
        assert_eq!(parse_name(&name(0xab)), Some(0xab));
        for bad in ["seg-ab", "seg-00000000000000AB", "new.tmp", "seg-+0000000000000ab", "seg-"] {
            assert_eq!(parse_name(bad), None, "{bad}");
        }
    }
}
