//! What a client asks for: checked, and kept with the turn until it is its turn.

use loam_http::surface::present;
use loam_kernel::{Error, MessageId, Result, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::messages::append::{NewMessage, Parent};
use crate::messages::entity::Role;

/// Characters of a model's name.
pub(super) const MAX_MODEL: usize = 300;
/// Parts of one content.
const MAX_PARTS: usize = 64;
/// Bytes of a turn's `metadata`.
const MAX_METADATA: usize = 16 << 10;
/// What can be set for one turn: fields of OpenAI's request.
pub(crate) const SETTINGS: [&str; 12] = [
    "temperature",
    "top_p",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning_effort",
    "tool_choice",
    "parallel_tool_calls",
];
/// The kinds of parts that a content may have, each with the field that holds it.
const PARTS: [&str; 4] = ["text", "image_url", "input_audio", "file"];

/// A question.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnCreate {
    /// A text, or OpenAI's content parts (`text`, `image_url`, `input_audio`, `file`).
    #[schema(value_type = Object)]
    pub content: Value,
    /// True: the answer comes as events.
    #[serde(default)]
    pub stream: bool,
    /// Who answers: a route or `provider/model`. Unless given the session's, or `default_model` of `conversation.turns`.
    pub model: Option<String>,
    /// The message to go on from: an earlier one makes a branch, null a new beginning. Unless given the last message of
    /// the branch in use.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MessageId>)]
    pub parent_id: Option<Option<MessageId>>,
    /// Settings for this turn alone, over the session's: `temperature`, `top_p`, `max_tokens`, `stop`, `seed`, ….
    #[serde(default)]
    #[schema(value_type = Object)]
    pub settings: Map<String, Value>,
    /// Kept with the question; never interpreted.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub metadata: Map<String, Value>,
}

/// Another answer to the same question.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRegenerate {
    /// True: the answer comes as events.
    #[serde(default)]
    pub stream: bool,
    /// Who answers; unless given whoever was asked before.
    pub model: Option<String>,
    /// Settings for this answer alone; unless given those of the turn.
    #[schema(value_type = Option<Object>)]
    pub settings: Option<Map<String, Value>>,
}

/// What the client's tools gave.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolResults {
    /// A result for each tool call, or for some of them: the model is asked again when all are there.
    pub tool_results: Vec<ToolResult>,
    /// True: what follows comes as events.
    #[serde(default)]
    pub stream: bool,
}

/// What a tool gave.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolResult {
    /// The `id` of the tool call.
    pub tool_call_id: String,
    /// What the model is told.
    pub content: String,
    /// The tool failed.
    #[serde(default)]
    pub is_error: bool,
}

/// What a question follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Follows {
    /// The last message of the branch in use, when it is its turn.
    Head,
    /// Nothing.
    Nothing,
    /// This message.
    Message(MessageId),
}

/// What was asked for, as it is kept in `turns.input`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    /// The question; none for another answer to one that is there.
    pub(crate) content: Option<Value>,
    pub(crate) follows: Follows,
    pub(crate) settings: Map<String, Value>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) sender: Option<UserId>,
}

impl Input {
    pub(super) fn read(input: &Value) -> Result<Self> {
        Self::deserialize(input).map_err(Error::internal)
    }

    pub(super) fn write(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// The question, as the message that it becomes.
    pub(super) fn question(&self) -> Option<NewMessage> {
        let content = self.content.as_ref()?;
        let mut message = NewMessage::text(Role::User, text_of(content));
        message.parts = content.is_array().then(|| content.clone());
        message.parent = match self.follows {
            Follows::Head => Parent::Head,
            Follows::Nothing => Parent::None,
            Follows::Message(id) => Parent::Message(id),
        };
        message.sender = self.sender;
        message.metadata = Value::Object(self.metadata.clone());
        Some(message)
    }
}

impl TurnCreate {
    /// Refuses what can't be a question.
    pub(super) fn check(&self) -> Result<()> {
        check_content(&self.content)?;
        check_model(self.model.as_deref())?;
        check_settings(&self.settings)?;
        let metadata = serde_json::to_vec(&self.metadata).map_err(Error::internal)?;
        if metadata.len() > MAX_METADATA {
            return Err(Error::invalid("metadata", format!("must be at most {MAX_METADATA} bytes of JSON")));
        }
        Ok(())
    }
}

impl TurnRegenerate {
    pub(super) fn check(&self) -> Result<()> {
        check_model(self.model.as_deref())?;
        self.settings.as_ref().map_or(Ok(()), check_settings)
    }
}

fn check_model(model: Option<&str>) -> Result<()> {
    model.map_or(Ok(()), |model| loam_kernel::bounded("model", model, MAX_MODEL))
}

fn check_settings(settings: &Map<String, Value>) -> Result<()> {
    match settings.keys().find(|name| !SETTINGS.contains(&name.as_str())) {
        Some(name) => {
            let known = SETTINGS.join("`, `");
            Err(Error::invalid(format!("settings.{name}"), format!("is no setting of a turn; there are `{known}`")))
        }
        None => Ok(()),
    }
}

fn check_content(content: &Value) -> Result<()> {
    let parts = match content {
        Value::String(text) if text.trim().is_empty() => {
            return Err(Error::invalid("content", "must not be empty"));
        }
        Value::String(_) => return Ok(()),
        Value::Array(parts) if (1..=MAX_PARTS).contains(&parts.len()) => parts,
        Value::Array(_) => {
            return Err(Error::invalid("content", format!("must have 1 to {MAX_PARTS} parts")));
        }
        _ => return Err(Error::invalid("content", "must be a text, or a list of content parts")),
    };
    for (at, part) in parts.iter().enumerate() {
        let kind = part["type"].as_str().unwrap_or_default();
        if !PARTS.contains(&kind) {
            let known = PARTS.join("`, `");
            return Err(Error::invalid(format!("content[{at}].type"), format!("must be one of `{known}`")));
        }
        let held = &part[kind];
        if if kind == "text" { !held.is_string() } else { !held.is_object() } {
            let what = if kind == "text" { "a text" } else { "an object" };
            return Err(Error::invalid(format!("content[{at}].{kind}"), format!("must be {what}")));
        }
    }
    Ok(())
}

/// What of a content is text.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n")
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_question_is_refused_by_name() {
        let bad = [
            (json!(""), "content"),
            (json!(" \n"), "content"),
            (json!(7), "content"),
            (json!([]), "content"),
            (json!([{"type": "text"}]), "content[0].text"),
            (json!([{"type": "text", "text": "a"}, {"type": "video"}]), "content[1].type"),
            (json!([{"type": "image_url", "image_url": "x"}]), "content[0].image_url"),
        ];
        for (content, param) in bad {
            let error = check_content(&content).expect_err("refused");
            assert_eq!((error.status(), error.param()), (400, Some(param)), "{content}");
        }
        let good = json!([{"type": "text", "text": "what is"}, {"type": "image_url", "image_url": {"url": "https://x/y.png"}}]);
        check_content(&good).expect("a question");
        assert_eq!(text_of(&good), "what is");
    }

    #[test]
    fn a_setting_that_no_model_knows_is_refused_by_name() {
        let settings = |name: &str| Map::from_iter([(name.to_owned(), json!(1))]);
        assert!(check_settings(&settings("temperature")).is_ok());
        let error = check_settings(&settings("messages")).expect_err("refused");
        assert_eq!(error.param(), Some("settings.messages"));
    }
}
