use serde_json::json;

use super::*;

fn calls(parts: &[Value]) -> Vec<(usize, String)> {
    let mut decoder = ChatDecoder::default();
    let mut out = Vec::new();
    for part in parts {
        let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]});
        decoder.event(chunk.to_string().as_bytes(), &mut out);
    }
    decoder.event(b"[DONE]", &mut out);
    let mut calls = Vec::new();
    for part in out {
        match part {
            ResponsePart::Tool { index, name, .. } => calls.push((index, name)),
            ResponsePart::Arguments { index, json } => calls[index].1.push_str(&json),
            _ => {}
        }
    }
    calls
}

#[test]
fn tool_calls_are_distinguished_whatever_a_server_omits() {
    let part = |index: Option<u64>, id: Option<&str>, name: &str, arguments: &str| json!({"index": index, "id": id, "function": {"name": name, "arguments": arguments}});
    let expected = vec![(0, "f{}".to_owned()), (1, "g[1]".to_owned())];
    let openai = [
        part(Some(0), Some("a"), "f", ""),
        part(Some(0), None, "", "{}"),
        part(Some(1), Some("b"), "g", "["),
        part(Some(1), None, "", "1]"),
    ];
    assert_eq!(calls(&openai), expected);
    let repeats_ids = [
        part(Some(0), Some("a"), "f", "{}"),
        part(Some(1), Some("b"), "g", "["),
        part(Some(1), Some("b"), "g", "1]"),
    ];
    assert_eq!(calls(&repeats_ids), expected);
    let always_zero = [part(Some(0), Some("a"), "f", "{}"), part(Some(0), Some("b"), "g", "[1]")];
    assert_eq!(calls(&always_zero), expected);
    let name_later = [
        part(Some(0), Some("a"), "", ""),
        part(Some(0), None, "f", ""),
        part(Some(1), Some("b"), "", "["),
        part(Some(0), None, "", "{}"),
        part(Some(1), None, "g", ""),
        part(Some(1), None, "", "1]"),
    ];
    assert_eq!(calls(&name_later), expected);
    let repeats_names = [
        part(Some(0), Some("a"), "f", "{"),
        part(Some(0), Some("a"), "f", "}"),
        part(Some(1), Some("b"), "g", ""),
        part(Some(1), Some("b"), "g", "[1]"),
    ];
    assert_eq!(calls(&repeats_names), expected);
    let no_index =
        [part(None, Some("a"), "f", "{}"), part(None, Some("b"), "g", "["), part(None, None, "", "1]")];
    assert_eq!(calls(&no_index), expected);
    let no_index_or_id =
        [part(None, None, "f", "{}"), part(None, Some(""), "g", "["), part(None, None, "", "1]")];
    assert_eq!(calls(&no_index_or_id), expected);
}
#[test]
fn invented_ids_are_not_repeated() {
    let id = || {
        let body = json!({"choices": [{"message": {"tool_calls": [{"id": "", "function": {"name": "f", "arguments": "{}"}}]}}]});
        let parts = ChatDecoder::default().decode_complete(body.to_string().as_bytes()).expect("a response");
        parts.into_iter().find_map(|part| match part {
            ResponsePart::Tool { id, .. } => Some(id),
            _ => None,
        })
    };
    let (one, other) = (id().expect("an id"), id().expect("an id"));
    assert_ne!(one, other);
    // OpenAI accepts 40 characters
    assert!(one.starts_with("call_") && one.len() <= 40, "{one}");
}

#[test]
fn text_and_reasoning_are_found_wherever_a_server_puts_them() {
    for (delta, reasoning, text) in [
        (json!({"reasoning_content": "", "reasoning": "hm", "content": null}), "hm", ""),
        (json!({"reasoning_content": "hm", "reasoning": "hm", "content": ""}), "hm", ""),
        (json!({"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]}), "hm", ""),
        (
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "a"},
            {"type": "text", "text": "b"}]}),
            "hm",
            "ab",
        ),
        (json!({"content": "a", "refusal": null}), "", "a"),
        (json!({"content": null, "refusal": "no"}), "", "no"),
    ] {
        let mut out = Vec::new();
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
        ChatDecoder::default().event(chunk.to_string().as_bytes(), &mut out);
        let of = |thinking: bool| -> String {
            let part = |part: &ResponsePart| match part {
                ResponsePart::Text(text) if !thinking => text.clone(),
                ResponsePart::Thinking(text) if thinking => text.clone(),
                _ => String::new(),
            };
            out.iter().map(part).collect()
        };
        assert_eq!((of(true).as_str(), of(false).as_str()), (reasoning, text), "{delta}");
    }
}
