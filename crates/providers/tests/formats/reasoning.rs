//! How much a model reasons, in each format.

use loam_providers::{Config, Endpoint, Usage};
use serde_json::{Value, json};

use super::{config, message, sent, sent_to};

#[test]
fn reasoning_effort_is_translated_for_anthropics_models() {
    let think = |thinking: &str, fields: Value| {
        let sent = sent(
            "anthropic",
            &config(json!({"thinking": thinking})),
            Endpoint::ChatCompletions,
            &message(fields),
        );
        let sent = sent.expect("a request");
        (sent["thinking"].clone(), sent["output_config"].clone(), sent["max_tokens"].clone())
    };
    let high = json!({"reasoning_effort": "high"});
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(think("adaptive", high.clone()), (adaptive, json!({"effort": "high"}), json!(50)));
    let budget = json!({"type": "enabled", "budget_tokens": 16_384});
    assert_eq!(think("budget", high.clone()), (budget, Value::Null, json!(16_434)));
    assert_eq!(think("off", high), (Value::Null, Value::Null, json!(50)));
    let none = json!({"reasoning_effort": "none"});
    assert_eq!(think("adaptive", none), (Value::Null, Value::Null, json!(50)));
    let minimal = json!({"reasoning_effort": "minimal"});
    assert_eq!(think("adaptive", minimal), (Value::Null, json!({"effort": "low"}), json!(50)));
    // a forced tool call excludes thinking, but not the effort; the response format is sent too
    let forced = json!({"reasoning_effort": "low", "tool_choice": "required",
        "tools": [{"type": "function", "function": {"name": "f"}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}});
    let config = json!({"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}});
    assert_eq!(think("adaptive", forced), (Value::Null, config, json!(50)));
}
#[test]
fn anthropics_thinking_is_translated_for_each_kind() {
    let fields =
        json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "output_config": {"effort": "high"}});
    let got = |name: &str, config: &Config, fields: &Value| {
        let model = if name == "ollama" { "qwen3:8b" } else { "gpt-oss" };
        let sent = sent_to(model, name, config, Endpoint::Messages, &message(fields.clone()));
        let mut sent = sent.expect("a request").0;
        let sent = sent.as_object_mut().expect("an object");
        ["model", "messages"].iter().for_each(|field| drop(sent.remove(*field)));
        Value::Object(sent.clone())
    };
    let plain = config(json!({}));
    assert_eq!(got("openai", &plain, &fields), json!({"max_tokens": 50, "reasoning_effort": "high"}));
    let own = config(json!({"base_url": "https://api.openai.com/v1"}));
    assert_eq!(
        got("openai", &own, &fields),
        json!({"max_completion_tokens": 50, "reasoning_effort": "high"})
    );
    let qwen = json!({"max_tokens": 50, "enable_thinking": true, "thinking_budget": 2000});
    assert_eq!(got("qwen", &plain, &fields), qwen);
    let deepseek = json!({"max_tokens": 50, "thinking": {"type": "enabled"}, "reasoning_effort": "high"});
    assert_eq!(got("deepseek", &plain, &fields), deepseek);
    assert_eq!(got("ollama", &plain, &fields), json!({"max_tokens": 50, "reasoning_effort": "high"}));
    let off = json!({"thinking": {"type": "disabled"}});
    assert_eq!(got("qwen", &plain, &off), json!({"max_tokens": 50, "enable_thinking": false}));
    assert_eq!(got("deepseek", &plain, &off), json!({"max_tokens": 50, "thinking": {"type": "disabled"}}));
    assert_eq!(got("ollama", &plain, &off), json!({"max_tokens": 50, "reasoning_effort": "none"}));
}

#[test]
fn deepseek_receives_the_reasoning_that_led_to_a_tool_call() {
    let fields = json!({"tools": [{"name": "f"}], "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm", "signature": ""},
            {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "y"}]}]});
    let reasoning = |name| {
        let sent =
            sent(name, &config(json!({})), Endpoint::Messages, &message(fields.clone())).expect("a request");
        sent["messages"][1].get("reasoning_content").cloned()
    };
    assert_eq!(reasoning("deepseek"), Some(json!("hm")));
    assert_eq!(reasoning("openai"), None);
}

#[test]
fn deepseeks_own_field_for_cached_tokens_is_read_too() {
    let usage = json!({"prompt_tokens": 10, "completion_tokens": 2, "prompt_cache_hit_tokens": 6,
        "prompt_cache_miss_tokens": 4});
    let usage: Usage = serde_json::from_value(usage).expect("usage");
    assert_eq!((usage.cached_tokens, usage.total_tokens), (6, 12));
}

/// What the model receives of a message that requests reasoning, and what was left out.
fn reasoned(name: &str, model: &str, fields: Value) -> (Value, Vec<String>) {
    let body = message(fields);
    let (mut sent, omitted) =
        sent_to(model, name, &config(json!({})), Endpoint::Messages, &body).expect("a request");
    let fields = sent.as_object_mut().expect("an object");
    ["model", "messages", "tools"].iter().for_each(|field| drop(fields.remove(*field)));
    (sent, omitted)
}

#[test]
fn reasoning_is_requested_only_of_models_that_take_it() {
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}});
    let refused = |model: &str| vec![format!("reasoning_effort: `{model}` doesn't take it")];
    for (name, model) in [("openai", "gpt-4.1"), ("openai", "llama-3.3-70b"), ("ollama", "llama3.2")] {
        let (sent, omitted) = reasoned(name, model, adaptive.clone());
        assert_eq!((sent, omitted), (json!({"max_tokens": 50}), refused(model)));
        // nothing was requested, so nothing is left out
        assert_eq!(reasoned(name, model, json!({})), (json!({"max_tokens": 50}), vec![]));
    }
    for (model, effort) in [("gpt-5", "high"), ("openai/gpt-5.2", "xhigh"), ("o3", "high")] {
        let (sent, omitted) = reasoned("openai", model, adaptive.clone());
        let expected = json!({"max_completion_tokens": 50, "reasoning_effort": effort});
        assert_eq!((sent, omitted), (expected, vec![]), "{model}");
    }
    for (budget, effort) in [(2000, "low"), (10_000, "medium"), (31_999, "high")] {
        let thinking = json!({"thinking": {"type": "enabled", "budget_tokens": budget}});
        assert_eq!(reasoned("openai", "gpt-5", thinking.clone()).0["reasoning_effort"], effort);
        assert_eq!(reasoned("ollama", "qwen3", thinking).0["reasoning_effort"], effort);
    }
    let off = json!({"thinking": {"type": "disabled"}});
    assert_eq!(reasoned("openai", "gpt-5", off.clone()).0, json!({"max_completion_tokens": 50}));
    // a model that doesn't think may be told not to
    let (sent, omitted) = reasoned("ollama", "llama3.2", off);
    assert_eq!((sent, omitted), (json!({"max_tokens": 50, "reasoning_effort": "none"}), vec![]));
}

#[test]
fn the_configuration_overrides_what_names_say_of_reasoning() {
    let body = message(json!({"output_config": {"effort": "low"}}));
    for (name, setting, model, expected) in [
        ("openai", "always", "my-model", json!("low")),
        ("openai", "never", "gpt-5", Value::Null),
        ("ollama", "always", "my-model", json!("low")),
        ("ollama", "never", "qwen3", Value::Null),
    ] {
        let config = config(json!({"reasoning_effort": setting}));
        let (sent, omitted) = sent_to(model, name, &config, Endpoint::Messages, &body).expect("a request");
        assert_eq!((&sent["reasoning_effort"], omitted.is_empty()), (&expected, !expected.is_null()));
    }
}

#[test]
fn a_response_is_fitted_to_the_model_like_a_message() {
    let body = json!({"model": "p/m", "input": "x", "max_output_tokens": 50, "temperature": 0.2,
        "reasoning": {"effort": "high"}});
    let config = config(json!({"responses": "translated"}));
    let fitted = |model| sent_to(model, "openai", &config, Endpoint::Responses, &body).expect("a request");
    let (sent, omitted) = fitted("gpt-4.1");
    assert_eq!((&sent["reasoning_effort"], &sent["temperature"]), (&Value::Null, &json!(0.2)));
    assert_eq!(omitted, ["reasoning_effort: `gpt-4.1` doesn't take it"]);
    let (sent, omitted) = fitted("gpt-5");
    assert_eq!((&sent["reasoning_effort"], &sent["max_completion_tokens"]), (&json!("high"), &json!(50)));
    assert_eq!((&sent["temperature"], omitted.len()), (&Value::Null, 1));
}

#[test]
fn openais_reasoning_models_get_only_what_they_accept() {
    let tools = json!([{"name": "f"}]);
    let all = json!({"temperature": 0.3, "top_p": 1, "stop_sequences": ["END"], "tools": tools});
    let notes = |fields: &[&str]| fields.iter().map(|field| (*field).to_owned()).collect::<Vec<_>>();
    let names = |omitted: Vec<String>| {
        omitted.iter().filter_map(|note| note.split(':').next()).map(str::to_owned).collect::<Vec<_>>()
    };
    let (sent, omitted) = reasoned("openai", "o3", all.clone());
    assert_eq!(sent, json!({"max_completion_tokens": 50, "top_p": 1}));
    assert_eq!(names(omitted), notes(&["temperature", "stop"]));
    // without reasoning, newer models accept a temperature
    let (sent, omitted) = reasoned("openai", "gpt-5.1", all.clone());
    assert_eq!((&sent["temperature"], names(omitted)), (&json!(0.3), notes(&["stop"])));
    // with tools, the newest reason only in responses
    let (sent, omitted) =
        reasoned("openai", "gpt-5.4", json!({"tools": tools, "output_config": {"effort": "low"}}));
    assert_eq!((&sent["reasoning_effort"], names(omitted)), (&json!("none"), notes(&["reasoning_effort"])));
    let (sent, omitted) = reasoned("openai", "gpt-5.4", json!({"tools": tools}));
    assert_eq!((&sent["reasoning_effort"], names(omitted)), (&json!("none"), notes(&[])));
    let own = config(json!({"base_url": "https://api.openai.com/v1"}));
    let (sent, omitted) =
        sent_to("gpt-4.1", "openai", &own, Endpoint::Messages, &message(json!({"top_k": 5})))
            .expect("a request");
    assert_eq!((&sent["top_k"], names(omitted)), (&Value::Null, notes(&["top_k"])));
}

#[test]
fn a_model_of_anthropics_thinks_as_its_version_can() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let chat = |model: &str, fields: Value| {
        let mut fields = fields;
        fields["tools"] = tools.clone();
        let body = message(fields);
        sent_to(model, "anthropic", &config(json!({})), Endpoint::ChatCompletions, &body).expect("a request")
    };
    for (model, thinking, effort) in [
        ("claude-3-5-haiku-20241022", Value::Null, Value::Null),
        ("claude-sonnet-4-5-20250929", json!("enabled"), Value::Null),
        ("claude-opus-4-6", json!("adaptive"), json!("high")),
        ("claude-opus-4-7", json!("adaptive"), json!("xhigh")),
        ("kimi-k2", json!("adaptive"), json!("xhigh")),
    ] {
        let (sent, omitted) = chat(model, json!({"reasoning_effort": "xhigh"}));
        assert_eq!(
            (&sent["thinking"]["type"], &sent["output_config"]["effort"]),
            (&thinking, &effort),
            "{model}"
        );
        assert_eq!(omitted.len(), usize::from(thinking.is_null()), "{model}");
    }
    let sampled = |model: &str, fields: Value| {
        let (sent, omitted) = chat(model, fields);
        (["temperature", "top_p", "top_k"].map(|field| sent[field].as_f64()), omitted.len())
    };
    let both = json!({"temperature": 0.5, "top_p": 0.9, "top_k": 5});
    assert_eq!(sampled("claude-3-7-sonnet", both.clone()), ([Some(0.5), Some(0.9), Some(5.0)], 0));
    assert_eq!(sampled("claude-haiku-4-5", both.clone()), ([Some(0.5), None, Some(5.0)], 1));
    assert_eq!(sampled("claude-opus-5", both.clone()), ([None; 3], 3));
    assert_eq!(sampled("kimi-k2", both.clone()), ([Some(0.5), Some(0.9), Some(5.0)], 0));
    // what many clients always send changes nothing
    assert_eq!(sampled("claude-opus-5", json!({"temperature": 1, "top_p": 1})), ([None; 3], 0));
    let mut thinking = both;
    thinking["reasoning_effort"] = "low".into();
    assert_eq!(sampled("claude-sonnet-4-6", thinking), ([None; 3], 3));
}
