//! Responses of model providers, parsed and translated for a client.

use bytes::Bytes;
use loam_kernel::LlmCallId;
use loam_providers::openai::RequestEnvelope;
use loam_providers::{Config, Endpoint, KINDS, ProviderRequest, Reader};

const CLIENTS: [Endpoint; 3] = [Endpoint::ChatCompletions, Endpoint::Messages, Endpoint::Responses];

/// A provider's response. The first byte selects provider kind and client endpoint, the second the size of chunks.
pub fn provider_stream(bytes: &[u8]) {
    let [choice, size, body @ ..] = bytes else { return };
    let kind = &KINDS[usize::from(choice & 0x0f) % KINDS.len()];
    let endpoint = CLIENTS[usize::from(choice >> 4) % CLIENTS.len()];
    if kind.wire.serves(endpoint).is_err() {
        return;
    }
    let request: &[u8] = match endpoint {
        Endpoint::Messages => {
            br#"{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":"a"}]}"#
        }
        Endpoint::Responses => br#"{"model":"m","stream":true,"input":"a"}"#,
        _ => br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"a"}]}"#,
    };
    let request = Bytes::from_static(request);
    let Ok(envelope) = RequestEnvelope::read(&request) else { return };
    // the second byte also selects whether servers of OpenAI's format have the Responses API
    let responses = if size & 1 == 0 { "native" } else { "translated" };
    let config = serde_json::json!({"base_url": "https://example.org", "responses": responses});
    let Ok(config) = serde_json::from_value::<Config>(config) else { return };
    let provider_request = ProviderRequest {
        endpoint,
        envelope: &envelope,
        body: &request,
        model: "m",
        betas: &[],
        call: LlmCallId::NIL,
        previous_response: None,
    };
    _ = kind.wire.reader(&config, &provider_request).read_complete(Bytes::copy_from_slice(body));
    _ = kind.wire.error("p", 400, body, None);
    _ = kind.wire.model_ids(body);

    let chunked = read(&mut *kind.wire.reader(&config, &provider_request), body, usize::from(*size).max(1));
    let whole = read(&mut *kind.wire.reader(&config, &provider_request), body, body.len().max(1));
    let is_translated = endpoint == Endpoint::Messages || (endpoint == Endpoint::Responses && size & 1 == 1);
    if kind.name == "openai" && !is_translated {
        assert_eq!(chunked, whole, "the forwarded stream depends on the chunk size");
    }
}

/// The bytes for the client, when the response arrives in chunks of a size.
fn read(reader: &mut dyn Reader, body: &[u8], size: usize) -> Vec<u8> {
    let mut all = Vec::new();
    for part in body.chunks(size) {
        let forward = reader.push(Bytes::copy_from_slice(part));
        all.extend_from_slice(&forward.now);
        if let Some(last) = forward.last {
            all.extend_from_slice(&last);
            return all;
        }
    }
    all.extend_from_slice(&reader.finish());
    _ = (reader.usage(), reader.failure());
    all
}
