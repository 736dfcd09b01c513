//! Summarizes the beginning of a conversation with a model.

use bytes::Bytes;
use loam_kernel::{Error, Kind, LlmCallId, Result, Scope, TenantId};
use sea_orm::Set;
use serde_json::{Value, json};

use super::segments::PromptSegment;
use super::summaries::ActiveModel;
use crate::chat_sessions::entity::Model as Session;
use crate::context::Prompts;

/// Maximum tokens of a summary.
pub(super) const SUMMARY_TOKENS: u64 = 800;
/// Maximum size of a response with a summary, in bytes.
const MAX_RESPONSE: usize = 1 << 20;

const INSTRUCTION: &str = "You keep the memory of a conversation between a user and an assistant. Write a summary of what is below, \
    for the assistant to go on from: facts, names, numbers, decisions, what the user wants and prefers, and what is still \
    open. Leave out greetings and what has been settled. Write in the language of the conversation, in at most 400 words, \
    and nothing but the summary.";

/// The messages to summarize.
pub(super) struct SummaryInput<'a> {
    pub(super) session: &'a Session,
    /// Model that writes the summary.
    pub(super) model: &'a str,
    /// Maximum size of the transcript in bytes; of a longer one the end is used.
    pub(super) max_bytes: usize,
    /// An earlier summary of the messages before.
    pub(super) before: Option<&'a str>,
    /// Newest first.
    pub(super) segments: &'a [PromptSegment],
}

impl Prompts {
    /// Lets a model summarize the messages that don't fit, and stores the summary for later requests.
    pub(super) async fn summarize(&self, scope: &Scope, input: SummaryInput<'_>) -> Result<String> {
        let Some(last) = input.segments.first() else { return Ok(String::new()) };
        let mut text = transcript(input.segments, input.max_bytes);
        if let Some(before) = input.before {
            text = format!("What came before:\n{before}\n\nThen:\n{text}");
        }
        let request = json!({
            "model": input.model, "max_tokens": SUMMARY_TOKENS,
            "messages": [{ "role": "system", "content": INSTRUCTION }, { "role": "user", "content": text }],
        });
        let (text, call) = self.complete_text(scope, input.session, &request).await?;
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            session_id: Set(input.session.id),
            up_to_id: Set(last.last),
            up_to_number: Set(last.number),
            content: Set(text.clone()),
            model: Set(input.model.to_owned()),
            llm_call_id: Set(call),
            created_at: Set(self.0.clock.now()),
        };
        let tx = self.0.db.write(scope).await?;
        tx.insert_if_new(row).await?;
        tx.commit().await?;
        Ok(text)
    }

    async fn complete_text(
        &self,
        scope: &Scope,
        session: &Session,
        request: &Value,
    ) -> Result<(String, Option<LlmCallId>)> {
        let failed = |reason: String| {
            Error::new(Kind::BadGateway, "no_summary", format!("the summary failed: {reason}"))
        };
        let (end_user, request) =
            (self.0.sessions.end_user(session).await?, Bytes::from(request.to_string()));
        let proxy = &self.0.proxy;
        let (call, stream) =
            proxy.stream_chat(scope, Some(session.id), end_user, request, MAX_RESPONSE).await;
        let (text, _) = stream?.text().await?;
        match text.trim() {
            "" => Err(failed("the model returned no text".to_owned())),
            text => Ok((text.to_owned(), call)),
        }
    }
}

/// The messages as text; if longer than `max` bytes, its end.
fn transcript(segments: &[PromptSegment], max: usize) -> String {
    let mut lines = Vec::new();
    let mut bytes = 0;
    for message in segments.iter().flat_map(|segment| segment.messages.iter().rev()) {
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
    let calls = message["tool_calls"].as_array().into_iter().flatten().map(|call| {
        let function = &call["function"];
        format!(
            " [uses {}({})]",
            function["name"].as_str().unwrap_or_default(),
            function["arguments"].as_str().unwrap_or_default()
        )
    });
    format!("{role}: {content}{}", calls.collect::<String>())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_truncated_transcript_keeps_its_end() {
        let segment = |messages: Vec<Value>| PromptSegment::new(messages, Uuid::nil().into(), 1, false);
        let segments = [
            segment(vec![
                json!({"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url"}]}),
            ]),
            segment(vec![
                json!({"role": "assistant", "content": null, "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}),
                json!({"role": "tool", "content": "42"}),
            ]),
        ];
        assert_eq!(
            transcript(&segments, 1_000),
            "assistant:  [uses f({})]\ntool: 42\nuser: look [image_url]"
        );
        assert_eq!(transcript(&segments, 40), "tool: 42\nuser: look [image_url]");
        assert_eq!(transcript(&segments, 1), "user: look [image_url]");
    }
}
