//! The paths of clients of OpenAI's and Anthropic's formats, as the API document has them.

use axum::http::Uri;

/// What OpenAI's paths begin with after `/v1`, which clients may omit. No other path of the server begins so.
const OPENAI: [&str; 9] =
    ["chat", "completions", "embeddings", "responses", "models", "audio", "images", "moderations", "rerank"];
/// Paths that are followed by the id of a model, which may hold slashes.
const MODELS: [&str; 2] = ["/v1/models/", "/anthropic/v1/models/"];

/// The URI with the prefix that the client omitted, and with the id of a model as one segment; none if it is so already.
pub(super) fn canonical(uri: &Uri) -> Option<Uri> {
    let path = uri.path();
    let first = path.get(1..)?.split('/').next()?;
    let prefix = if OPENAI.contains(&first) { "/v1" } else { "" };
    let mut canonical = format!("{prefix}{path}");
    if let Some(models) = MODELS.iter().find(|models| canonical.starts_with(**models)) {
        let id = canonical.split_off(models.len());
        canonical += &id.replace('/', "%2F");
    }
    if canonical == path {
        return None;
    }
    if let Some(query) = uri.query() {
        canonical = format!("{canonical}?{query}");
    }
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(canonical.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_is_optional_and_the_id_of_a_model_is_one_segment() {
        let of = |uri: &str| canonical(&uri.parse().expect("a URI")).map(|uri| uri.to_string());
        for (uri, expected) in [
            ("/chat/completions?x=1", "/v1/chat/completions?x=1"),
            ("/audio/speech", "/v1/audio/speech"),
            ("/models", "/v1/models"),
            ("/models/p/meta/llama", "/v1/models/p%2Fmeta%2Fllama"),
            ("/v1/models/p/m", "/v1/models/p%2Fm"),
            ("/anthropic/v1/models/p/m?beta=true", "/anthropic/v1/models/p%2Fm?beta=true"),
            ("http://localhost:8080/embeddings", "http://localhost:8080/v1/embeddings"),
        ] {
            assert_eq!(of(uri).as_deref(), Some(expected), "{uri}");
        }
        for uri in [
            "/",
            "*",
            "/v1/chat/completions",
            "/v1/models",
            "/v1/models/p%2Fm",
            "/anthropic/v1/messages",
            "/api/v1/llm_calls",
            "/traces",
            "/chatter",
            "/v1",
            "//models",
        ] {
            assert_eq!(of(uri), None, "{uri}");
        }
    }

    #[tokio::test]
    async fn no_other_path_begins_like_those_of_openai() {
        let document = crate::docs::openapi().expect("the document");
        let paths: Vec<&String> = document.paths.paths.keys().collect();
        for path in &paths {
            let first = path.split('/').nth(1).unwrap_or_default();
            assert!(!OPENAI.contains(&first), "{path} could not be reached");
        }
        for first in OPENAI {
            let begins = |path: &str| path.strip_prefix("/v1/").is_some_and(|rest| rest.starts_with(first));
            assert!(paths.iter().any(|path| begins(path)), "there is no /v1/{first}");
        }
    }
}
