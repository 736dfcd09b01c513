//! Keeping what was said in a call.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_trait::async_trait;
use loam_db::{Tenant, Tx};
use loam_gateway::hook::{
    ChatMessage, ChatRole, ConversationRef, Conversations, Exchange, Finish, ResponseEnd,
};
use loam_gateway::tool_calls::ToolCallOutcome;
use loam_http::surface::next_version;
use loam_kernel::{ChatSessionId, Error, Kind, MessageId, Result, Scope};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde_json::Value;

use super::matching::{self, Key, key};
use super::window::{self, Window};
use crate::Conversation;
use crate::chat_sessions::access;
use crate::chat_sessions::entity::{Column, Entity, Model as Session};
use crate::chat_sessions::update::require_active;
use crate::messages::append::{NewMessage, Parent, append};
use crate::messages::entity::{Entity as Messages, FinishReason, Model as Message, Role};
use crate::tools::ToolUse;

/// How long a call waits to learn which session it is part of, and how long for what was said in it to be kept, before that
/// is left for later.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long, after the database didn't answer, calls don't ask it again.
const REST_MS: i64 = 2_000;

#[async_trait]
impl Conversations for Conversation {
    async fn find(&self, scope: &Scope, name: &str) -> Result<Option<ChatSessionId>> {
        let now = self.0.clock.now().timestamp_millis();
        if now < self.0.away_until.load(Ordering::Relaxed) {
            return Err(away());
        }
        let found =
            tokio::time::timeout(PATIENCE, self.named(scope, name)).await.unwrap_or_else(|_| Err(away()));
        if found.as_ref().is_err_and(|e| e.kind() == Kind::Unavailable) {
            self.0.away_until.store(now + REST_MS, Ordering::Relaxed);
        }
        match found? {
            Some(session) => {
                require_active(&session).map_err(|e| e.with_param("x-loam-session-id"))?;
                Ok(Some(session.id))
            }
            None => Ok(None),
        }
    }

    async fn record_exchange(&self, exchange: Exchange) {
        let (named, call) = (exchange.conversation.clone(), exchange.call);
        let kept = match tokio::time::timeout(PATIENCE, self.store(exchange)).await {
            Ok(kept) => kept,
            Err(_) => Err(away()),
        };
        match kept {
            Ok(()) => {}
            // the session was archived or deleted while the model answered
            Err(e) if matches!(e.kind(), Kind::Conflict | Kind::NotFound) => {
                metrics::counter!("loam_exchanges_total", "result" => "refused").increment(1);
                tracing::info!(error = %e, llm_call.id = %call, "what was said in a call was not kept in its session");
            }
            Err(e) => self.keep_later(named, call, &e),
        }
    }
}

impl Conversation {
    async fn named(&self, scope: &Scope, name: &str) -> Result<Option<Session>> {
        let tx = self.0.db.read(scope).await?;
        let found = look_up(&tx, name).await?;
        let own = access::own_only(scope);
        Ok(found.filter(|session| own.is_none() || session.user_id == own))
    }

    /// Stores what was said in a call: once, however often it is told of it.
    pub(super) async fn store(&self, exchange: Exchange) -> Result<()> {
        let Exchange {
            conversation: named,
            call,
            model,
            request_messages: asked,
            response: answer,
            ended,
            tokens,
        } = exchange;
        // one that was made since by its name is written to by nobody else yet
        let _lane = match named.session {
            Some(session) => Some(self.0.lanes.enter(named.tenant, session).await?),
            None => None,
        };
        let tx = self.0.db.write(&Scope::system(named.tenant, "conversations")).await?;
        let Some(session) = locked(&tx, &named).await? else { return Ok(()) };
        require_active(&session)?;
        let window = window::read(&tx, &session, asked.len()).await?;
        if window.known.iter().any(|known| known.call == Some(call)) {
            return Ok(());
        }
        let (mut parent, new) = new_messages(&session, &window, asked);
        let count = |tokens: u64| i64::try_from(tokens).ok();
        let same = key(&answer);
        let answer = NewMessage {
            model: Some(model),
            llm_call: Some(call),
            prompt_tokens: tokens.and_then(|(read, _)| count(read)),
            completion_tokens: tokens.and_then(|(_, written)| count(written)),
            finish_reason: Some(finish_reason(ended)),
            ..message(answer)
        };
        // kept late: a later request of its client brought the answer along already, only without its account
        if let (true, Parent::Message(id)) = (new.is_empty(), parent)
            && let Some(known) = window
                .known
                .iter()
                .find(|known| known.parent == Some(id) && known.key == same && known.call.is_none())
        {
            return self.complete(tx, &session, known.id, answer).await;
        }
        let mut messages: Vec<NewMessage> = Vec::with_capacity(new.len() + 1);
        let results: Vec<ChatMessage> =
            new.iter().filter(|said| said.role == ChatRole::Tool).cloned().collect();
        for said in new {
            let sender = named.user.filter(|_| said.role == ChatRole::User);
            messages.push(NewMessage { parent: std::mem::take(&mut parent), sender, ..message(said) });
        }
        let calls = answer.tool_calls.clone();
        messages.push(NewMessage { parent, ..answer });
        let (session, written) = append(&tx, &self.0.clock, session, messages).await?;
        for said in results {
            // a result for what was wanted elsewhere is a message like any other
            let id = said.tool_call_id.unwrap_or_default();
            self.0
                .gateway
                .submit_tool_result(&tx, session.id, &id, ToolCallOutcome::succeeded(said.text))
                .await?;
        }
        if let (Some(message), Some(Value::Array(calls))) = (written.last(), calls) {
            self.expect_results(&tx, &session, message, &calls).await?;
        }
        tx.commit().await?;
        self.said(&session);
        metrics::counter!("loam_exchanges_total", "result" => "kept").increment(1);
        Ok(())
    }

    /// Adds its account to an answer that is there.
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
        self.changed(tx, session).await?;
        metrics::counter!("loam_exchanges_total", "result" => "kept").increment(1);
        Ok(())
    }

    /// The client uses the tools that its model asked for.
    async fn expect_results<R>(
        &self,
        tx: &Tx<R>,
        session: &Session,
        message: &Message,
        calls: &[Value],
    ) -> Result<()> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for call in calls {
            let usage = ToolUse {
                session: session.id,
                turn: None,
                message: Some(message.id),
                llm_call: message.llm_call_id,
                call_id: text(&call["id"]),
                arguments: text(&call["function"]["arguments"]),
            };
            self.record_waiting(tx, session, &text(&call["function"]["name"]), usage).await?;
        }
        Ok(())
    }
}

/// The session with this id, or that the application calls so.
async fn look_up<R>(tx: &Tx<R>, name: &str) -> Result<Option<Session>> {
    if let Ok(id) = name.parse::<ChatSessionId>()
        && let Some(session) = tx.get::<Entity>(id).await?
    {
        return Ok(Some(session));
    }
    tx.find::<Entity>().filter(Column::ExternalId.eq(name)).one().await
}

/// The session that a call named, locked; none if it named none.
async fn locked<R>(tx: &Tx<R>, named: &ConversationRef) -> Result<Option<Session>> {
    let id = match named.session {
        Some(id) => id,
        None => match look_up(tx, &named.name).await? {
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

/// The messages of a request that the session doesn't have, and what they follow.
fn new_messages(session: &Session, window: &Window, asked: Vec<ChatMessage>) -> (Parent, Vec<ChatMessage>) {
    let keys: Vec<Key> = asked.iter().filter_map(key).collect();
    let found = matching::find(&window.known, session.head_id, &keys);
    // a long conversation's system message may lie before what was read: it is not stored again on suspicion
    let unseen = window.cut && window.systems.is_empty();
    let mut place = 0;
    let new = asked.into_iter().filter(|said| {
        if said.role == ChatRole::System {
            let told =
                session.system_prompt.as_ref() == Some(&said.text) || window.systems.contains(&said.text);
            return !(told || unseen && place <= found.old);
        }
        place += 1;
        place > found.old
    });
    (found.after.map_or(Parent::Head, Parent::Message), new.collect())
}

fn message(said: ChatMessage) -> NewMessage {
    let role = match said.role {
        ChatRole::System => Role::System,
        ChatRole::User => Role::User,
        ChatRole::Assistant => Role::Assistant,
        ChatRole::Tool => Role::Tool,
    };
    NewMessage {
        parts: said.parts,
        tool_calls: said.tool_calls,
        tool_call_id: said.tool_call_id,
        ..NewMessage::text(role, said.text)
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

fn away() -> Error {
    Error::unavailable("database_unavailable", "the database doesn't answer", PATIENCE)
}
