//! Calls that Loam itself makes: they take the same path as all others.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use loam_kernel::{AiProviderId, ChatSessionId, LlmCallId, Result, Scope};
use loam_providers::Endpoint;

use super::routes::make_call;
use crate::Gateway;
use crate::hook::{CallContext, SESSION};
use crate::limits::admission::RateLimitStatus;

/// A chat completion that Loam requested.
pub struct Completion {
    /// The call, if it was recorded.
    pub call: Option<LlmCallId>,
    /// The response in OpenAI's format: JSON, or events if the request has `"stream": true`. Its body settles the
    /// call, whether it is read to its end or dropped.
    pub response: Result<Response>,
}

impl Gateway {
    /// The name to call a provider's model by: `provider/model`. None if the tenant has no such provider.
    pub async fn qualified_model(
        &self,
        scope: &Scope,
        provider: AiProviderId,
        model: &str,
    ) -> Result<Option<String>> {
        let models = self.0.catalog.get(scope.tenant()).await?;
        let found = models.providers.values().find(|one| one.id == provider);
        Ok(found.map(|one| format!("{}/{model}", one.name)))
    }

    /// Completes a chat on behalf of a caller, as `POST /v1/chat/completions` does: with the same routes, limits and
    /// accounting. The session and the application's end user, if any, are recorded with the call.
    pub async fn complete_chat(
        &self,
        scope: &Scope,
        session: Option<ChatSessionId>,
        end_user: Option<String>,
        request: Bytes,
    ) -> Completion {
        let mut headers = HeaderMap::new();
        if let Some(Ok(session)) = session.map(|id| HeaderValue::try_from(id.to_string())) {
            headers.insert(SESSION, session);
        }
        let context = CallContext { binding: None, end_user };
        let (gateway, mut rate_limits) = (self.0.clone(), RateLimitStatus::default());
        let (call, response) =
            // internal callers store the messages themselves
            make_call(gateway, scope, Endpoint::ChatCompletions, &headers, request, context, &mut rate_limits).await;
        Completion { call, response: response.map_err(|failed| failed.error) }
    }
}
