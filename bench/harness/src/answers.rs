//! The canned answers of the mock upstream: written out once, then copied with a fresh id into each answer.

/// Text of every answer, in the pieces that a stream sends. The last piece closes with [`MARK`].
const PIECES: [&str; 20] = [
    "Loam",
    " is",
    " a",
    " soil",
    " of",
    " sand,",
    " silt",
    " and",
    " clay",
    " in",
    " nearly",
    " equal",
    " parts;",
    " it",
    " holds",
    " water,",
    " drains",
    " well",
    " and",
    " feeds roots.",
];

/// Closes the text of every whole answer: a client that doesn't find it got less than was sent.
pub const MARK: &str = " (end of the answer)";

/// Where the id's 16 hexadecimal digits go.
const ID_HOLE: &str = "0000000000000000";
/// Tokens that the canned prompt is said to have.
const PROMPT_TOKENS: usize = 38;

/// Bytes with holes for the answer's id.
#[derive(Clone)]
pub struct Template {
    bytes: Vec<u8>,
    holes: Vec<usize>,
}

impl Template {
    fn new(text: String) -> Self {
        let holes = memchr::memmem::find_iter(text.as_bytes(), ID_HOLE).collect();
        Self { bytes: text.into_bytes(), holes }
    }

    /// Appends the template to `out` with `id` in its holes.
    pub fn write(&self, id: u64, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        for hole in &self.holes {
            for (at, byte) in id.to_be_bytes().into_iter().enumerate() {
                out[start + hole + 2 * at] = HEX[usize::from(byte >> 4)];
                out[start + hole + 2 * at + 1] = HEX[usize::from(byte & 15)];
            }
        }
    }
}

/// Everything that the upstream can say.
#[derive(Clone)]
pub struct Answers {
    /// Head and body of a plain chat completion.
    pub chat: Template,
    /// Head of a stream and its first event (the role): one write, as servers do.
    pub stream_start: Template,
    /// One HTTP chunk for each piece of text, then one with the finish reason.
    pub stream_pieces: Vec<Template>,
    /// The usage event, sent when it was asked for.
    pub stream_usage: Template,
    /// `[DONE]` and the last, empty chunk.
    pub stream_end: Template,
    pub models: Template,
}

impl Answers {
    /// Answers whose text comes in `chunks` pieces when streamed.
    pub fn new(chunks: usize) -> Self {
        let pieces: Vec<String> = (0..chunks.max(1))
            .map(|n| PIECES[n % PIECES.len()].to_owned() + if n + 1 == chunks.max(1) { MARK } else { "" })
            .collect();
        let completion = pieces.len() + 6;
        let usage = serde_json::json!({
            "prompt_tokens": PROMPT_TOKENS, "completion_tokens": completion, "total_tokens": PROMPT_TOKENS + completion,
            "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        });
        let chat = serde_json::json!({
            "id": format!("chatcmpl-{ID_HOLE}"), "object": "chat.completion", "created": 1_767_225_600, "model": "mock-model",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": pieces.concat(), "refusal": null},
                "logprobs": null, "finish_reason": "stop"}],
            "usage": usage, "service_tier": "default", "system_fingerprint": "fp_50cad350e4",
        });
        let event = |delta: serde_json::Value, finish: Option<&str>| {
            sse(&serde_json::json!({
                "id": format!("chatcmpl-{ID_HOLE}"), "object": "chat.completion.chunk", "created": 1_767_225_600,
                "model": "mock-model", "service_tier": "default", "system_fingerprint": "fp_50cad350e4",
                "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}],
            }))
        };
        let mut stream_pieces: Vec<Template> = pieces
            .iter()
            .map(|text| Template::new(chunk(&event(serde_json::json!({"content": text}), None))))
            .collect();
        stream_pieces.push(Template::new(chunk(&event(serde_json::json!({}), Some("stop")))));
        let usage_event = sse(&serde_json::json!({
            "id": format!("chatcmpl-{ID_HOLE}"), "object": "chat.completion.chunk", "created": 1_767_225_600,
            "model": "mock-model", "service_tier": "default", "system_fingerprint": "fp_50cad350e4",
            "choices": [], "usage": usage,
        }));
        let models = serde_json::json!({"object": "list", "data": [
            {"id": "mock-model", "object": "model", "created": 1_767_225_600, "owned_by": "loam-bench"}]});
        Self {
            chat: Template::new(json_answer("200 OK", &chat.to_string())),
            stream_start: Template::new(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
                 transfer-encoding: chunked\r\n\r\n"
                    .to_owned()
                    + &chunk(&event(serde_json::json!({"role": "assistant", "content": "", "refusal": null}), None)),
            ),
            stream_pieces,
            stream_usage: Template::new(chunk(&usage_event)),
            stream_end: Template::new(chunk("data: [DONE]\n\n") + "0\r\n\r\n"),
            models: Template::new(json_answer("200 OK", &models.to_string())),
        }
    }
}

/// A whole HTTP answer with a JSON body.
pub fn json_answer(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A whole HTTP answer with one unit vector of `DIMENSIONS` for each of `inputs` texts.
pub fn embeddings(inputs: usize) -> String {
    const DIMENSIONS: usize = 256;
    let vector: Vec<f32> = (0..DIMENSIONS).map(|n| if n % 2 == 0 { 0.0625 } else { -0.0625 }).collect();
    let data: Vec<_> = (0..inputs)
        .map(|index| serde_json::json!({"object": "embedding", "index": index, "embedding": vector}))
        .collect();
    let tokens = 8 * inputs;
    let body = serde_json::json!({"object": "list", "data": data, "model": "mock-model",
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens}});
    json_answer("200 OK", &body.to_string())
}

/// An error in the shape that clients of `OpenAI` expect.
pub fn error(status: &str, message: &str) -> String {
    let body = serde_json::json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": null}});
    json_answer(status, &body.to_string())
}

fn sse(event: &serde_json::Value) -> String {
    format!("data: {event}\n\n")
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_answer_has_a_realistic_size_its_own_id_and_the_mark() {
        let mut out = Vec::new();
        Answers::new(20).chat.write(0xabc, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!((500..800).contains(&body.len()), "{} bytes", body.len());
        assert!(head.ends_with(&format!("content-length: {}", body.len())));
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(body["id"], "chatcmpl-0000000000000abc");
        assert!(body["choices"][0]["message"]["content"].as_str().unwrap().ends_with(MARK));
    }

    #[test]
    fn one_embedding_comes_back_for_each_input() {
        let text = embeddings(3);
        let body: serde_json::Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(body["data"].as_array().unwrap().len(), 3);
    }
}
