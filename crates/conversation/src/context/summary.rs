//! Having the beginning of a conversation summarised by a model.

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope, TenantId};
use loam_providers::openai::{StreamEvent, StreamParser};
use sea_orm::Set;
use serde_json::{Value, json};

use super::summaries::ActiveModel;
use super::units::Unit;
use crate::Conversation;
use crate::chat_sessions::entity::Model as Session;

/// Tokens that a summary may have.
pub(super) const SUMMARY_TOKENS: u64 = 800;
/// Bytes of an answer with a summary.
const MAX_ANSWER: usize = 1 << 20;

const INSTRUCTION: &str = "You keep the memory of a conversation between a user and an assistant. Write a summary of what is below, \
    for the assistant to go on from: facts, names, numbers, decisions, what the user wants and prefers, and what is still \
    open. Leave out greetings and what has been settled. Write in the language of the conversation, in at most 400 words, \
    and nothing but the summary.";

/// What is to be summarised.
pub(super) struct Dropped<'a> {
    pub(super) session: &'a Session,
    /// Who is asked.
    pub(super) model: &'a str,
    /// Bytes that it is told at most; of more, the newest.
    pub(super) max_bytes: usize,
    /// What an earlier summary says of what came before.
    pub(super) before: Option<&'a str>,
    /// The last comes first.
    pub(super) units: &'a [Unit],
}

impl Conversation {
    /// Has a model summarise what a request has no room for, and keeps that for the requests that follow.
    pub(super) async fn summarize(&self, scope: &Scope, dropped: Dropped<'_>) -> Result<String> {
        let Some(last) = dropped.units.first() else { return Ok(String::new()) };
        let mut told = transcript(dropped.units, dropped.max_bytes);
        if let Some(before) = dropped.before {
            told = format!("What came before:\n{before}\n\nThen:\n{told}");
        }
        let request = json!({
            "model": dropped.model, "max_tokens": SUMMARY_TOKENS,
            "messages": [{ "role": "system", "content": INSTRUCTION }, { "role": "user", "content": told }],
        });
        let (text, call) = self.ask_plainly(scope, dropped.session, &request).await?;
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            session_id: Set(dropped.session.id),
            up_to_id: Set(last.last),
            up_to_number: Set(last.number),
            content: Set(text.clone()),
            model: Set(dropped.model.to_owned()),
            llm_call_id: Set(call),
            created_at: Set(self.0.clock.now()),
        };
        let tx = self.0.db.write(scope).await?;
        tx.insert_if_new(row).await?;
        tx.commit().await?;
        Ok(text)
    }

    async fn ask_plainly(
        &self,
        scope: &Scope,
        session: &Session,
        request: &Value,
    ) -> Result<(String, Option<LlmCallId>)> {
        let wrong = |why: String| {
            Error::new(Kind::BadGateway, "no_summary", format!("no summary could be had: {why}"))
        };
        let (end_user, request) = (self.end_user(session).await?, Bytes::from(request.to_string()));
        let done = self.0.gateway.complete_chat(scope, Some(session.id), end_user, request).await;
        let body = Limited::new(done.response?.into_body(), MAX_ANSWER).collect().await;
        let body = body.map_err(|e| wrong(e.to_string()))?.to_bytes();
        let heard = StreamParser::default().read_complete(&body)?;
        let text: String = heard
            .into_iter()
            .filter_map(|heard| match heard {
                StreamEvent::Text(text) => Some(text),
                StreamEvent::Reasoning(_) => None,
            })
            .collect();
        match text.trim() {
            "" => Err(wrong("the model said nothing".to_owned())),
            text => Ok((text.to_owned(), done.call)),
        }
    }
}

/// What was said, as a text; of more than `max` bytes the end.
fn transcript(units: &[Unit], max: usize) -> String {
    let mut lines = Vec::new();
    let mut bytes = 0;
    for message in units.iter().flat_map(|unit| unit.messages.iter().rev()) {
        let line = line(message);
        bytes += line.len() + 1;
        if bytes > max && !lines.is_empty() {
            break;
        }
        lines.push(line);
    }
    lines.reverse();
    lines.join("\n")
}

fn line(message: &Value) -> String {
    let role = message["role"].as_str().unwrap_or_default();
    let content = match &message["content"] {
        Value::Array(parts) => {
            let text = |part: &Value| {
                let kind = part["type"].as_str().unwrap_or("something").to_owned();
                part["text"].as_str().map_or_else(|| format!("[{kind}]"), str::to_owned)
            };
            parts.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        content => content.as_str().unwrap_or_default().to_owned(),
    };
    let used = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let function = &call["function"];
        format!(
            " [uses {}({})]",
            function["name"].as_str().unwrap_or_default(),
            function["arguments"].as_str().unwrap_or_default()
        )
    });
    format!("{role}: {content}{}", used.collect::<String>())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_transcript_has_its_end_whatever_its_length() {
        let unit = |messages: Vec<Value>| Unit::new(messages, Uuid::nil().into(), 1, false);
        let units = [
            unit(vec![
                json!({"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}]}),
            ]),
            unit(vec![
                json!({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}),
                json!({"role": "tool", "content": "42"}),
            ]),
        ];
        assert_eq!(transcript(&units, 1_000), "assistant:  [uses f({})]\ntool: 42\nuser: look [image_url]");
        assert_eq!(transcript(&units, 40), "tool: 42\nuser: look [image_url]");
        assert_eq!(transcript(&units, 1), "user: look [image_url]");
    }
}
