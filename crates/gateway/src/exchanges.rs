//! Binds calls to conversations, and reads the messages of a recorded call.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use loam_journal::Position;
use loam_kernel::{ChatSessionId, Kind, LlmCallId, Result, Scope, TenantId, run_blocking_without_timeout};
use loam_platform::pack::unpack;
use loam_providers::Endpoint;

use crate::Gateway;
use crate::hook::{CompletedCall, ConversationBinding, ConversationHook, ConversationRef, Exchange, SESSION};
use crate::llm_calls::entity::{CallState, Model};
use crate::proxy::client_id;
use crate::service::Inner;

/// Without this permission the header is recorded with the call, and the messages are not stored.
const WRITE: &str = "messages:write";

impl Gateway {
    /// Adds a hook, which receives the calls that start from now on.
    pub fn add_hook(&self, hook: Arc<dyn ConversationHook>) {
        self.0.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// The messages of a call that has ended, read from its record, with the conversation by the name that the record
    /// has; none if the record is truncated or was erased, or the call has no response.
    pub async fn exchange(
        &self,
        tenant: TenantId,
        call: LlmCallId,
        conversation: impl FnOnce(String) -> ConversationRef,
    ) -> Result<Option<Exchange>> {
        let mut row = self.get_call(&Scope::system(tenant, "conversations"), call).await?;
        let Some(conversation) = row.session_id.take().map(conversation) else { return Ok(None) };
        let Some(endpoint) = Endpoint::of_path(&row.endpoint) else { return Ok(None) };
        let Some(completed) = recorded(row, endpoint)? else { return Ok(None) };
        run_blocking_without_timeout(tenant, move || completed.read(conversation)).await.map(Some)
    }
}

fn recorded(row: Model, endpoint: Endpoint) -> Result<Option<CompletedCall>> {
    if !matches!(row.state, CallState::Settled | CallState::Estimated) {
        return Ok(None);
    }
    let request = unpack(&row.request_data.unwrap_or_default())?;
    let Some(request) = request.filter(|stored| !stored.cut) else { return Ok(None) };
    let response = unpack(&row.response_data.unwrap_or_default())?;
    let (response, events) = match response {
        Some(stored) if stored.cut => return Ok(None),
        Some(stored) => (vec![Bytes::from(stored.body)], stored.events),
        None => (Vec::new(), row.streamed),
    };
    let count = |tokens: Option<i64>| tokens.and_then(|tokens| u64::try_from(tokens).ok());
    let tokens = count(row.prompt_tokens).zip(count(row.completion_tokens));
    Ok(Some(CompletedCall {
        call: row.id,
        model: format!("{}/{}", row.provider, row.model),
        endpoint,
        request: request.body.into(),
        response,
        events,
        tokens,
        error: row.error_message,
    }))
}

impl Inner {
    /// Waits until a call's settlement is on disk and its messages are stored: both happen before the client sees the
    /// end of the response.
    pub(crate) async fn finish(
        &self,
        position: Position,
        completed: Option<(Box<ConversationBinding>, CompletedCall)>,
    ) -> Result<()> {
        match completed {
            None => self.ledger.durable(position).await,
            Some((binding, completed)) => {
                // the messages are stored even if the settlement fails: the call was paid for
                tokio::join!(self.ledger.durable(position), binding.record(completed)).0
            }
        }
    }

    /// Looks up the conversation that a request names.
    pub(crate) async fn bind_conversation(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
    ) -> Result<Option<Box<ConversationBinding>>> {
        if !headers.contains_key(SESSION) || !endpoint.has_messages() {
            return Ok(None);
        }
        let hooks = self.hooks.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(name) = client_id(headers, SESSION)? else { return Ok(None) };
        if !scope.permissions().allows(WRITE) {
            return Ok(None);
        }
        let session = match find_session(&hooks, scope, &name).await {
            Ok(Some(session)) => Some(session),
            Ok(None) => return Ok(None),
            Err(e) if e.kind() == Kind::Unavailable => None,
            Err(e) => return Err(e),
        };
        let conversation = ConversationRef {
            tenant: scope.tenant(),
            user: scope.user,
            own_only: scope.own_only("chat_sessions:all"),
            name,
            session,
        };
        Ok(Some(Box::new(ConversationBinding { conversation, hooks })))
    }
}

/// The conversation of the first hook that finds one.
async fn find_session(
    hooks: &[Arc<dyn ConversationHook>],
    scope: &Scope,
    name: &str,
) -> Result<Option<ChatSessionId>> {
    for hook in hooks {
        if let Some(session) = hook.find(scope, name).await? {
            return Ok(Some(session));
        }
    }
    Ok(None)
}
