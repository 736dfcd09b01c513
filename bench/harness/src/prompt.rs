//! Text that looks like a prompt. Its words vary, so that neither a cache nor compression gets an easy win.

const WORDS: [&str; 48] = [
    "soil",
    "water",
    "field",
    "sand",
    "clay",
    "root",
    "harvest",
    "season",
    "mineral",
    "layer",
    "depth",
    "sample",
    "the",
    "a",
    "of",
    "and",
    "with",
    "under",
    "because",
    "explain",
    "compare",
    "which",
    "measure",
    "north",
    "river",
    "valley",
    "percent",
    "acid",
    "lime",
    "nitrogen",
    "yield",
    "barley",
    "wheat",
    "orchard",
    "drainage",
    "compost",
    "microbe",
    "structure",
    "texture",
    "moisture",
    "report",
    "please",
    "summarise",
    "table",
    "between",
    "years",
    "spring",
    "loam",
];

/// About `bytes` bytes of words, different for each `seed`.
pub fn words(bytes: usize, seed: u64) -> String {
    let mut text = String::with_capacity(bytes + 16);
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    while text.len() < bytes {
        // xorshift64: any generator would do, this one needs no dependency.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        text.push_str(WORDS[(state >> 33) as usize % WORDS.len()]);
        // A number now and then keeps the text from being compressible to almost nothing.
        if state.trailing_zeros() >= 3 {
            text.push(' ');
            text.push_str(&((state >> 20) % 10_000).to_string());
        }
        text.push(' ');
    }
    text.truncate(bytes);
    text
}

/// A chat completion request whose JSON is about `bytes` long (at least the bare frame).
pub fn chat_body(model: &str, stream: bool, include_usage: bool, bytes: usize, seed: u64) -> Vec<u8> {
    let mut body = serde_json::json!({
        "model": model,
        "messages": [
            {"role": "system", "content": "You answer questions about soil in plain words."},
            {"role": "user", "content": ""},
        ],
        "temperature": 0.2,
    });
    if stream {
        body["stream"] = true.into();
        if include_usage {
            body["stream_options"] = serde_json::json!({"include_usage": true});
        }
    }
    let frame = body.to_string().len();
    body["messages"][1]["content"] = words(bytes.saturating_sub(frame).max(8), seed).into();
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_as_long_as_asked_and_differs_by_seed() {
        for bytes in [400, 200_000] {
            let body = chat_body("mock-model", true, false, bytes, 7);
            assert_eq!(body.len(), bytes);
            assert_ne!(body, chat_body("mock-model", true, false, bytes, 8));
        }
    }
}
