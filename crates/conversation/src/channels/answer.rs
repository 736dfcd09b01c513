//! What a model answers to a message of a channel.

use std::time::Duration;

use axum::body::to_bytes;
use bytes::Bytes;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use serde_json::{Value, json};

use super::settings::ChannelSettings;
use crate::Conversation;
use crate::chat_sessions::entity::Model as Session;
use crate::messages::entity::{Column, Entity, FinishReason, Model as Message, Role};

/// An answer is text of a few thousand tokens.
const MAX_ANSWER: usize = 8 << 20;

/// An answer.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) model: Option<String>,
    pub(super) prompt_tokens: Option<i64>,
    pub(super) completion_tokens: Option<i64>,
    pub(super) finish_reason: Option<FinishReason>,
    pub(super) call: Option<LlmCallId>,
}

/// What is read of a chat completion.
#[derive(Deserialize)]
struct Completed {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
}

impl Conversation {
    /// Asks the session's model for an answer to its message, on behalf of the scope: the one place where a channel's
    /// answer comes from.
    pub(super) async fn answer(
        &self,
        scope: &Scope,
        settings: &ChannelSettings,
        session: &Session,
        message: &Message,
    ) -> Result<Answer> {
        let Some(model) = session.model.as_ref().or(settings.model.as_ref()) else {
            let text =
                "nobody is named who answers: set `model` of the session, or of the channel's settings";
            return Err(Error::new(Kind::Invalid, "model_missing", text));
        };
        let history = self.history(scope, session, message, settings.context_messages.into()).await?;
        let system = session.system_prompt.as_ref().map(|text| json!({ "role": "system", "content": text }));
        let messages: Vec<Value> = system.into_iter().chain(history.iter().map(wire)).collect();
        let request = json!({ "model": model, "messages": messages });
        let request = Bytes::from(serde_json::to_vec(&request).map_err(Error::internal)?);
        let limit = Duration::from_secs(settings.reply_timeout.into());
        let asked = tokio::time::timeout(limit, self.ask_model(scope, session, request)).await;
        asked.unwrap_or_else(|_| {
            Err(Error::new(Kind::Timeout, "reply_timeout", format!("no answer came within {limit:?}")))
        })
    }

    async fn ask_model(&self, scope: &Scope, session: &Session, request: Bytes) -> Result<Answer> {
        let completion = self.0.gateway.complete_chat(scope, session.id, request).await;
        let body = to_bytes(completion.answer?.into_body(), MAX_ANSWER).await.map_err(Error::internal)?;
        read(&body, completion.call)
    }

    /// The last messages up to this one, the oldest first.
    async fn history(
        &self,
        scope: &Scope,
        session: &Session,
        last: &Message,
        most: u64,
    ) -> Result<Vec<Message>> {
        let tx = self.0.db.read(scope).await?;
        let since = session.first_message_at.unwrap_or(last.created_at).min(last.created_at);
        let find = tx.find::<Entity>().filter(Column::SessionId.eq(session.id));
        // by id too, so that no month is looked at from before the session's first message
        let find = find.filter(Column::Id.gte(first_id_at(since)));
        let find = find.filter(Column::SequenceNumber.lte(last.sequence_number));
        let find = find.filter(Column::DeletedAt.is_null());
        let find = find.filter(Column::Role.is_in([Role::System, Role::User, Role::Assistant]));
        let mut history = find.order_by_desc(Column::SequenceNumber).limit(most).all().await?;
        history.reverse();
        Ok(history)
    }
}

/// A message as the model is shown it.
fn wire(message: &Message) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let content = message.parts.clone().unwrap_or_else(|| json!(message.content));
    json!({ "role": role, "content": content })
}

fn read(body: &[u8], call: Option<LlmCallId>) -> Result<Answer> {
    let odd = |why: &str| Error::new(Kind::BadGateway, "no_answer", format!("the model's answer {why}"));
    let completed: Completed =
        serde_json::from_slice(body).map_err(|e| odd("can't be read").with_source(e))?;
    let choice = completed.choices.into_iter().next().ok_or_else(|| odd("is empty"))?;
    let text =
        choice.message.content.filter(|text| !text.trim().is_empty()).ok_or_else(|| odd("holds no text"))?;
    let usage = completed.usage;
    Ok(Answer {
        // PostgreSQL can't store one
        text: text.replace('\0', ""),
        model: completed.model,
        prompt_tokens: usage.as_ref().and_then(|usage| usage.prompt_tokens),
        completion_tokens: usage.and_then(|usage| usage.completion_tokens),
        finish_reason: choice.finish_reason.and_then(|reason| serde_json::from_value(reason.into()).ok()),
        call,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_text_and_what_it_cost() {
        let body = json!({
            "model": "m", "choices": [{ "message": { "role": "assistant", "content": "hi\0" }, "finish_reason": "length" }],
            "usage": { "prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7 }
        });
        let answer = read(body.to_string().as_bytes(), None).expect("an answer");
        assert_eq!((answer.text.as_str(), answer.model.as_deref()), ("hi", Some("m")));
        assert_eq!((answer.prompt_tokens, answer.completion_tokens), (Some(3), Some(4)));
        assert_eq!(answer.finish_reason, Some(FinishReason::Length));
    }

    #[test]
    fn no_text_is_no_answer() {
        for body in [
            "",
            "{}",
            r#"{"choices":[]}"#,
            r#"{"choices":[{"message":{"content":null}}]}"#,
            r#"{"choices":[{"message":{"content":" "}}]}"#,
        ] {
            assert_eq!(read(body.as_bytes(), None).err().expect("no answer").code(), "no_answer", "{body}");
        }
    }
}
