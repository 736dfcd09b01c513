//! The hooks of calls that name a conversation: declared here, where calls are made, and implemented by the crates that
//! store or use the messages.
//!
//! A call that names no conversation costs one header lookup.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::join_all;
use loam_kernel::{ChatSessionId, LlmCallId, Result, Scope, TenantId, UserId, run_blocking_without_timeout};
pub use loam_providers::{ChatMessage, ChatRole, Finish};
use loam_providers::{Endpoint, assemble, parse_request, parse_response};

/// The header in which a client names its conversation.
pub(crate) const SESSION: &str = "x-loam-session-id";
/// The error of a call whose client disconnected. It is stored, and compared with stored values.
pub(crate) const CLIENT_DISCONNECTED: &str = "the client closed the connection before the answer ended";

/// Listens to the calls that name a conversation.
#[async_trait]
pub trait ConversationHook: Send + Sync {
    /// Finds the conversation that a caller names, by its id or its external id; none if there is none that they may
    /// see. A hook that stores no conversations finds none.
    ///
    /// # Errors
    /// When the conversation accepts no messages. `Unavailable` when it can't be looked up at the moment: the call is
    /// made anyway.
    async fn find(&self, _scope: &Scope, _name: &str) -> Result<Option<ChatSessionId>> {
        Ok(None)
    }

    /// Receives the messages of a call that has ended. Must not fail for a temporary reason: the call is paid for.
    async fn record_exchange(&self, exchange: &Exchange);
}

/// The conversation that a call belongs to, and the caller's access to it.
#[derive(Clone, Debug)]
pub struct ConversationRef {
    /// The tenant.
    pub tenant: TenantId,
    /// The calling user.
    pub user: Option<UserId>,
    /// If set, only conversations of this user are visible: the one remaining effect of the caller's permissions.
    pub own_only: Option<UserId>,
    /// The name that the client sent.
    pub name: String,
    /// The conversation, if it was found before the call.
    pub session: Option<ChatSessionId>,
}

/// The messages of a call.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The conversation.
    pub conversation: ConversationRef,
    /// The call.
    pub call: LlmCallId,
    /// `provider/model` that responded.
    pub model: String,
    /// The request's messages: the conversation so far, as the client knows it, and the new messages.
    pub request_messages: Vec<ChatMessage>,
    /// The response's message.
    pub response: ChatMessage,
    /// How the response ended.
    pub ended: ResponseEnd,
    /// Prompt and completion tokens.
    pub tokens: Option<(u64, u64)>,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseEnd {
    /// The model finished.
    Finished(Finish),
    /// The client disconnected: the message is partial.
    Stopped,
    /// The provider failed: the message is partial.
    Failed,
}

/// The binding of a call to a conversation, until the call has ended.
pub(crate) struct ConversationBinding {
    pub(crate) conversation: ConversationRef,
    pub(crate) hooks: Vec<Arc<dyn ConversationHook>>,
}

/// The context of a call.
#[derive(Default)]
pub(crate) struct CallContext {
    /// The conversation that stores the messages.
    pub(crate) binding: Option<Box<ConversationBinding>>,
    /// The application's end user, if the request doesn't name one.
    pub(crate) end_user: Option<String>,
    /// Whether the caller takes the decoded output of a chat completion, not its bytes.
    pub(crate) keeps_output: bool,
    /// The id of the response that the request continues, whose items it holds already.
    pub(crate) previous_response: Option<String>,
}

/// A call that has ended, with what the conversation stores of it.
pub(crate) struct CompletedCall {
    pub(crate) call: LlmCallId,
    pub(crate) model: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) request: Bytes,
    pub(crate) response: Vec<Bytes>,
    pub(crate) events: bool,
    pub(crate) tokens: Option<(u64, u64)>,
    pub(crate) error: Option<String>,
}

impl ConversationBinding {
    /// Passes the messages of a call to every hook. Parsing takes a while, so it runs on a blocking thread.
    pub(crate) async fn record(self: Box<Self>, completed: CompletedCall) {
        let Self { conversation, hooks } = *self;
        match run_blocking_without_timeout(conversation.tenant, move || completed.read(conversation)).await {
            Ok(exchange) => {
                join_all(hooks.iter().map(|hook| hook.record_exchange(&exchange))).await;
            }
            Err(e) => tracing::error!(error = ?e, "the messages of a call could not be parsed"),
        }
    }
}

impl CompletedCall {
    pub(crate) fn read(self, conversation: ConversationRef) -> Exchange {
        let response = self.response.concat();
        let response = match self.events {
            true => assemble(&String::from_utf8_lossy(&response)),
            false => serde_json::from_slice(&response).unwrap_or_default(),
        };
        let (response, finish) = parse_response(self.endpoint, &response);
        let ended = match (finish, self.error.as_deref()) {
            (_, Some(CLIENT_DISCONNECTED)) => ResponseEnd::Stopped,
            // some providers never send a finish reason, but do end the stream
            (Some(finish), _) => ResponseEnd::Finished(finish),
            (None, None) => ResponseEnd::Finished(Finish::Stop),
            (None, Some(_)) => ResponseEnd::Failed,
        };
        Exchange {
            conversation,
            call: self.call,
            model: self.model,
            request_messages: parse_request(self.endpoint, &self.request),
            response,
            ended,
            tokens: self.tokens,
        }
    }
}
