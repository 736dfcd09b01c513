//! The line types of the format.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use loam_http::surface::present;
use loam_kernel::{AiProviderId, ChatSessionId, Error, ProjectId, Result, UserId, bounded};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::chat_sessions::create::check_texts;
use crate::chat_sessions::entity::SessionStatus;
use crate::checks;
use crate::messages::content::Content;
use crate::messages::entity::{FinishReason, Role};
use crate::session_configs::{keys, service::check_count};

/// How far ahead another machine's clock may be.
const MAX_CLOCK_SKEW: TimeDelta = TimeDelta::minutes(5);
/// Earliest accepted time. Each month with messages has its own partition.
const OLDEST: &str = "2000-01-01T00:00:00Z";

/// A line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Line {
    Session(Box<SessionLine>),
    Message(Box<MessageLine>),
    End(EndLine),
}

/// A session, without its messages.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SessionLine {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<ChatSessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) user_external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) project_id: Option<ProjectId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) title: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) provider_id: Option<AiProviderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system_prompt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<SessionStatus>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) metadata: Map<String, Value>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) configs: BTreeMap<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<DateTime<Utc>>,
}

/// A message.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MessageLine {
    /// The `external_id` of its session, or its `id`.
    pub(super) session: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence_number: Option<i64>,
    /// The sequence number of the message that it follows; defaults to the previous message; null starts a
    /// new branch without a parent.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(super) parent: Option<Option<i64>>,
    pub(super) role: Role,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) content: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_calls: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tool_call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sender_id: Option<UserId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) prompt_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) completion_tokens: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finish_reason: Option<FinishReason>,
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub(super) metadata: Map<String, Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) created_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) deleted_at: Option<DateTime<Utc>>,
}

/// The last line of an export. An export without it is incomplete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    pub(super) sessions: u64,
    pub(super) messages: u64,
}

/// A line that has been checked as far as possible without the database.
#[derive(Debug)]
pub(super) enum Checked {
    Session(Box<SessionLine>),
    Message(Box<MessageLine>, Content),
    End(EndLine),
}

impl Line {
    /// Parses and checks a line.
    pub(super) fn read(bytes: &[u8], now: DateTime<Utc>) -> Result<Checked> {
        loam_http::surface::refuse_nul(bytes)?;
        let line: Self = serde_json::from_slice(bytes).map_err(|e| {
            // The position within the line is of no use to the caller; the reason comes first.
            let reason = e.to_string();
            let reason = reason.split(" at line ").next().unwrap_or_default();
            Error::new(loam_kernel::Kind::Invalid, "invalid_json", reason)
        })?;
        match line {
            Self::Session(session) => session.check(now).map(|()| Checked::Session(session)),
            Self::Message(mut message) => {
                let content = message.check(now)?;
                Ok(Checked::Message(message, content))
            }
            Self::End(end) => Ok(Checked::End(end)),
        }
    }
}

impl SessionLine {
    fn check(&self, now: DateTime<Utc>) -> Result<()> {
        if self.id.is_none() && self.external_id.is_none() {
            return Err(Error::invalid(
                "external_id",
                "and `id` are both missing; messages need one of them to refer to the session",
            ));
        }
        check_texts(
            self.title.as_deref(),
            self.external_id.as_deref(),
            self.model.as_deref(),
            self.system_prompt.as_deref(),
        )?;
        self.user_external_id.as_deref().map_or(Ok(()), |id| bounded("user_external_id", id, 255))?;
        checks::metadata(&self.metadata)?;
        check_count(self.configs.len())?;
        for (key, value) in &self.configs {
            keys::check(key, value).map_err(|e| e.with_param(format!("configs.{key}")))?;
        }
        check_time("created_at", self.created_at, now)
    }
}

impl MessageLine {
    fn check(&mut self, now: DateTime<Utc>) -> Result<Content> {
        bounded("session", &self.session, 255)?;
        checks::metadata(&self.metadata)?;
        self.model.as_deref().map_or(Ok(()), |model| bounded("model", model, 200))?;
        for (param, count) in
            [("prompt_tokens", self.prompt_tokens), ("completion_tokens", self.completion_tokens)]
        {
            if count.is_some_and(|count| count < 0) {
                return Err(Error::invalid(param, "must not be negative"));
            }
        }
        check_time("created_at", self.created_at, now)?;
        check_time("deleted_at", self.deleted_at, now)?;
        if self.deleted_at.is_some() {
            // A deleted message has no content and no tool calls.
            let (tool_call_id, empty) = (self.tool_call_id.take(), String::new());
            return Ok(Content { text: empty, parts: None, tool_calls: None, tool_call_id });
        }
        Content::check(self.role, self.content.take(), self.tool_calls.take(), self.tool_call_id.take())
    }
}

fn check_time(param: &str, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Result<()> {
    let Some(at) = at else { return Ok(()) };
    let oldest = OLDEST.parse().unwrap_or(DateTime::UNIX_EPOCH);
    if at < oldest {
        return Err(Error::invalid(param, format!("must not be before {OLDEST}")));
    }
    if at > now + MAX_CLOCK_SKEW {
        return Err(Error::invalid(param, "must not be in the future"));
    }
    Ok(())
}
