//! Estimates usage that a provider did not report.

use bytes::Bytes;
use loam_kernel::{TenantId, run_blocking_without_timeout};
use loam_providers::{Usage, assemble, completion_text, count_tokens, prompt_text};
use serde_json::{Value, json};

/// OpenAI's fixed tokens per message are omitted: they are few, and other providers add other amounts.
fn usage(request: &[u8], written: &str) -> Usage {
    let prompt_tokens = count_tokens(&prompt_text(request));
    let completion_tokens = count_tokens(written);
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens,
        ..Usage::default()
    }
}

/// Estimates the usage of a response, or of the received part of a stream. Counting takes a while, so it runs on a
/// blocking thread.
pub(super) async fn estimate(
    tenant: TenantId,
    request: Bytes,
    response: Vec<Bytes>,
    events: bool,
) -> Option<Usage> {
    let counted = run_blocking_without_timeout(tenant, move || {
        let text = String::from_utf8_lossy(&response.concat()).into_owned();
        let response = match events {
            true => assemble(&text),
            // a transcript may be plain text
            false => serde_json::from_str(&text)
                .ok()
                .filter(Value::is_object)
                .unwrap_or_else(|| json!({ "text": text })),
        };
        usage(&request, &completion_text(&response))
    });
    counted.await.ok()
}
