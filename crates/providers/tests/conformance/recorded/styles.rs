//! How servers write chat completions, after their documentation and what they are known to send.

use serde_json::{Value, json};

use super::style::{Style, UsageIn, delta_call, fragments};

/// Every server.
pub(super) fn all() -> Vec<Style> {
    vec![
        azure(),
        dashscope(),
        deepseek(),
        gemini(),
        groq(),
        lm_studio(),
        mistral(),
        ollama(),
        openrouter(),
        sglang(),
        vllm(),
    ]
}

/// Reports filters: before the answer in a chunk without choices, and after it in one without a delta.
fn azure() -> Style {
    Style {
        shell: json!({"model": "gpt-4o-2024-08-06", "system_fingerprint": "fp_ee1d74bde0", "usage": null}),
        before: "data: {\"choices\":[],\"created\":0,\"id\":\"\",\"model\":\"\",\"object\":\"\",\"prompt_filter_results\":[{\"prompt_index\":0,\
            \"content_filter_results\":{\"hate\":{\"filtered\":false,\"severity\":\"safe\"}}}]}\n\n",
        choice: json!({"content_filter_results": {"hate": {"filtered": false, "severity": "safe"}}, "logprobs": null}),
        after: Some(json!({"index": 0, "finish_reason": null, "content_filter_results": {},
            "content_filter_offsets": {"check_offset": 35, "start_offset": 35, "end_offset": 88}})),
        reasoning: None,
        ..Style::new("Azure OpenAI", "openai")
    }
}

/// Repeats the role, and sends an empty id with every fragment of a call but the first.
fn dashscope() -> Style {
    Style {
        shell: json!({"model": "qwen-plus", "system_fingerprint": null, "usage": null}),
        choice: json!({"logprobs": null}),
        reasoning: Some(|text| json!({"content": null, "reasoning_content": text})),
        text: |text| json!({"content": text, "reasoning_content": null}),
        call: |at, id, name, arguments| {
            let more = fragments(arguments).map(|part| {
                json!({"content": null, "tool_calls": [{"index": at, "id": "", "type": "function", "function": {"arguments": part}}]})
            });
            let start =
                json!({"role": "assistant", "content": null, "tool_calls": [delta_call(at, id, name, "")]});
            std::iter::once(start).chain(more).collect()
        },
        ..Style::new("DashScope", "qwen")
    }
}

/// Comments while the request waits; null for what a delta doesn't hold; the usage in the last chunk.
fn deepseek() -> Style {
    Style {
        shell: json!({"model": "deepseek-reasoner", "system_fingerprint": "fp_ffc7281d48_prod0820_fp8_kvcache"}),
        before: ": keep-alive\n\n: keep-alive\n\n",
        choice: json!({"logprobs": null}),
        reasoning: Some(|text| json!({"content": null, "reasoning_content": text})),
        text: |text| json!({"content": text, "reasoning_content": null}),
        usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42, "prompt_cache_hit_tokens": 8,
            "prompt_cache_miss_tokens": 22, "completion_tokens_details": {"reasoning_tokens": 5}}),
        usage_in: UsageIn::LastChunk,
        ..Style::new("DeepSeek", "deepseek")
    }
}

/// Whole calls without an index or an id, the reason `stop` behind them, and the usage so far in every chunk.
fn gemini() -> Style {
    Style {
        shell: json!({"model": "gemini-2.5-flash"}),
        reasoning: None,
        role: json!({"role": "assistant"}),
        call: |_, _, name, arguments| {
            vec![json!({"role": "assistant", "tool_calls": [
                {"id": "", "type": "function", "function": {"name": name, "arguments": arguments}}]})]
        },
        stop: |_| "stop",
        usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 60}),
        cached: 0,
        usage_in: UsageIn::EveryChunk,
        ..Style::new("Gemini", "openai")
    }
}

/// The usage in a field of its own.
fn groq() -> Style {
    Style {
        shell: json!({"model": "openai/gpt-oss-20b", "system_fingerprint": "fp_80501ff3a1"}),
        choice: json!({"logprobs": null}),
        reasoning: Some(|text| json!({"reasoning": text, "channel": "analysis"})),
        call: |at, id, name, arguments| vec![json!({"tool_calls": [delta_call(at, id, name, arguments)]})],
        usage: json!({"queue_time": 0.03, "prompt_tokens": 30, "prompt_time": 0.003, "completion_tokens": 12,
            "completion_time": 0.02, "total_tokens": 42, "total_time": 0.024}),
        cached: 0,
        usage_in: UsageIn::Groq,
        ..Style::new("Groq", "openai")
    }
}

/// The name of a call and its arguments in fragments, an id of digits.
fn lm_studio() -> Style {
    Style {
        shell: json!({"model": "qwen3-4b", "system_fingerprint": "qwen3-4b"}),
        choice: json!({"logprobs": null}),
        id: |at| format!("32113984{at}"),
        usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}),
        cached: 0,
        ..Style::new("LM Studio", "openai")
    }
}

/// Reasoning as a list of parts, whole calls with the finish reason, padding against guessing.
fn mistral() -> Style {
    Style {
        shell: json!({"model": "magistral-medium-latest", "p": "abcdefghijklm"}),
        reasoning: Some(
            |text| json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]}),
        ),
        call: |at, id, name, arguments| {
            vec![
                json!({"tool_calls": [{"id": id, "function": {"name": name, "arguments": arguments}, "index": at}]}),
            ]
        },
        id: |at| format!("D681PevK{at}"),
        stop: |stop| if stop == "length" { "model_length" } else { stop },
        usage: json!({"prompt_tokens": 30, "total_tokens": 42, "completion_tokens": 12}),
        cached: 0,
        usage_in: UsageIn::LastChunk,
        ..Style::new("Mistral", "openai")
    }
}

/// Reasoning beside an empty text, whole calls.
fn ollama() -> Style {
    Style {
        shell: json!({"model": "qwen3:8b", "system_fingerprint": "fp_ollama"}),
        reasoning: Some(|text| json!({"role": "assistant", "content": "", "reasoning": text})),
        text: |text| json!({"role": "assistant", "content": text}),
        call: |at, id, name, arguments| {
            vec![
                json!({"role": "assistant", "content": "", "tool_calls": [delta_call(at, id, name, arguments)]}),
            ]
        },
        usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42}),
        cached: 0,
        ..Style::new("Ollama", "ollama")
    }
}

/// Comments, reasoning twice, its own reasons, and the usage in a chunk with an empty delta.
fn openrouter() -> Style {
    Style {
        shell: json!({"provider": "Anthropic", "model": "anthropic/claude-sonnet-4.5"}),
        before: ": OPENROUTER PROCESSING\n\n",
        choice: json!({"logprobs": null, "native_finish_reason": null}),
        reasoning: Some(|text| {
            json!({"role": "assistant", "content": "", "reasoning": text, "reasoning_details": [
                {"type": "reasoning.text", "text": text, "format": "anthropic-claude-v1", "index": 0}]})
        }),
        usage: json!({"prompt_tokens": 30, "completion_tokens": 12, "total_tokens": 42, "cost": 0.00027, "is_byok": false,
            "prompt_tokens_details": {"cached_tokens": 8, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 5, "image_tokens": 0}}),
        usage_in: UsageIn::EmptyDelta,
        ..Style::new("OpenRouter", "openai")
    }
}

/// Every field in every delta, most of them null.
fn sglang() -> Style {
    Style {
        shell: json!({"model": "default", "usage": null}),
        choice: json!({"logprobs": null, "matched_stop": null}),
        role: json!({"role": "assistant", "content": "", "reasoning_content": null, "tool_calls": null}),
        reasoning: Some(
            |text| json!({"role": null, "content": null, "reasoning_content": text, "tool_calls": null}),
        ),
        text: |text| json!({"role": null, "content": text, "reasoning_content": null, "tool_calls": null}),
        id: |at| format!("functions.Bash:{at}"),
        usage: json!({"prompt_tokens": 30, "total_tokens": 42, "completion_tokens": 12, "prompt_tokens_details": null, "reasoning_tokens": 0}),
        cached: 0,
        ..Style::new("SGLang", "openai")
    }
}

/// The name of a call after its id, and null where there is nothing.
fn vllm() -> Style {
    Style {
        shell: json!({"model": "Qwen/Qwen3-8B"}),
        choice: json!({"logprobs": null, "token_ids": null}),
        call: |at, id, name, arguments| {
            let more = fragments(arguments)
                .map(|part| json!({"tool_calls": [{"index": at, "function": {"arguments": part}}]}));
            let start = [
                json!({"tool_calls": [{"index": at, "id": id, "type": "function", "function": {"name": ""}}]}),
                json!({"tool_calls": [{"index": at, "function": {"name": name}}]}),
            ];
            start.into_iter().chain(more).collect::<Vec<Value>>()
        },
        id: |at| format!("chatcmpl-tool-{at}b5e3c4d2f6a4e7e"),
        usage: json!({"prompt_tokens": 30, "total_tokens": 42, "completion_tokens": 12, "prompt_tokens_details": null}),
        cached: 0,
        ..Style::new("vLLM", "openai")
    }
}
