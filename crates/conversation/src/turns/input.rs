//! What a client asks for: checked, and kept with the turn until it is its turn.

use chrono::{DateTime, Utc};
use loam_http::surface::present;
use loam_kernel::{Error, MessageId, Result, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::checks;
use crate::messages::append::{NewMessage, Parent};
use crate::messages::content::Content;
use crate::messages::entity::Role;
use crate::session_configs::keys;

/// Characters of a model's name.
pub(super) const MAX_MODEL: usize = 300;
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
    /// The message that the question becomes, if that was told before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) promised: Option<Promised>,
}

/// A message that is to come.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Promised {
    pub(crate) id: MessageId,
    /// When it was said.
    pub(crate) at: DateTime<Utc>,
}

impl Input {
    /// What was said elsewhere, to be asked when it is its turn.
    pub(crate) fn heard(
        text: String,
        sender: Option<UserId>,
        metadata: Map<String, Value>,
        promised: Promised,
    ) -> Self {
        let (content, settings) = (Some(Value::String(text)), Map::new());
        Self { content, follows: Follows::Head, settings, metadata, sender, promised: Some(promised) }
    }

    pub(crate) fn read(input: &Value) -> Result<Self> {
        Self::deserialize(input).map_err(Error::internal)
    }

    pub(crate) fn write(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// The question, as the message that it becomes.
    pub(crate) fn question(&self) -> Result<Option<NewMessage>> {
        let Some(content) = &self.content else { return Ok(None) };
        let content = asked(content)?;
        let mut message = NewMessage::text(Role::User, content.text);
        message.parts = content.parts;
        message.parent = match self.follows {
            Follows::Head => Parent::Head,
            Follows::Nothing => Parent::None,
            Follows::Message(id) => Parent::Message(id),
        };
        message.sender = self.sender;
        message.id = self.promised.map(|promised| promised.id);
        message.at = self.promised.map(|promised| promised.at);
        message.metadata = Value::Object(self.metadata.clone());
        Ok(Some(message))
    }
}

impl TurnCreate {
    /// Refuses what can't be a question.
    pub(super) fn check(&self) -> Result<()> {
        asked(&self.content)?;
        check_model(self.model.as_deref())?;
        check_settings(&self.settings)?;
        checks::metadata(&self.metadata)
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
    for (name, value) in settings {
        let param = || format!("settings.{name}");
        if !SETTINGS.contains(&name.as_str()) {
            let known = SETTINGS.join("`, `");
            return Err(Error::invalid(param(), format!("is no setting of a turn; there are `{known}`")));
        }
        // null takes back what the session sets
        if !value.is_null() {
            keys::check(name, value).map_err(|e| e.with_param(param()))?;
        }
    }
    Ok(())
}

/// What is asked, as a message holds it: its text, and its parts.
fn asked(content: &Value) -> Result<Content> {
    let content = Content::check(Role::User, Some(content.clone()), None, None)?;
    if content.parts.is_none() && content.text.trim().is_empty() {
        return Err(Error::invalid("content", "must not be empty"));
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_setting_that_no_model_knows_is_refused_by_name() {
        let settings = |name: &str| Map::from_iter([(name.to_owned(), json!(1))]);
        assert!(check_settings(&settings("temperature")).is_ok());
        let hot = Map::from_iter([("temperature".to_owned(), json!(7))]);
        assert_eq!(check_settings(&hot).expect_err("refused").param(), Some("settings.temperature"));
        let error = check_settings(&settings("messages")).expect_err("refused");
        assert_eq!(error.param(), Some("settings.messages"));
    }
}
