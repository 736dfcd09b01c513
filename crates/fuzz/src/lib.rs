//! What reads bytes from outside, as functions of bytes that panic when a property does not hold.
//!
//! The same functions are run by coverage-guided fuzzing (`make fuzz`, folder `fuzz/`) and, over a corpus and for a
//! short time, by this crate's tests. Belongs here: the functions, the corpus, a plain mutator. Does not belong here:
//! the code under test.

mod journal;
mod providers;

use loam_http::surface::read_json;
use loam_kernel::Cursor;
use serde_json::Value;

pub use journal::journal;
pub use providers::provider_stream;

/// A target: its name, and what it does with bytes.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. A folder of `corpus/` and a file of `fuzz/fuzz_targets/` has the name of each.
pub const TARGETS: [Target; 6] = [
    ("json_body", json_body),
    ("provider_stream", provider_stream),
    ("otlp", otlp),
    ("record_batch", record_batch),
    ("cursor", cursor),
    ("journal", journal),
];

/// A JSON body of a request: what is accepted holds no NUL character, and what serde takes is refused for nothing else.
pub fn json_body(bytes: &[u8]) {
    let read = read_json::<Value>(bytes);
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        assert!(read.is_err(), "accepted what is not JSON");
        return;
    };
    match read {
        Ok(_) => assert!(!has_nul(&value), "accepted a NUL character"),
        Err(_) if value.is_array() => {}
        // a NUL may stand in a value that a later one of the same name replaces
        Err(error) => {
            assert!(has_nul(&value) || has_nul_escape(bytes), "refused JSON without a NUL character: {error}")
        }
    }
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(fields) => fields.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Whether the bytes hold an escaped NUL anywhere.
fn has_nul_escape(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|part| part == b"\\u0000")
}

/// An OTLP request. The first byte says of which signal, and in which form.
pub fn otlp(bytes: &[u8]) {
    if let Some((form, body)) = bytes.split_first() {
        loam_insight::fuzzing::otlp_request(body, form & 1 == 1, form & 2 == 2);
    }
}

/// A batch of performance records. The first byte says whether it is JSON or MessagePack.
pub fn record_batch(bytes: &[u8]) {
    if let Some((form, body)) = bytes.split_first() {
        loam_insight::fuzzing::record_batch(body, form & 1 == 1);
    }
}

/// A cursor of a list: one that is accepted is written as it was read.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = Cursor::parse(text) {
        let again = Cursor::parse(&cursor.encode());
        assert!(again.is_ok_and(|again| again == cursor), "a cursor changed on its way");
    }
}
