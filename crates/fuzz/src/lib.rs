//! Fuzz targets: functions of untrusted bytes that panic when a property is violated.
//!
//! They are run by coverage-guided fuzzing (`make fuzz`, folder `fuzz/`) and, for a few seconds over a corpus, by this
//! crate's tests. Belongs here: the targets, the corpus, a simple mutator. Does not belong here: the code under test.

mod forms;
mod journal;
mod providers;

use loam_http::surface::read_json;
use loam_kernel::Cursor;
use serde_json::Value;

pub use forms::form;
pub use journal::journal;
pub use providers::provider_stream;

/// A target: name and function.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a folder in `corpus/` and a file in `fuzz/fuzz_targets/` of the same name.
pub const TARGETS: [Target; 7] = [
    ("json_body", json_body),
    ("provider_stream", provider_stream),
    ("otlp", otlp),
    ("record_batch", record_batch),
    ("cursor", cursor),
    ("form", form),
    ("journal", journal),
];

/// A JSON request body: an accepted body contains no NUL character, and a body that serde accepts is rejected for no other
/// reason.
pub fn json_body(bytes: &[u8]) {
    let read = read_json::<Value>(bytes);
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else {
        assert!(read.is_err(), "accepted what is not JSON");
        return;
    };
    match read {
        Ok(_) => assert!(!has_nul(&value), "accepted a NUL character"),
        Err(_) if value.is_array() => {}
        // a NUL may be in a value that a duplicate field replaces
        Err(error) => {
            assert!(
                has_nul(&value) || has_nul_escape(bytes),
                "rejected JSON without a NUL character: {error}"
            )
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

/// Whether the bytes contain an escaped NUL.
fn has_nul_escape(bytes: &[u8]) -> bool {
    bytes.windows(6).any(|part| part == b"\\u0000")
}

/// An OTLP request. The first byte selects signal and encoding.
pub fn otlp(bytes: &[u8]) {
    if let Some((choice, body)) = bytes.split_first() {
        loam_insight::fuzzing::otlp_request(body, choice & 1 == 1, choice & 2 == 2);
    }
}

/// A batch of performance records. The first byte selects JSON or MessagePack.
pub fn record_batch(bytes: &[u8]) {
    if let Some((choice, body)) = bytes.split_first() {
        loam_insight::fuzzing::record_batch(body, choice & 1 == 1);
    }
}

/// A pagination cursor: an accepted cursor round-trips.
pub fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(cursor) = Cursor::parse(text) {
        let parsed = Cursor::parse(&cursor.encode());
        assert!(parsed.is_ok_and(|parsed| parsed == cursor), "a cursor does not round-trip");
    }
}
