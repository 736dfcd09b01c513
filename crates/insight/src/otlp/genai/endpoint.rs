//! The API that a model call was made with.

use super::names;
use crate::otlp::spans::SpanWithResource;

/// The path of the API that was called, as far as the span shows it.
pub(super) fn endpoint(context: &SpanWithResource<'_>) -> String {
    let attributes = context.attributes;
    let endpoint = match attributes.text(&names::OPERATION) {
        Some("embeddings" | "embedding" | "EMBEDDING") => "/embeddings",
        _ if attributes.text(&names::LANGFUSE_TYPE) == Some("embedding") => "/embeddings",
        Some("text_completion" | "completion") => "/completions",
        _ if is_response(context) => "/responses",
        _ => "/chat/completions",
    };
    endpoint.to_owned()
}

/// Whether the call was made with OpenAI's Responses API.
fn is_response(context: &SpanWithResource<'_>) -> bool {
    let attributes = context.attributes;
    let has_id = || attributes.text(&names::RESPONSE_ID).is_some_and(|id| id.starts_with("resp_"));
    let has_name = || {
        let name = context.span.name.to_ascii_lowercase();
        name == "response" || name.contains("openai.response") || name.contains("responses api")
    };
    let has_path = || {
        let url = attributes.text(&["url.full", "http.url", "url.path", "http.target"]);
        url.is_some_and(|url| url.split(['?', '#']).next().is_some_and(|path| path.ends_with("/responses")))
    };
    match attributes.text(&names::OPENAI_API) {
        Some(api) => api == "responses",
        None => has_id() || has_path() || has_name(),
    }
}
