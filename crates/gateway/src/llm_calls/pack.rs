//! Bodies of calls, opened again for a reader.

use loam_platform::pack::unpack;
use serde_json::{Value, json};

/// Opens a packed body as JSON: a stream's events as the answer they add up to, what is no JSON as a string.
pub(crate) fn open(packed: &[u8]) -> Value {
    let Some(kept) = unpack(packed) else { return Value::Null };
    let text = String::from_utf8_lossy(&kept.body);
    if kept.events {
        return loam_providers::assemble(&text);
    }
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) if kept.cut => json!({ "truncated": true, "text": text }),
        Err(_) => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use loam_platform::pack::pack;

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
