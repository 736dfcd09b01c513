//! Calls from inside: what Loam itself asks of a model goes the way of every call.

use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use loam_kernel::{AiProviderId, ChatSessionId, LlmCallId, Result, Scope};
use loam_providers::Endpoint;

use super::routes::ask;
use crate::Gateway;
use crate::hook::{PartOf, SESSION};
use crate::limits::admission::Allowance;

/// A chat completion that Loam asked for.
pub struct Completion {
    /// The call, once it is on record.
    pub call: Option<LlmCallId>,
    /// The answer in OpenAI's format: JSON, or events if the request said `"stream": true`. Its body settles the call,
    /// whether it is read to its end or dropped.
    pub answer: Result<Response>,
}

impl Gateway {
    /// What a model of a provider is asked for by: `provider/model`. None when the tenant has no such provider.
    pub async fn address(
        &self,
        scope: &Scope,
        provider: AiProviderId,
        model: &str,
    ) -> Result<Option<String>> {
        let models = self.0.catalog.get(scope.tenant()).await?;
        let named = models.providers.values().find(|one| one.id == provider);
        Ok(named.map(|one| format!("{}/{model}", one.name)))
    }

    /// Completes a chat on behalf of a caller, as `POST /v1/chat/completions` does: the same routes, limits and account. The
    /// session and the application's end user, if there are any, are kept with the call.
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
        let part = PartOf { place: None, end_user };
        let (gateway, mut told) = (self.0.clone(), Allowance::default());
        let (call, answer) =
            // who asks from inside keeps what is said itself
            ask(gateway, scope, Endpoint::ChatCompletions, &headers, request, part, &mut told).await;
        Completion { call, answer }
    }
}
