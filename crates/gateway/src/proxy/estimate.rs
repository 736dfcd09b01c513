//! Counting what a provider didn't count, or didn't get to count.

use bytes::Bytes;
use loam_kernel::{TenantId, beside_patiently};
use loam_providers::{Usage, assemble, completion_text, count_tokens, prompt_text};

/// What OpenAI adds for each message and each answer is small; it is left out, as other providers add other amounts.
fn usage(request: &[u8], written: &str) -> Usage {
    let prompt_tokens = count_tokens(&prompt_text(request));
    let completion_tokens = count_tokens(written);
    Usage {
        prompt_tokens,
        completion_tokens,
        total_tokens: prompt_tokens + completion_tokens,
        cached_tokens: 0,
        cache_write_tokens: 0,
    }
}

/// An estimate for an answer, or for as much of a stream as came. Counting takes a while, so it runs apart.
pub(super) async fn estimate(
    tenant: TenantId,
    request: Bytes,
    answer: Vec<Bytes>,
    events: bool,
) -> Option<Usage> {
    let counted = beside_patiently(tenant, move || {
        let text = String::from_utf8_lossy(&answer.concat()).into_owned();
        let answer = if events { assemble(&text) } else { serde_json::from_str(&text).unwrap_or_default() };
        usage(&request, &completion_text(&answer))
    });
    counted.await.ok()
}
