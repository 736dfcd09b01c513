//! What of a conversation is told or left out as one: a message, or an assistant's use of tools with all their results.

use loam_kernel::{MessageId, Result, TenantId, beside_patiently};
use loam_providers::count_prompt;
use serde_json::{Value, json};

use crate::messages::entity::{Model, Role};

/// More than any message takes beyond its text.
const FRAME: u64 = 8;
/// More than an image or a document counts as.
const PART: u64 = 3_000;

/// A unit.
#[derive(Debug)]
pub(super) struct Unit {
    /// In OpenAI's words, in order.
    pub(super) messages: Vec<Value>,
    /// The last message of it.
    pub(super) last: MessageId,
    pub(super) number: i64,
    /// It is of the turn that is answered: never left out.
    pub(super) pinned: bool,
    /// Its tokens, at most or exactly.
    pub(super) tokens: u64,
    exact: bool,
}

impl Unit {
    pub(super) fn new(messages: Vec<Value>, last: MessageId, number: i64, pinned: bool) -> Self {
        let tokens = messages.iter().map(at_most).sum();
        Self { messages, last, number, pinned, tokens, exact: false }
    }
}

/// Puts messages together, which come from the last to the first.
#[derive(Default)]
pub(super) struct Gathering {
    /// Results of tools, whose question comes next.
    results: Vec<Model>,
    pub(super) units: Vec<Unit>,
}

impl Gathering {
    /// Takes the message before those that it has.
    pub(super) fn take(&mut self, message: Model, pinned: bool) {
        if message.role == Role::Tool {
            self.results.push(message);
            return;
        }
        let mut results = std::mem::take(&mut self.results);
        results.reverse();
        let wanted = ids_of(message.tool_calls.as_ref());
        let answers: Vec<&Model> = wanted
            .iter()
            .filter_map(|id| results.iter().find(|result| result.tool_call_id.as_deref() == Some(id)))
            .collect();
        // providers refuse a use of tools that isn't answered, and an answer to nothing
        let answered = !wanted.is_empty() && answers.len() == wanted.len();
        let mut messages = vec![wire(&message, answered)];
        if messages[0].get("tool_calls").is_none() && is_empty(&message) {
            return;
        }
        let mut last = &message;
        if answered {
            messages.extend(answers.iter().map(|answer| wire(answer, false)));
            last = answers.last().copied().unwrap_or(last);
        }
        let (last, number) = (last.id, last.sequence_number);
        self.units.push(Unit::new(messages, last, number, pinned));
    }

    /// What the units take together, at most.
    pub(super) fn tokens(&self) -> u64 {
        self.units.iter().map(|unit| unit.tokens).sum()
    }

    pub(super) fn messages(&self) -> usize {
        self.units.iter().map(|unit| unit.messages.len()).sum()
    }

    /// Counts what has not been counted yet, apart from the threads that serve.
    pub(super) async fn count(&mut self, tenant: TenantId) -> Result<()> {
        let open = |unit: &&mut Unit| !unit.exact;
        let texts: Vec<String> = self
            .units
            .iter_mut()
            .filter(open)
            .map(|unit| json!({ "messages": unit.messages }).to_string())
            .collect();
        let counted = count(tenant, texts).await?;
        for (unit, tokens) in self.units.iter_mut().filter(open).zip(counted) {
            (unit.tokens, unit.exact) = (tokens, true);
        }
        Ok(())
    }
}

/// The tokens of requests, as the gateway counts them.
pub(super) async fn count(tenant: TenantId, requests: Vec<String>) -> Result<Vec<u64>> {
    let work = move || requests.iter().map(|request| count_prompt(request.as_bytes())).collect();
    // a turn was accepted that needs it
    beside_patiently(tenant, work).await
}

/// More than a request's text can come to: no token is shorter than a byte.
pub(super) fn at_most(message: &Value) -> u64 {
    let parts = message["content"].as_array().map_or(0, Vec::len) as u64;
    message.to_string().len() as u64 + FRAME + parts * PART
}

fn ids_of(calls: Option<&Value>) -> Vec<String> {
    let calls = calls.and_then(Value::as_array).into_iter().flatten();
    calls.filter_map(|call| call["id"].as_str().map(str::to_owned)).collect()
}

fn is_empty(message: &Model) -> bool {
    message.content.is_empty() && message.parts.is_none()
}

/// A message in OpenAI's words.
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

    fn asking(number: i64, ids: &[&str], content: &str) -> Model {
        let calls = ids
            .iter()
            .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}));
        Model { tool_calls: Some(calls.collect()), ..message(number, Role::Assistant, content) }
    }

    fn result(number: i64, id: &str) -> Model {
        Model { tool_call_id: Some(id.to_owned()), ..message(number, Role::Tool, id) }
    }

    fn gathered(messages: Vec<Model>) -> Vec<Vec<String>> {
        let mut gathering = Gathering::default();
        messages.into_iter().rev().for_each(|message| gathering.take(message, false));
        let name = |message: &Value| {
            let calls = message.get("tool_calls").map_or("", |_| "+calls");
            format!("{}{calls}", message["role"].as_str().expect("a role"))
        };
        gathering.units.iter().rev().map(|unit| unit.messages.iter().map(name).collect()).collect()
    }

    #[test]
    fn a_use_of_tools_and_its_results_are_one() {
        let told = gathered(vec![
            message(1, Role::User, "q"),
            asking(2, &["a", "b"], ""),
            result(3, "b"),
            result(4, "a"),
            message(5, Role::Assistant, "done"),
        ]);
        assert_eq!(told, [vec!["user"], vec!["assistant+calls", "tool", "tool"], vec!["assistant"]]);
    }

    #[test]
    fn what_was_never_answered_is_told_without_the_question() {
        let told = gathered(vec![
            message(1, Role::User, "q"),
            asking(2, &["a", "b"], "let me see"),
            result(3, "a"),
            message(4, Role::User, "never mind"),
            asking(5, &["c"], ""),
            message(6, Role::User, "again"),
            result(7, "nobody's"),
        ]);
        assert_eq!(told, [["user"], ["assistant"], ["user"], ["user"]]);
    }

    #[tokio::test]
    async fn what_is_counted_is_never_more_than_what_was_taken_for_the_most() {
        let mut gathering = Gathering::default();
        for (number, text) in
            ["", "hello world", "沃土：万物生长之地。", &"x ".repeat(3_000), "🦀🦀🦀"].iter().enumerate()
        {
            gathering.take(message(number as i64 + 1, Role::User, &format!("{text}.")), false);
        }
        let before: Vec<u64> = gathering.units.iter().map(|unit| unit.tokens).collect();
        gathering.count(TenantId::NIL).await.expect("counted");
        assert!(
            gathering.units.iter().zip(before).all(|(unit, most)| unit.tokens > 0 && unit.tokens <= most)
        );
    }
}
