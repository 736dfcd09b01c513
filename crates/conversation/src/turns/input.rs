//! The client's request: validated, and stored with the turn until the turn starts.

use chrono::{DateTime, Utc};
use loam_http::surface::present;
use loam_kernel::{Error, MessageId, Result, UserId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::settings_schema::TurnSettings;
use crate::checks;
use crate::messages::append::{NewMessage, Parent};
use crate::messages::content::Content;
use crate::messages::entity::Role;
use crate::messages::schemas::MessageContent;
use crate::session_configs::keys;

/// Maximum length of a model name in characters.
pub(super) const MAX_MODEL: usize = 300;
/// Settings that a turn can override: fields of OpenAI's request.
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
    /// A string, or OpenAI's content parts (`text`, `image_url`, `input_audio`, `file`).
    #[schema(value_type = MessageContent)]
    pub content: Value,
    /// Whether to stream the answer as events.
    #[serde(default)]
    pub stream: bool,
    /// Model that answers: a route or `provider/model`. Defaults to the session's model, else to the `model` of
    /// its user's `ai_settings`, else to `default_model` of `conversation.turns`.
    pub model: Option<String>,
    /// ID of the message to follow. An earlier message starts a branch; null starts without a parent.
    /// Defaults to the session's head.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<MessageId>)]
    pub parent_id: Option<Option<MessageId>>,
    /// Settings for this turn only, which override the session's: `temperature`, `top_p`, `max_tokens`,
    /// `stop`, `seed`, ….
    #[serde(default)]
    #[schema(value_type = TurnSettings)]
    pub settings: Map<String, Value>,
    /// Your own data, stored with the question; never interpreted.
    #[serde(default)]
    pub metadata: Map<String, Value>,
}

/// A request for another answer to the same question.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TurnRegenerate {
    /// Whether to stream the answer as events.
    #[serde(default)]
    pub stream: bool,
    /// Model that answers. Defaults to the model of the previous answer.
    pub model: Option<String>,
    /// Settings for this answer only. Defaults to those of the turn.
    #[schema(value_type = Option<TurnSettings>)]
    pub settings: Option<Map<String, Value>>,
}

/// Results of tool calls executed by the client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolResultsCreate {
    /// Results for some or all pending tool calls. The model continues when all results are present.
    pub tool_results: Vec<ToolResult>,
    /// Whether to stream what follows as events.
    #[serde(default)]
    pub stream: bool,
}

/// Result of a tool call.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolResult {
    /// ID of the tool call.
    pub tool_call_id: String,
    /// Content for the model.
    pub content: String,
    /// Whether the tool failed.
    #[serde(default)]
    pub is_error: bool,
}

/// The parent of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum InputParent {
    /// The session's head when the turn starts.
    Head,
    /// None.
    Nothing,
    /// This message.
    Message(MessageId),
}

/// The client's request, as stored in `turns.input`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Input {
    /// The question; `None` for another answer to an existing question.
    pub(crate) content: Option<Value>,
    pub(crate) follows: InputParent,
    pub(crate) settings: Map<String, Value>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) sender: Option<UserId>,
    /// The id reserved for the question, if it was announced before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(rename = "promised")]
    pub(crate) reserved: Option<ReservedMessage>,
}

/// A reserved message id.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct ReservedMessage {
    pub(crate) id: MessageId,
    /// When the message was received.
    pub(crate) at: DateTime<Utc>,
}

impl Input {
    /// A question received through a channel.
    pub(crate) fn from_channel(
        text: String,
        sender: Option<UserId>,
        metadata: Map<String, Value>,
        reserved: ReservedMessage,
    ) -> Self {
        let (content, settings) = (Some(Value::String(text)), Map::new());
        Self { content, follows: InputParent::Head, settings, metadata, sender, reserved: Some(reserved) }
    }

    pub(crate) fn read(input: &Value) -> Result<Self> {
        Self::deserialize(input).map_err(Error::internal)
    }

    pub(crate) fn write(&self) -> Result<Value> {
        serde_json::to_value(self).map_err(Error::internal)
    }

    /// The question as a message.
    pub(crate) fn question(&self) -> Result<Option<NewMessage>> {
        let Some(content) = &self.content else { return Ok(None) };
        let content = question_content(content)?;
        let mut message = NewMessage::text(Role::User, content.text);
        message.parts = content.parts;
        message.parent = match self.follows {
            InputParent::Head => Parent::Head,
            InputParent::Nothing => Parent::None,
            InputParent::Message(id) => Parent::Message(id),
        };
        message.sender = self.sender;
        message.id = self.reserved.map(|reserved| reserved.id);
        message.at = self.reserved.map(|reserved| reserved.at);
        message.metadata = Value::Object(self.metadata.clone());
        Ok(Some(message))
    }
}

impl TurnCreate {
    /// Rejects an invalid question.
    pub(super) fn check(&self) -> Result<()> {
        question_content(&self.content)?;
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
            return Err(Error::invalid(
                param(),
                format!("is not a turn setting; known settings are `{known}`"),
            ));
        }
        // Null removes the session's setting.
        if !value.is_null() {
            keys::check(name, value).map_err(|e| e.with_param(param()))?;
        }
    }
    Ok(())
}

/// The content of a question: text and parts.
fn question_content(content: &Value) -> Result<Content> {
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
    fn an_unknown_setting_is_rejected_by_name() {
        let settings = |name: &str| Map::from_iter([(name.to_owned(), json!(1))]);
        assert!(check_settings(&settings("temperature")).is_ok());
        let hot = Map::from_iter([("temperature".to_owned(), json!(7))]);
        assert_eq!(check_settings(&hot).expect_err("refused").param(), Some("settings.temperature"));
        let error = check_settings(&settings("messages")).expect_err("refused");
        assert_eq!(error.param(), Some("settings.messages"));
    }
}
