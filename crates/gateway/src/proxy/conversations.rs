//! Binds calls to conversations.

use std::sync::{Arc, PoisonError};

use http::HeaderMap;
use loam_journal::Position;
use loam_kernel::{ChatSessionId, Kind, Result, Scope};
use loam_providers::Endpoint;

use super::Proxy;
use super::call::client_id;
use crate::hook::{CompletedCall, ConversationBinding, ConversationHook, ConversationRef, SESSION};

/// Without this permission the header is recorded with the call, and the messages are not stored.
const WRITE: &str = "messages:write";

impl Proxy {
    /// Adds a hook, which receives the calls that start from now on.
    pub fn add_hook(&self, hook: Arc<dyn ConversationHook>) {
        self.0.hooks.write().unwrap_or_else(PoisonError::into_inner).push(hook);
    }

    /// Waits until a call's settlement is on disk and its messages are stored: both happen before the client sees the
    /// end of the response.
    pub(super) async fn finish(
        &self,
        position: Position,
        completed: Option<(Box<ConversationBinding>, CompletedCall)>,
    ) -> Result<()> {
        match completed {
            None => self.0.ledger.durable(position).await,
            Some((binding, completed)) => {
                // the messages are stored even if the settlement fails: the call was paid for
                tokio::join!(self.0.ledger.durable(position), binding.record(completed)).0
            }
        }
    }

    /// Looks up the conversation that a request names.
    pub(super) async fn bind_conversation(
        &self,
        scope: &Scope,
        endpoint: Endpoint,
        headers: &HeaderMap,
    ) -> Result<Option<Box<ConversationBinding>>> {
        if !headers.contains_key(SESSION) || !endpoint.has_messages() {
            return Ok(None);
        }
        let hooks = self.0.hooks.read().unwrap_or_else(PoisonError::into_inner).clone();
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
