//! Bodies as they are kept: one byte that says how, then the body, compressed when that is worth it.

use std::cell::RefCell;

use serde_json::{Value, json};
use zstd::bulk::{Compressor, Decompressor};

/// Below this, compressing costs more than it saves.
const WORTH_IT: usize = 1024;
/// Fast: bodies are packed on the path of a call.
const LEVEL: i32 = -1;
/// The largest body that is opened again.
const MAX_OPEN: usize = 256 << 20;

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Set for a body that was longer than what is kept.
const CUT: u8 = 2;
/// Set for the events of a stream.
const EVENTS: u8 = 4;

thread_local! {
    // making one anew for every body would cost more than compressing it
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = RefCell::new(Compressor::new(LEVEL).ok());
}

/// Packs the parts of a body, of which at most `max` bytes are kept.
pub(crate) fn pack(parts: &[impl AsRef<[u8]>], events: bool, max: usize) -> Vec<u8> {
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

/// Opens a packed body as JSON: a stream's events as the answer they add up to, what is no JSON as a string.
pub(crate) fn open(packed: &[u8]) -> Value {
    let Some((how, body)) = packed.split_first() else { return Value::Null };
    debug_assert!(*how & !(ZSTD | CUT | EVENTS) == PLAIN);
    let body = if how & ZSTD == 0 { body.to_vec() } else { decompress(body) };
    let text = String::from_utf8_lossy(&body);
    if how & EVENTS != 0 {
        return loam_providers::assemble(&text);
    }
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) if how & CUT != 0 => json!({ "truncated": true, "text": text }),
        Err(_) => json!(text),
    }
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
            let body = json!({ "text": "loam ".repeat(size) });
            let text = body.to_string();
            let (a, b) = text.split_at(text.len() / 2);
            let packed = pack(&[a, b], false, 10 << 20);
            assert_eq!(open(&packed), body);
            assert!(packed.len() <= text.len() + 1);
        }
        assert_eq!(open(&pack(&["not json"], false, 100)), json!("not json"));
        assert_eq!(open(&[]), Value::Null);
    }

    #[test]
    fn a_long_body_is_cut_and_says_so() {
        let packed = pack(&[json!({ "text": "x".repeat(5_000) }).to_string()], false, 2_000);
        let opened = open(&packed);
        assert_eq!(
            (opened["truncated"].as_bool(), opened["text"].as_str().map(str::len)),
            (Some(true), Some(2_000))
        );
    }

    #[test]
    fn events_come_back_as_the_answer() {
        let packed =
            pack(&["data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"], true, 1 << 20);
        assert_eq!(open(&packed)["choices"][0]["message"]["content"], "hi");
    }
}
