//! The JSON Schemas of configurations: properties common to all kinds, and those of each.

use serde_json::{Value, json};

/// A schema from a kind's own properties and the common ones.
fn schema(title: &str, required: &[&str], own: Value) -> Value {
    let mut properties = json!({
        "api_key": key("sent as a Bearer token"),
        "api_keys": {
            "type": "array", "maxItems": 20, "items": key("another key"),
            "description": "more keys, used in rotation with `api_key`; a rejected or exhausted key is skipped for a while"
        },
        "models": {
            "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "maxItems": 1000,
            "description": "the models it offers; defaults to the provider's own list"
        },
        "first_byte_timeout": {
            "type": "integer", "minimum": 1, "maximum": 3600, "default": 300,
            "description": "seconds until the first byte of the response"
        },
        "idle_timeout": {
            "type": "integer", "minimum": 1, "maximum": 3600, "default": 120,
            "description": "seconds without a byte, after the first"
        }
    });
    for (name, property) in own.as_object().into_iter().flatten() {
        properties[name] = property.clone();
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        "type": "object",
        "additionalProperties": false,
        "required": required,
        "properties": properties,
    })
}

fn key(description: &str) -> Value {
    json!({
        "type": "string", "minLength": 1, "maxLength": 4000, "writeOnly": true, "pattern": "^[!-~]+$",
        "description": description
    })
}

fn base_url(description: &str, examples: &[&str]) -> Value {
    json!({
        "type": "string", "format": "uri", "maxLength": 2000, "examples": examples, "description": description
    })
}

fn with_default(mut property: Value) -> Value {
    property["default"] = property["examples"][0].clone();
    property
}

/// How the Responses API is served by kinds whose servers may have it.
fn responses() -> Value {
    json!({
        "type": "string", "enum": ["native", "translated"], "default": "native",
        "description": "requests to the Responses API: `native` if the server has `/responses`; `translated` sends it chat completions"
    })
}

fn reasoning_effort() -> Value {
    json!({
        "type": "string", "enum": ["auto", "always", "never"], "default": "auto",
        "description": "whether translated requests have a `reasoning_effort`: `auto` for models that are known by their names \
            to accept it"
    })
}

fn header(description: &str) -> Value {
    json!({"type": "string", "maxLength": 200, "pattern": "^[!-~]+$", "description": description})
}

pub(super) fn openai() -> Value {
    let url = "base URL, without `/chat/completions`";
    schema(
        "OpenAI, or any server that speaks its API",
        &[],
        json!({
            "base_url": with_default(base_url(url, &["https://api.openai.com/v1"])),
            "api_key": key("sent as a Bearer token; omit it for a server that needs none"),
            "organization": header("sent as OpenAI-Organization"),
            "project": header("sent as OpenAI-Project"),
            "reasoning_effort": reasoning_effort(),
            "responses": responses(),
        }),
    )
}

pub(super) fn anthropic() -> Value {
    let url = "base URL, without `/v1/messages`";
    schema(
        "Anthropic, or any server that speaks its API",
        &[],
        json!({
            "base_url": with_default(base_url(url, &["https://api.anthropic.com"])),
            "api_key": key("sent as x-api-key; omit it for a server that needs none"),
            "max_tokens": {
                "type": "integer", "minimum": 1, "maximum": 1_000_000, "default": 4096,
                "description": "the token limit when a client of OpenAI's format sets none"
            },
            "thinking": {
                "type": "string", "enum": ["auto", "adaptive", "budget", "off"], "default": "auto",
                "description": "how `reasoning_effort` is translated: `adaptive` for models since Claude 4.6, `budget` for \
                    earlier models, `off` to drop it, `auto` by the model's name"
            },
            "betas": {
                "type": "array", "maxItems": 20,
                "items": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[a-z0-9-]+$"},
                "description": "beta features, sent as anthropic-beta"
            },
        }),
    )
}

pub(super) fn qwen() -> Value {
    let examples = [
        "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
        "https://dashscope.aliyuncs.com/compatible-mode/v1",
        "https://dashscope-us.aliyuncs.com/compatible-mode/v1",
    ];
    schema(
        "Qwen, in the OpenAI-compatible mode of Alibaba Cloud's Model Studio",
        &["api_key", "base_url"],
        json!({ "base_url": base_url("base URL of the key's region, without `/chat/completions`", &examples) }),
    )
}

pub(super) fn deepseek() -> Value {
    let url = "base URL, without `/chat/completions`";
    schema(
        "DeepSeek",
        &["api_key"],
        json!({ "base_url": with_default(base_url(url, &["https://api.deepseek.com"])) }),
    )
}

pub(super) fn ollama() -> Value {
    let url = "base URL, with `/v1`";
    schema(
        "Ollama",
        &[],
        json!({
            "base_url": with_default(base_url(url, &["http://127.0.0.1:11434/v1", "https://ollama.com/v1"])),
            "api_key": key("sent as a Bearer token; only ollama.com requires one"),
            "reasoning_effort": reasoning_effort(),
            "responses": responses(),
        }),
    )
}

pub(super) fn dify() -> Value {
    let examples = ["https://api.dify.ai/v1", "http://dify.example.org/v1"];
    schema(
        "A Dify application: a chat, an agent or a chatflow",
        &["api_key", "base_url"],
        json!({
            "base_url": base_url("base URL of the application's API, without `/chat-messages`", &examples),
            "api_key": key("the application's key, sent as a Bearer token"),
            "models": {
                "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "maxItems": 1000,
                "description": "names for the application: it has no models of its own, and accepts any name"
            },
            "agent": {
                "type": "boolean", "default": false,
                "description": "the application is an agent, which only streams: Loam assembles responses that are not streamed"
            },
        }),
    )
}
