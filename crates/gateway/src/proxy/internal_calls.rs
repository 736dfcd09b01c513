//! Calls that Loam itself makes: they take the same path as all others.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use loam_kernel::{AiProviderId, ChatSessionId, LlmCallId, Result, Scope};
use loam_providers::Endpoint;

use super::Proxy;
use super::chat_stream::ChatStream;
use super::make_call::make_call;
use crate::hook::{CallContext, SESSION};
use crate::limits::admission::RateLimitStatus;

impl Proxy {
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
    /// accounting. The session and the application's end user, if any, are recorded with the call. Returns the call, if
    /// it was recorded, and its output. One of more than `max_bytes` bytes is refused.
    pub async fn stream_chat(
        &self,
        scope: &Scope,
        session: Option<ChatSessionId>,
        end_user: Option<String>,
        request: Bytes,
        max_bytes: usize,
    ) -> (Option<LlmCallId>, Result<ChatStream>) {
        let mut headers = HeaderMap::new();
        if let Some(Ok(session)) = session.map(|id| HeaderValue::try_from(id.to_string())) {
            headers.insert(SESSION, session);
        }
        // internal callers store the messages themselves
        let context = CallContext { end_user, keeps_output: true, ..CallContext::default() };
        let (proxy, mut rate_limits) = (self.clone(), RateLimitStatus::default());
        let (call, response) =
            make_call(proxy, scope, Endpoint::ChatCompletions, &headers, request, context, &mut rate_limits)
                .await;
        let stream = response.map_err(|failed| failed.error);
        (call, stream.and_then(|response| ChatStream::new(response.body, max_bytes)))
    }
}
