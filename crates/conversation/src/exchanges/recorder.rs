//! Records the messages of a model call in its session.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_gateway::hook::{
    ChatMessage, ChatRole, ConversationHook, ConversationRef, Exchange, Finish, ResponseEnd,
};
use loam_gateway::tool_calls::ToolCallOutcome;
use loam_kernel::{ChatSessionId, Error, Kind, MessageId, Result, Scope, next_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::Value;

use super::matching::{self, Fingerprint, fingerprint};
use super::window::{self, Window};
use crate::chat_sessions::access;
use crate::chat_sessions::entity::{Column, Entity, Model as Session};
use crate::chat_sessions::update::require_active;
use crate::exchanges::Exchanges;
use crate::messages::append::{NewMessage, Parent, append};
use crate::messages::entity::{Entity as Messages, FinishReason, Model as Message, Role};
use crate::tools::ToolInvocation;

/// How long a call waits for the lookup of its session, and for its messages to be recorded before recording
/// is deferred.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long calls skip the database after it failed to respond, in milliseconds.
const BACKOFF_MS: i64 = 2_000;

#[async_trait]
impl ConversationHook for Exchanges {
    async fn find(&self, scope: &Scope, name: &str) -> Result<Option<ChatSessionId>> {
        let now = self.0.clock.now().timestamp_millis();
        if now < self.0.database_retry_at_ms.load(Ordering::Relaxed) {
            return Err(database_unavailable());
        }
        let found = tokio::time::timeout(TIMEOUT, self.find_visible_session(scope, name))
            .await
            .unwrap_or_else(|_| Err(database_unavailable()));
        if found.as_ref().is_err_and(|e| e.kind() == Kind::Unavailable) {
            self.0.database_retry_at_ms.store(now + BACKOFF_MS, Ordering::Relaxed);
        }
        match found? {
            Some(session) => {
                require_active(&session).map_err(|e| e.with_param("x-loam-session-id"))?;
                Ok(Some(session.id))
            }
            None => Ok(None),
        }
    }

    async fn record_exchange(&self, exchange: &Exchange) {
        let (named, call) = (exchange.conversation.clone(), exchange.call);
        let recorded = match tokio::time::timeout(TIMEOUT, self.store_exchange(exchange.clone())).await {
            Ok(recorded) => recorded,
            Err(_) => Err(database_unavailable()),
        };
        match recorded {
            Ok(()) => {}
            // The session was archived or deleted during the call.
            Err(e) if matches!(e.kind(), Kind::Conflict | Kind::NotFound) => {
                metrics::counter!("loam_exchanges_total", "result" => "refused").increment(1);
                tracing::info!(error = %e, llm_call.id = %call, "the messages of a call were not recorded in its session");
            }
            Err(e) => self.defer_exchange(named, call, &e),
        }
    }
}

impl Exchanges {
    async fn find_visible_session(&self, scope: &Scope, name: &str) -> Result<Option<Session>> {
        let tx = self.0.db.read(scope).await?;
        let found = find_session(&tx, name).await?;
        let own = access::own_only(scope);
        Ok(found.filter(|session| own.is_none() || session.user_id == own))
    }

    /// Records the messages of a call. Recording the same call again has no effect.
    pub(super) async fn store_exchange(&self, exchange: Exchange) -> Result<()> {
        let Exchange { conversation: named, call, model, request_messages, response: answer, ended, tokens } =
            exchange;
        // A session that was created later under this name has no other writer yet.
        let _lock = match named.session {
            Some(session) => Some(self.0.session_locks.acquire(named.tenant, session).await?),
            None => None,
        };
        let tx = self.0.db.write(&Scope::system(named.tenant, "conversations")).await?;
        let Some(session) = lock_session(&tx, &named).await? else { return Ok(()) };
        require_active(&session)?;
        let window = window::read(&tx, &session, request_messages.len()).await?;
        if window.stored.iter().any(|stored| stored.call == Some(call)) {
            return Ok(());
        }
        let (mut parent, new) = new_messages(&session, &window, request_messages);
        let count = |tokens: u64| i64::try_from(tokens).ok();
        let answer_fingerprint = fingerprint(&answer);
        let answer = NewMessage {
            model: Some(model),
            llm_call: Some(call),
            prompt_tokens: tokens.and_then(|(read, _)| count(read)),
            completion_tokens: tokens.and_then(|(_, written)| count(written)),
            finish_reason: Some(finish_reason(ended)),
            ..new_message(answer)
        };
        // A deferred exchange: a later request of the client already brought the answer, without its usage.
        if let (true, Parent::Message(id)) = (new.is_empty(), parent)
            && let Some(stored) = window.stored.iter().find(|stored| {
                stored.parent == Some(id) && stored.fingerprint == answer_fingerprint && stored.call.is_none()
            })
        {
            return self.complete(tx, &session, stored.id, answer).await;
        }
        let mut messages: Vec<NewMessage> = Vec::with_capacity(new.len() + 1);
        let results: Vec<ChatMessage> =
            new.iter().filter(|message| message.role == ChatRole::Tool).cloned().collect();
        for message in new {
            let sender = named.user.filter(|_| message.role == ChatRole::User);
            messages.push(NewMessage { parent: std::mem::take(&mut parent), sender, ..new_message(message) });
        }
        let calls = answer.tool_calls.clone();
        messages.push(NewMessage { parent, ..answer });
        let (session, written) = append(&tx, &self.0.clock, session, messages).await?;
        for message in results {
            // A result for an unknown tool call is stored like any other message.
            let id = message.tool_call_id.unwrap_or_default();
            self.0
                .gateway
                .submit_tool_result(&tx, session.id, &id, ToolCallOutcome::succeeded(message.text))
                .await?;
        }
        if let (Some(message), Some(Value::Array(calls))) = (written.last(), calls) {
            self.record_client_calls(&tx, &session, message, &calls).await?;
        }
        tx.commit().await?;
        self.0.messages.notify_changed(&session);
        metrics::counter!("loam_exchanges_total", "result" => "kept").increment(1);
        Ok(())
    }

    /// Adds model, usage and finish reason to an answer that is already stored.
    async fn complete(
        &self,
        tx: Tx<Tenant>,
        session: &Session,
        id: MessageId,
        answer: NewMessage,
    ) -> Result<()> {
        if let Some(row) = tx.get_locked::<Messages>(id).await? {
            let version = next_version(row.updated_at, self.0.clock.now());
            let mut row = row.into_active_model();
            row.model = Set(answer.model);
            row.llm_call_id = Set(answer.llm_call);
            row.prompt_tokens = Set(answer.prompt_tokens);
            row.completion_tokens = Set(answer.completion_tokens);
            row.finish_reason = Set(answer.finish_reason);
            row.updated_at = Set(version);
            tx.update(row).await?;
        }
        self.0.messages.commit_changed(tx, session).await?;
        metrics::counter!("loam_exchanges_total", "result" => "kept").increment(1);
        Ok(())
    }

    /// Records the tool calls in the answer, which the client executes.
    async fn record_client_calls<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        message: &Message,
        calls: &[Value],
    ) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for call in calls {
            let usage = ToolInvocation {
                session: session.id,
                turn: None,
                message: Some(message.id),
                llm_call: message.llm_call_id,
                call_id: text(&call["id"]),
                arguments: text(&call["function"]["arguments"]),
            };
            self.0.tools.record_client_call(tx, session, &text(&call["function"]["name"]), usage).await?;
        }
        Ok(())
    }
}

/// The session with this id or `external_id`.
async fn find_session<R>(tx: &Tx<R>, name: &str) -> Result<Option<Session>> {
    if let Ok(id) = name.parse::<ChatSessionId>()
        && let Some(session) = tx.get::<Entity>(id).await?
    {
        return Ok(Some(session));
    }
    tx.find::<Entity>().filter(Column::ExternalId.eq(name)).one().await
}

/// The session that a call named, locked; `None` if there is none.
async fn lock_session<R>(tx: &Tx<R>, named: &ConversationRef) -> Result<Option<Session>> {
    let id = match named.session {
        Some(id) => id,
        None => match find_session(tx, &named.name).await? {
            Some(session) => session.id,
            None => return Ok(None),
        },
    };
    let own = named.own_only;
    let session = tx.get_locked::<Entity>(id).await?;
    match session.filter(|session| own.is_none() || session.user_id == own) {
        None if named.session.is_some() => Err(access::missing()),
        session => Ok(session),
    }
}

/// The messages of a request that are not in the session yet, and their parent.
fn new_messages(
    session: &Session,
    window: &Window,
    request_messages: Vec<ChatMessage>,
) -> (Parent, Vec<ChatMessage>) {
    let keys: Vec<Fingerprint> = request_messages.iter().filter_map(fingerprint).collect();
    let found = matching::find(&window.stored, session.head_id, &keys);
    // In a long conversation the system message may be older than the window: it is not stored again on
    // suspicion.
    let unseen = window.truncated && window.system_texts.is_empty();
    let mut position = 0;
    let new = request_messages.into_iter().filter(|message| {
        if message.role == ChatRole::System {
            let duplicate = session.system_prompt.as_ref() == Some(&message.text)
                || window.system_texts.contains(&message.text);
            return !(duplicate || unseen && position <= found.matched);
        }
        position += 1;
        position > found.matched
    });
    (found.after.map_or(Parent::Head, Parent::Message), new.collect())
}

fn new_message(message: ChatMessage) -> NewMessage {
    let role = match message.role {
        ChatRole::System => Role::System,
        ChatRole::User => Role::User,
        ChatRole::Assistant => Role::Assistant,
        ChatRole::Tool => Role::Tool,
    };
    NewMessage {
        parts: message.parts,
        tool_calls: message.tool_calls,
        tool_call_id: message.tool_call_id,
        ..NewMessage::text(role, message.text)
    }
}

fn finish_reason(ended: ResponseEnd) -> FinishReason {
    match ended {
        ResponseEnd::Finished(Finish::Stop) => FinishReason::Stop,
        ResponseEnd::Finished(Finish::Length) => FinishReason::Length,
        ResponseEnd::Finished(Finish::ToolCalls) => FinishReason::ToolCalls,
        ResponseEnd::Finished(Finish::ContentFilter) => FinishReason::ContentFilter,
        ResponseEnd::Stopped => FinishReason::Stopped,
        ResponseEnd::Failed => FinishReason::Failed,
    }
}

fn database_unavailable() -> Error {
    Error::unavailable("database_unavailable", "the database does not respond", TIMEOUT)
}
