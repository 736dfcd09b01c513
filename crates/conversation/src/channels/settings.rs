//! How a channel answers, and the limits of a tenant's channels.

use loam_kernel::{Error, Result, bounded};
use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// How a channel's messages are answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// Model that answers: a route alias or `provider/model`. A session's own model takes precedence.
    /// Defaults to `default_model` of `conversation.turns`.
    pub model: Option<String>,
    /// System prompt of new sessions.
    pub system_prompt: Option<String>,
    /// Whether a model answers each message. If false, messages are stored and you answer them yourself.
    pub auto_reply: bool,
    /// Seconds to wait for an answer, including time in the session's queue; 1 to 600.
    pub reply_timeout: u16,
    /// Text to send when a message can't be answered. Defaults to none.
    pub failure_text: Option<String>,
    /// Whether users are created for senders. If false, a sender is matched only to an existing user with the
    /// `external_id` `<channel>:<sender>`.
    pub provision_users: bool,
}

impl Default for ChannelSettings {
    fn default() -> Self {
        Self {
            model: None,
            system_prompt: None,
            auto_reply: true,
            reply_timeout: 120,
            failure_text: None,
            provision_users: false,
        }
    }
}

impl ChannelSettings {
    /// Rejects invalid settings. `default_model` is the tenant's default model.
    pub(super) fn check(&self, default_model: Option<&str>) -> Result<()> {
        let texts = [
            ("settings.model", &self.model, 200),
            ("settings.system_prompt", &self.system_prompt, 100_000),
            ("settings.failure_text", &self.failure_text, 4000),
        ];
        for (param, text, max) in texts {
            text.as_deref().map_or(Ok(()), |text| bounded(param, text, max))?;
        }
        if !(1..=600).contains(&self.reply_timeout) {
            return Err(Error::invalid("settings.reply_timeout", "must be between 1 and 600 seconds"));
        }
        if self.auto_reply && self.model.is_none() && default_model.is_none() {
            let message = "must name a model (a route or `provider/model`); or set `auto_reply` to false, or \
                           `default_model` of `conversation.turns`";
            return Err(Error::invalid("settings.model", message));
        }
        Ok(())
    }
}

/// Limits of a tenant's channels.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelLimits {
    /// Maximum size of a received event in bytes.
    pub max_event_bytes: usize,
    /// Messages per minute for each channel, on each node.
    pub events_per_minute: u32,
    /// Messages of one chat that may wait for their answer.
    pub waiting_per_chat: u64,
    /// Days for which event ids are kept to detect duplicates.
    pub remember_days: u32,
}

impl Default for ChannelLimits {
    fn default() -> Self {
        Self { max_event_bytes: 256 << 10, events_per_minute: 600, waiting_per_chat: 20, remember_days: 30 }
    }
}

/// The key of [`ChannelLimits`].
pub const CHANNELS: ConfigKey<ChannelLimits> = ConfigKey::new(
    "conversation.channels",
    "conversation",
    "limits of channels: bytes of a message, messages per minute for each channel on each node, messages of one chat that \
     may wait for their answer, and days for which event ids are kept (instance only)",
    || {
        json!({
            "type": "object", "additionalProperties": false,
            "properties": {
                "max_event_bytes": { "type": "integer", "minimum": 1024, "maximum": 4_194_304 },
                "events_per_minute": { "type": "integer", "minimum": 1, "maximum": 1_000_000 },
                "waiting_per_chat": { "type": "integer", "minimum": 1, "maximum": 1000 },
                "remember_days": { "type": "integer", "minimum": 1, "maximum": 365 }
            }
        })
    },
)
.per_tenant();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_reply_requires_a_model() {
        let settings = ChannelSettings::default();
        assert_eq!(settings.check(None).expect_err("no model").param(), Some("settings.model"));
        assert!(settings.check(Some("mock/m")).is_ok());
        assert!(ChannelSettings { auto_reply: false, ..settings.clone() }.check(None).is_ok());
        let valid = ChannelSettings { model: Some("mock/m".to_owned()), ..settings };
        assert!(valid.check(None).is_ok());
        let invalid = [
            ChannelSettings { reply_timeout: 601, ..valid.clone() },
            ChannelSettings { system_prompt: Some(String::new()), ..valid.clone() },
            ChannelSettings { failure_text: Some("x".repeat(4001)), ..valid },
        ];
        assert!(invalid.iter().all(|settings| settings.check(None).is_err()));
    }
}
