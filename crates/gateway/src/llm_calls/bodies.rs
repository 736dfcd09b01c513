//! Unpacks recorded bodies of calls.

use loam_platform::pack::unpack_to_show;
use serde_json::{Value, json};

/// Unpacks a body as JSON: a stream's events as the assembled response, a body that is not JSON as a string.
pub(crate) fn to_json(packed: &[u8]) -> Value {
    let Some(body) = unpack_to_show(packed) else { return Value::Null };
    let text = String::from_utf8_lossy(&body.body);
    if body.events {
        return loam_providers::assemble(&text);
    }
    match serde_json::from_str(&text) {
        Ok(value) => value,
        Err(_) if body.cut => json!({ "truncated": true, "text": text }),
        Err(_) => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use loam_platform::pack::pack;

    use super::*;

    #[test]
    fn a_body_is_unpacked_unchanged() {
        for size in [0, 10, 5_000, 300_000] {
            let body = json!({ "text": "loam ".repeat(size) });
            let text = body.to_string();
            let (a, b) = text.split_at(text.len() / 2);
            let packed = pack(&[a, b], false, 10 << 20);
            assert_eq!(to_json(&packed), body);
            assert!(packed.len() <= text.len() + 1);
        }
        assert_eq!(to_json(&pack(&["not json"], false, 100)), json!("not json"));
        assert_eq!(to_json(&[]), Value::Null);
    }

    #[test]
    fn a_long_body_is_marked_as_truncated() {
        let packed = pack(&[json!({ "text": "x".repeat(5_000) }).to_string()], false, 2_000);
        let opened = to_json(&packed);
        assert_eq!(
            (opened["truncated"].as_bool(), opened["text"].as_str().map(str::len)),
            (Some(true), Some(2_000))
        );
    }

    #[test]
    fn events_are_assembled_into_the_response() {
        let packed =
            pack(&["data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n"], true, 1 << 20);
        assert_eq!(to_json(&packed)["choices"][0]["message"]["content"], "hi");
    }
}
