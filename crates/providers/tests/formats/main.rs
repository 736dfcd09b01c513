//! Behaviour specific to a kind, beyond the common cases of the conformance suite.

mod headers;
mod omitted;
mod reasoning;
mod requests;
mod streams;

use bytes::Bytes;
use loam_kernel::LlmCallId;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Config, Endpoint, ProviderRequest, Reader, kind};
use serde_json::{Value, json};

fn config(fields: Value) -> Config {
    let mut config = json!({"base_url": "https://example.org"});
    for (name, value) in fields.as_object().expect("fields") {
        config[name] = value.clone();
    }
    serde_json::from_value(config).expect("a configuration")
}

/// The request that a provider of the kind receives.
fn sent(name: &str, config: &Config, endpoint: Endpoint, body: &Value) -> loam_kernel::Result<Value> {
    sent_to("m", name, config, endpoint, body).map(|(sent, _)| sent)
}

/// A request for `model`, as a wire gets it.
fn provider_request<'a>(
    endpoint: Endpoint,
    envelope: &'a RequestEnvelope,
    body: &'a Bytes,
    model: &'a str,
) -> ProviderRequest<'a> {
    ProviderRequest {
        endpoint,
        envelope,
        body,
        model,
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    }
}

/// The reader of the response that a provider of the kind gives to a request.
fn reader(name: &str, endpoint: Endpoint, body: &Value) -> Box<dyn Reader> {
    let body = Bytes::from(body.to_string());
    let envelope = RequestEnvelope::read(&body).expect("valid");
    let request = provider_request(endpoint, &envelope, &body, "m");
    kind(name).expect("a kind").wire.reader(&config(json!({})), &request)
}

/// The request that a provider receives for a model, and what was left out of it.
fn sent_to(
    model: &str,
    name: &str,
    config: &Config,
    endpoint: Endpoint,
    body: &Value,
) -> loam_kernel::Result<(Value, Vec<String>)> {
    let body = Bytes::from(body.to_string());
    let envelope = RequestEnvelope::read(&body)?;
    let provider_request = provider_request(endpoint, &envelope, &body, model);
    let outgoing = kind(name).expect("a kind").wire.outgoing(config, &provider_request)?;
    Ok((serde_json::from_slice(&outgoing.body).expect("JSON"), outgoing.omitted))
}

fn message(fields: Value) -> Value {
    let mut body = json!({"model": "p/m", "max_tokens": 50, "messages": [{"role": "user", "content": "x"}]});
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    body
}
