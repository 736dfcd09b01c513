//! The stored format of bodies: one byte of flags, then the body, compressed if that saves space.

use std::cell::RefCell;

use loam_kernel::Result;
use serde_json::Value;
use zstd::bulk::{Compressor, Decompressor};

use crate::stored_format::StoredFormat;

/// A packed body. The version is one more than the upper half of the first byte, whose lower half is flags.
pub const PACKED_BODY: StoredFormat = StoredFormat::new("packed_body", 1);

/// Below this, compressing costs more than it saves.
const WORTH_IT: usize = 1024;
/// Fast: bodies are packed on the path of a call.
const LEVEL: i32 = -1;
/// Maximum size of a decompressed body.
const MAX_OPEN: usize = 256 << 20;

const ZSTD: u8 = 1;
/// Flag of a truncated body.
const CUT: u8 = 2;
/// Flag of the events of a stream.
const EVENTS: u8 = 4;

thread_local! {
    // making one anew for every body would cost more than compressing it
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
}

/// A body that was packed.
#[derive(Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The stored part of the body.
    pub body: Vec<u8>,
    /// Whether it was truncated.
    pub cut: bool,
    /// It is the events of a stream.
    pub events: bool,
}

/// Packs the parts of a body, truncated to `max` bytes.
pub fn pack(parts: &[impl AsRef<[u8]>], events: bool, max: usize) -> Vec<u8> {
    let total: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let how = if events { EVENTS } else { 0 } | if total > max { CUT } else { 0 };
    match parts {
        // a body in one piece is compressed from where it lies
        [whole] => wrap(how, &whole.as_ref()[..total.min(max)]),
        _ => {
            let mut body = Vec::with_capacity(total.min(max));
            for part in parts {
                let room = max - body.len();
                let part = part.as_ref();
                body.extend_from_slice(&part[..part.len().min(room)]);
            }
            wrap(how, &body)
        }
    }
}

fn wrap(how: u8, body: &[u8]) -> Vec<u8> {
    if body.len() >= WORTH_IT
        && let Some(packed) = compress(how | ZSTD, body)
        && packed.len() <= body.len()
    {
        return packed;
    }
    let mut plain = Vec::with_capacity(body.len() + 1);
    plain.push(how);
    plain.extend_from_slice(body);
    plain
}

fn compress(how: u8, body: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|compressor| {
        let mut packed = compressor.as_mut()?.compress(body).ok()?;
        packed.insert(0, how);
        Some(packed)
    })
}

/// Opens a packed body; none when there is nothing.
///
/// # Errors
/// When the version is unknown, or the bytes are damaged.
pub fn unpack(packed: &[u8]) -> Result<Option<Unpacked>> {
    let Some((how, body)) = packed.split_first() else { return Ok(None) };
    PACKED_BODY.check((how >> 4) + 1)?;
    if how & !(ZSTD | CUT | EVENTS) != 0 {
        return Err(PACKED_BODY.damaged());
    }
    let body = if how & ZSTD == 0 { body.to_vec() } else { decompress(body)? };
    Ok(Some(Unpacked { body, cut: how & CUT != 0, events: how & EVENTS != 0 }))
}

/// Opens a packed body to show it; none when there is nothing, or when it can't be read, which is logged.
pub fn unpack_to_show(packed: &[u8]) -> Option<Unpacked> {
    unpack(packed).unwrap_or_else(|error| {
        tracing::error!(cause = std::error::Error::source(&error), "can't show a stored body");
        None
    })
}

/// The same of a JSON document; null when it was truncated.
pub fn unpack_json(packed: &[u8]) -> Value {
    let unpacked = unpack_to_show(packed);
    unpacked.and_then(|unpacked| serde_json::from_slice(&unpacked.body).ok()).unwrap_or_default()
}

fn decompress(body: &[u8]) -> Result<Vec<u8>> {
    let size = Decompressor::upper_bound(body).unwrap_or(MAX_OPEN).min(MAX_OPEN);
    zstd::bulk::decompress(body, size).map_err(|_| PACKED_BODY.damaged())
}

#[cfg(test)]
mod tests {
    use loam_testkit::check_golden;

    use super::*;

    fn opened(packed: &[u8]) -> Unpacked {
        unpack(packed).expect("readable").expect("a body")
    }

    #[test]
    fn a_body_comes_back_as_it_was() {
        for size in [0, 10, 5_000, 300_000] {
            let text = "loam ".repeat(size);
            let (a, b) = text.split_at(text.len() / 2);
            for events in [false, true] {
                let packed = pack(&[a, b], events, 10 << 20);
                let expected = Unpacked { body: text.clone().into_bytes(), cut: false, events };
                assert_eq!(opened(&packed), expected);
                assert!(packed.len() <= text.len() + 1);
            }
        }
        assert_eq!(unpack(&[]).expect("readable"), None);
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let opened = opened(&pack(&["x".repeat(5_000)], false, 2_000));
        assert_eq!((opened.body.len(), opened.cut), (2_000, true));
    }

    #[test]
    fn all_versions_are_read() {
        let packed = pack(&["data: {}\n\n"], true, 6);
        check_golden(PACKED_BODY.kind(), PACKED_BODY.versions(), &packed, |packed| {
            format!("{:#?}", opened(packed))
        });
        let zstd = [
            1, 0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x96, 0x04, 0x65, 0x00, 0x00, 0x28, 0x6c, 0x6f, 0x61, 0x6d,
            0x20, 0x01, 0x00, 0x8e, 0xe1, 0x2f, 0x5a,
        ];
        assert_eq!(opened(&zstd).body, "loam ".repeat(286).into_bytes());
    }

    #[test]
    fn unknown_versions_and_flags_are_refused() {
        let error = unpack(&[0x10, b'x']).expect_err("unknown");
        let cause = std::error::Error::source(&error).expect("a cause").to_string();
        assert_eq!(cause, "stored `packed_body` has format version 2; this server reads versions 1 to 1");
        assert!(unpack(&[8, b'x']).is_err() && unpack(&[ZSTD, b'x']).is_err());
    }
}
