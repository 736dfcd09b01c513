//! The stored format of bodies: one byte of flags, then the body, compressed if that saves space.

use std::cell::RefCell;

use zstd::bulk::{Compressor, Decompressor};

/// Below this, compressing costs more than it saves.
const WORTH_IT: usize = 1024;
/// Fast: bodies are packed on the path of a call.
const LEVEL: i32 = -1;
/// Maximum size of a decompressed body.
const MAX_OPEN: usize = 256 << 20;

const PLAIN: u8 = 0;
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
pub fn unpack(packed: &[u8]) -> Option<Unpacked> {
    let (how, body) = packed.split_first()?;
    debug_assert!(*how & !(ZSTD | CUT | EVENTS) == PLAIN);
    let body = if how & ZSTD == 0 { body.to_vec() } else { decompress(body) };
    Some(Unpacked { body, cut: how & CUT != 0, events: how & EVENTS != 0 })
}

fn decompress(body: &[u8]) -> Vec<u8> {
    let size = Decompressor::upper_bound(body).unwrap_or(MAX_OPEN).min(MAX_OPEN);
    zstd::bulk::decompress(body, size).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_as_it_was() {
        for size in [0, 10, 5_000, 300_000] {
            let text = "loam ".repeat(size);
            let (a, b) = text.split_at(text.len() / 2);
            for events in [false, true] {
                let packed = pack(&[a, b], events, 10 << 20);
                assert_eq!(
                    unpack(&packed),
                    Some(Unpacked { body: text.clone().into_bytes(), cut: false, events })
                );
                assert!(packed.len() <= text.len() + 1);
            }
        }
        assert_eq!(unpack(&[]), None);
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let opened = unpack(&pack(&["x".repeat(5_000)], false, 2_000)).expect("packed");
        assert_eq!((opened.body.len(), opened.cut), (2_000, true));
    }
}
