//! Text completions for kinds that have none, beyond what the black-box tests show with stock clients.

use bytes::Bytes;
use loam_kernel::{LlmCallId, Result};
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Config, Endpoint, KINDS, KindInfo, Outgoing, ProviderRequest, Reader, kind};
use serde_json::{Value, json};

/// A client's request.
struct Exchange {
    body: Bytes,
    envelope: RequestEnvelope,
    config: Config,
}

impl Exchange {
    fn new(fields: Value) -> Self {
        let mut body = json!({"model": "p/m", "prompt": "Once"});
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        let body = Bytes::from(body.to_string());
        let envelope = RequestEnvelope::of(Endpoint::Completions, None, &body).expect("valid");
        let config = serde_json::from_value(json!({"base_url": "https://example.org"})).expect("valid");
        Self { body, envelope, config }
    }

    fn request(&self) -> ProviderRequest<'_> {
        ProviderRequest {
            endpoint: Endpoint::Completions,
            envelope: &self.envelope,
            body: &self.body,
            model: "m",
            betas: &[],
            call: LlmCallId::NIL,
            previous_response: None,
        }
    }

    fn outgoing(&self, kind: &KindInfo) -> Result<Outgoing> {
        kind.wire.outgoing(&self.config, &self.request())
    }

    fn reader(&self, kind: &KindInfo) -> Box<dyn Reader> {
        kind.wire.reader(&self.config, &self.request())
    }
}

#[test]
fn every_kind_gets_a_completion_or_a_chat() {
    for kind in &KINDS {
        let sent = Exchange::new(json!({})).outgoing(kind).expect("served");
        let body: Value = serde_json::from_slice(&sent.body).expect("JSON");
        let is_passed_through = sent.path == "/completions";
        assert_eq!(is_passed_through, matches!(kind.name, "openai" | "qwen" | "ollama"), "{}", kind.name);
        assert_eq!(body["prompt"].is_null(), !is_passed_through, "{}", kind.name);
    }
}

#[test]
fn a_feature_that_a_chat_lacks_is_refused_with_the_clients_field() {
    for (name, fields, param) in [
        ("anthropic", json!({"frequency_penalty": 1}), "frequency_penalty"),
        ("anthropic", json!({"logit_bias": {"50256": -100}}), "logit_bias"),
        ("deepseek", json!({"logit_bias": {"50256": -100}}), "logit_bias"),
        ("dify", json!({"stop": ["."]}), "stop"),
        ("dify", json!({"logprobs": 3}), "logprobs"),
    ] {
        let refused = Exchange::new(fields).outgoing(kind(name).expect("a kind"));
        let error = refused.expect_err(name);
        assert_eq!((error.code(), error.param()), ("unsupported_feature", Some(param)), "{name}");
    }
    // what changes nothing is accepted
    let same = json!({"suffix": null, "best_of": 1, "n": 1, "logprobs": null, "echo": false});
    for kind in &KINDS {
        assert!(Exchange::new(same.clone()).outgoing(kind).is_ok(), "{}", kind.name);
    }
}

#[test]
fn an_application_of_dify_completes_a_text() {
    let dify = kind("dify").expect("a kind");
    let exchange = Exchange::new(json!({"echo": true, "user": "anna"}));
    let sent: Value = serde_json::from_slice(&exchange.outgoing(dify).expect("served").body).expect("JSON");
    assert_eq!((&sent["query"], &sent["user"]), (&json!("Once"), &json!("anna")));
    let answer = json!({"event": "message", "message_id": "x1", "conversation_id": "c1", "answer": " there was",
        "metadata": {"usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}});
    let complete = exchange.reader(dify).read_complete(answer.to_string().into()).expect("a response");
    let completion: Value = serde_json::from_slice(&complete.body).expect("JSON");
    assert_eq!(completion["object"], "text_completion");
    assert_eq!(completion["choices"][0]["text"], "Once there was");
    assert_eq!(completion["dify"]["conversation_id"], "c1");
    assert_eq!(complete.usage.map(|usage| usage.total_tokens), Some(8));
}

#[test]
fn reasoning_is_not_part_of_the_text() {
    let deepseek = kind("deepseek").expect("a kind");
    let exchange = Exchange::new(json!({}));
    let message = json!({"role": "assistant", "content": "Once", "reasoning_content": "hmm"});
    let chat = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let complete = exchange.reader(deepseek).read_complete(chat.to_string().into()).expect("a response");
    let completion: Value = serde_json::from_slice(&complete.body).expect("JSON");
    assert_eq!(completion["choices"][0]["text"], "Once");
    assert!(completion["id"].as_str().is_some_and(|id| id.starts_with("cmpl-")));
}
