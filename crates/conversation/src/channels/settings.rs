//! How a channel answers, and what all of a tenant's channels take.

use loam_kernel::{Error, Result, bounded};
use loam_platform::system_config::ConfigKey;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

/// How a channel's messages are answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ChannelSettings {
    /// Who answers, unless a session names another: the alias of a route, or `provider/model`. `default_model` of
    /// `conversation.turns` unless given.
    pub model: Option<String>,
    /// What the model is told first, in conversations from now on.
    pub system_prompt: Option<String>,
    /// Whether a model answers each message; false: messages are kept, and somebody else answers.
    pub auto_reply: bool,
    /// Seconds that an answer may take, 1 to 600, those in the session's queue among them.
    pub reply_timeout: u16,
    /// What is sent when no answer can be had; nothing unless given.
    pub failure_text: Option<String>,
    /// Whether senders become users; false: they are only known again if there is a user with `external_id`
    /// `<channel>:<sender>`.
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
    /// Refuses what can't work. `usual` answers where nobody is named.
    pub(super) fn check(&self, usual: Option<&str>) -> Result<()> {
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
        if self.auto_reply && self.model.is_none() && usual.is_none() {
            let message = "must name who answers: a route, or `provider/model`; or set `auto_reply` to false, or \
                           `default_model` of `conversation.turns`";
            return Err(Error::invalid("settings.model", message));
        }
        Ok(())
    }
}

/// What a tenant's channels take.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct ChannelLimits {
    /// Bytes of a message that comes in.
    pub max_event_bytes: usize,
    /// Messages a minute for each channel, on each node.
    pub events_per_minute: u32,
    /// Messages of one chat that may wait for their answer.
    pub waiting_per_chat: u64,
    /// Days that ids of messages are remembered, to tell a repetition.
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
    "what channels take: bytes of a message, messages a minute for each channel on each node, messages of one chat that \
     wait for their answer; and for how many days ids are remembered (for the instance alone)",
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
    fn a_channel_that_answers_says_who() {
        let settings = ChannelSettings::default();
        assert_eq!(settings.check(None).expect_err("no model").param(), Some("settings.model"));
        assert!(settings.check(Some("mock/m")).is_ok());
        assert!(ChannelSettings { auto_reply: false, ..settings.clone() }.check(None).is_ok());
        let good = ChannelSettings { model: Some("mock/m".to_owned()), ..settings };
        assert!(good.check(None).is_ok());
        let wrong = [
            ChannelSettings { reply_timeout: 601, ..good.clone() },
            ChannelSettings { system_prompt: Some(String::new()), ..good.clone() },
            ChannelSettings { failure_text: Some("x".repeat(4001)), ..good },
        ];
        assert!(wrong.iter().all(|settings| settings.check(None).is_err()));
    }
}
