//! The headers that providers receive.

use bytes::Bytes;
use loam_kernel::LlmCallId;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{BETAS, Config, Endpoint, ProviderRequest, kind};
use serde_json::{Value, json};

use super::{config, message};

fn headers(name: &str, config: &Config) -> Vec<(String, String)> {
    let headers = kind(name).expect("a kind").wire.headers(config, Some("secret")).expect("headers");
    let text = |value: &http::HeaderValue| value.to_str().expect("ASCII").to_owned();
    for (name, value) in &headers {
        assert_eq!(value.is_sensitive(), text(value).contains("secret"), "{name}: a key is not for a log");
    }
    headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect()
}

#[test]
fn the_key_is_sent_in_each_providers_header() {
    let bearer = ("authorization".to_owned(), "Bearer secret".to_owned());
    for name in ["openai", "qwen", "deepseek", "ollama", "dify"] {
        assert_eq!(headers(name, &config(json!({}))), std::slice::from_ref(&bearer));
    }
    let expected = [("anthropic-version", "2023-06-01"), ("x-api-key", "secret")];
    assert_eq!(
        headers("anthropic", &config(json!({}))),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn beta_features_of_the_configuration_and_of_the_client_are_sent() {
    let sent = |configured: Value, client: &[&'static str], endpoint| {
        let body = Bytes::from(message(json!({})).to_string());
        let envelope = RequestEnvelope::read(&body).expect("valid");
        let betas: Vec<_> = client.iter().copied().map(http::HeaderValue::from_static).collect();
        let request = ProviderRequest {
            endpoint,
            envelope: &envelope,
            body: &body,
            model: "m",
            betas: &betas,
            call: LlmCallId::NIL,
            previous_response: None,
        };
        let outgoing = kind("anthropic").expect("a kind").wire.outgoing(&config(configured), &request);
        let headers = outgoing.expect("a request").headers;
        assert!(headers.iter().all(|(name, _)| *name == BETAS) && headers.len() < 2, "{headers:?}");
        headers.first().map(|(_, value)| value.to_str().expect("ASCII").to_owned())
    };
    for endpoint in [Endpoint::Messages, Endpoint::ChatCompletions] {
        assert_eq!(sent(json!({}), &[], endpoint), None);
        assert_eq!(sent(json!({}), &["a-2025, b-2026"], endpoint).as_deref(), Some("a-2025, b-2026"));
        let configured = json!({"betas": ["a-2025", "b-2026"]});
        let all = sent(configured, &["c-2026", "b-2026, d-2026"], endpoint);
        assert_eq!(all.as_deref(), Some("a-2025,b-2026,c-2026,d-2026"));
    }
}
