//! Segments of a prompt, each included or dropped as a whole: a message, or an assistant's tool calls with
//! all their results.

use loam_kernel::{MessageId, Result, TenantId, run_blocking_without_timeout};
use loam_providers::count_prompt;
use serde_json::{Value, json};

use crate::messages::entity::{Model, Role};

/// Upper bound of the tokens that a message takes beyond its text.
const MESSAGE_OVERHEAD: u64 = 8;
/// Upper bound of the tokens of an image or a document.
const TOKENS_PER_PART: u64 = 3_000;

/// A segment.
#[derive(Debug)]
pub(super) struct PromptSegment {
    /// In OpenAI's format, in order.
    pub(super) messages: Vec<Value>,
    /// The last message of the segment.
    pub(super) last: MessageId,
    pub(super) number: i64,
    /// Part of the current turn: never dropped.
    pub(super) pinned: bool,
    /// Number of tokens: an upper bound, or exact.
    pub(super) tokens: u64,
    exact: bool,
}

impl PromptSegment {
    pub(super) fn new(messages: Vec<Value>, last: MessageId, number: i64, pinned: bool) -> Self {
        let tokens = messages.iter().map(token_upper_bound).sum();
        Self { messages, last, number, pinned, tokens, exact: false }
    }
}

/// Collects messages, newest first, into segments.
#[derive(Default)]
pub(super) struct PromptBuilder {
    /// Tool results whose tool calls come next.
    results: Vec<Model>,
    pub(super) segments: Vec<PromptSegment>,
}

impl PromptBuilder {
    /// Adds the message before those already collected.
    pub(super) fn prepend(&mut self, message: Model, pinned: bool) {
        if message.role == Role::Tool {
            self.results.push(message);
            return;
        }
        let mut results = std::mem::take(&mut self.results);
        results.reverse();
        let call_ids = ids_of(message.tool_calls.as_ref());
        let matching: Vec<&Model> = call_ids
            .iter()
            .filter_map(|id| results.iter().find(|result| result.tool_call_id.as_deref() == Some(id)))
            .collect();
        // Providers reject tool calls without results, and results without tool calls.
        let complete = !call_ids.is_empty() && matching.len() == call_ids.len();
        let mut messages = vec![wire(&message, complete)];
        if messages[0].get("tool_calls").is_none() && is_empty(&message) {
            return;
        }
        let mut last = &message;
        if complete {
            messages.extend(matching.iter().map(|answer| wire(answer, false)));
            last = matching.last().copied().unwrap_or(last);
        }
        let (last, number) = (last.id, last.sequence_number);
        self.segments.push(PromptSegment::new(messages, last, number, pinned));
    }

    /// Number of tokens of all segments: an upper bound until counted.
    pub(super) fn tokens(&self) -> u64 {
        self.segments.iter().map(|segment| segment.tokens).sum()
    }

    pub(super) fn messages(&self) -> usize {
        self.segments.iter().map(|segment| segment.messages.len()).sum()
    }

    /// Counts the tokens of segments that have not been counted, off the serving threads.
    pub(super) async fn count(&mut self, tenant: TenantId) -> Result<()> {
        let open = |segment: &&mut PromptSegment| !segment.exact;
        let texts: Vec<String> = self
            .segments
            .iter_mut()
            .filter(open)
            .map(|segment| json!({ "messages": segment.messages }).to_string())
            .collect();
        let counted = count(tenant, texts).await?;
        for (segment, tokens) in self.segments.iter_mut().filter(open).zip(counted) {
            (segment.tokens, segment.exact) = (tokens, true);
        }
        Ok(())
    }
}

/// The tokens of requests, counted like the gateway does.
pub(super) async fn count(tenant: TenantId, requests: Vec<String>) -> Result<Vec<u64>> {
    let work = move || requests.iter().map(|request| count_prompt(request.as_bytes())).collect();
    // The accepted turn needs the count: it waits rather than fail.
    run_blocking_without_timeout(tenant, work).await
}

/// An upper bound of a request's tokens: no token is shorter than a byte.
pub(super) fn token_upper_bound(message: &Value) -> u64 {
    let parts = message["content"].as_array().map_or(0, Vec::len) as u64;
    message.to_string().len() as u64 + MESSAGE_OVERHEAD + parts * TOKENS_PER_PART
}

fn ids_of(calls: Option<&Value>) -> Vec<String> {
    let calls = calls.and_then(Value::as_array).into_iter().flatten();
    calls.filter_map(|call| call["id"].as_str().map(str::to_owned)).collect()
}

fn is_empty(message: &Model) -> bool {
    message.content.is_empty() && message.parts.is_none()
}

/// A message in OpenAI's format.
fn wire(message: &Model, with_calls: bool) -> Value {
    let role = match message.role {
        Role::System => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::Tool => "tool",
    };
    let content = message.parts.clone().unwrap_or_else(|| Value::String(message.content.clone()));
    let mut wire = json!({ "role": role, "content": content });
    if with_calls && let Some(calls) = &message.tool_calls {
        wire["tool_calls"] = calls.clone();
        if is_empty(message) {
            wire["content"] = Value::Null;
        }
    }
    if let Some(id) = &message.tool_call_id {
        wire["tool_call_id"] = id.as_str().into();
    }
    wire
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use uuid::Uuid;

    use super::*;

    fn message(number: i64, role: Role, content: &str) -> Model {
        Model {
            tenant_id: Uuid::nil().into(),
            id: Uuid::from_u128(number.unsigned_abs().into()).into(),
            session_id: Uuid::nil().into(),
            turn_id: None,
            parent_id: None,
            sender_id: None,
            sequence_number: number,
            role,
            content: content.to_owned(),
            parts: None,
            tool_calls: None,
            tool_call_id: None,
            model: None,
            prompt_tokens: None,
            completion_tokens: None,
            llm_call_id: None,
            finish_reason: None,
            metadata: json!({}),
            deleted_at: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn with_tool_calls(number: i64, ids: &[&str], content: &str) -> Model {
        let calls = ids
            .iter()
            .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}));
        Model { tool_calls: Some(calls.collect()), ..message(number, Role::Assistant, content) }
    }

    fn result(number: i64, id: &str) -> Model {
        Model { tool_call_id: Some(id.to_owned()), ..message(number, Role::Tool, id) }
    }

    fn build(messages: Vec<Model>) -> Vec<Vec<String>> {
        let mut builder = PromptBuilder::default();
        messages.into_iter().rev().for_each(|message| builder.prepend(message, false));
        let name = |message: &Value| {
            let calls = message.get("tool_calls").map_or("", |_| "+calls");
            format!("{}{calls}", message["role"].as_str().expect("a role"))
        };
        builder.segments.iter().rev().map(|segment| segment.messages.iter().map(name).collect()).collect()
    }

    #[test]
    fn tool_calls_and_their_results_are_one_segment() {
        let segments = build(vec![
            message(1, Role::User, "q"),
            with_tool_calls(2, &["a", "b"], ""),
            result(3, "b"),
            result(4, "a"),
            message(5, Role::Assistant, "done"),
        ]);
        assert_eq!(segments, [vec!["user"], vec!["assistant+calls", "tool", "tool"], vec!["assistant"]]);
    }

    #[test]
    fn incomplete_tool_calls_are_omitted() {
        let segments = build(vec![
            message(1, Role::User, "q"),
            with_tool_calls(2, &["a", "b"], "let me see"),
            result(3, "a"),
            message(4, Role::User, "never mind"),
            with_tool_calls(5, &["c"], ""),
            message(6, Role::User, "again"),
            result(7, "nobody's"),
        ]);
        assert_eq!(segments, [["user"], ["assistant"], ["user"], ["user"]]);
    }

    #[tokio::test]
    async fn the_exact_count_never_exceeds_the_upper_bound() {
        let mut builder = PromptBuilder::default();
        for (number, text) in
            ["", "hello world", "沃土：万物生长之地。", &"x ".repeat(3_000), "🦀🦀🦀"].iter().enumerate()
        {
            builder.prepend(message(number as i64 + 1, Role::User, &format!("{text}.")), false);
        }
        let before: Vec<u64> = builder.segments.iter().map(|segment| segment.tokens).collect();
        builder.count(TenantId::NIL).await.expect("counted");
        assert!(
            builder
                .segments
                .iter()
                .zip(before)
                .all(|(segment, upper_bound)| segment.tokens > 0 && segment.tokens <= upper_bound)
        );
    }
}
