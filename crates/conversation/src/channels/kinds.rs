//! Configuration and secrets of each kind of channel.

use loam_http::client::Client;
use loam_kernel::{ChannelId, Clock, Error, Result};
use loam_platform::origin;
use loam_platform::seal::{Keyring, SealedRows, Visit, masked, visit_json};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::entity::{ChannelKind, Column, Entity, Model};

const TELEGRAM: &str = "https://api.telegram.org";

/// A configuration with its secrets opened.
pub(super) enum ChannelConfig {
    /// Kind `webhook`; `url` is where replies are sent, if anywhere.
    Webhook { url: Option<String> },
    /// Kind `telegram`: the bot.
    Telegram { api_url: String, token: Zeroizing<String> },
}

/// The path that the sealed bot token is bound to.
fn token_path(id: ChannelId) -> String {
    format!("channels/{id}/config.bot_token")
}

/// The path that the shared secret is bound to. The previous secret keeps the same path, so it needs no
/// resealing.
fn secret_path(id: ChannelId) -> String {
    format!("channels/{id}/secret")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Config, Column::Secret, Column::OldSecret];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        let path = secret_path(row.id);
        visit_json(&path, &mut row.secret, visit)?;
        if let Some(old) = &mut row.old_secret {
            visit_json(&path, old, visit)?;
        }
        let token = row.config.get_mut("bot_token");
        token.map_or(Ok(()), |token| visit_json(&token_path(row.id), token, visit))
    }
}

impl ChannelKind {
    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Webhook => &["url"],
            Self::Telegram => &["bot_token", "api_url"],
        }
    }
}

/// The address that the channel sends requests to, if any.
pub(super) fn address(kind: ChannelKind, config: &Value) -> Option<&str> {
    match kind {
        ChannelKind::Webhook => config["url"].as_str(),
        ChannelKind::Telegram => Some(config["api_url"].as_str().unwrap_or(TELEGRAM)),
    }
}

/// Merges a change into the stored configuration, validates the result and seals its secrets. Null removes a
/// field. A masked secret keeps the stored value, unless the address would change to another server.
pub(super) fn configure(
    (client, keyring, clock): (&Client, &Keyring, &Clock),
    kind: ChannelKind,
    id: ChannelId,
    stored: &Value,
    change: Map<String, Value>,
) -> Result<Value> {
    let mut config = stored.as_object().cloned().unwrap_or_default();
    let reuses_token =
        config.contains_key("bot_token") && !matches!(change.get("bot_token"), Some(Value::String(_)));
    for (name, value) in change {
        let param = format!("config.{name}");
        if !kind.fields().contains(&name.as_str()) {
            let message = format!("unknown field; known fields are `{}`", kind.fields().join("`, `"));
            return Err(Error::invalid(param, message));
        }
        match value {
            Value::Null => drop(config.remove(&name)),
            value if name == "bot_token" && value["sealed"] == true && config.contains_key(&name) => {}
            Value::String(text) if name == "bot_token" => {
                check_token(&text)?;
                config.insert(name, keyring.seal_json(clock, &token_path(id), &text)?);
            }
            Value::String(text) => {
                if text.len() > 2000 {
                    return Err(Error::invalid(param, "must be at most 2,000 characters long"));
                }
                client.check_url(&param, &text)?;
                config.insert(name, text.into());
            }
            _ => return Err(Error::invalid(param, "must be a string")),
        }
    }
    if kind == ChannelKind::Telegram && !config.contains_key("bot_token") {
        return Err(Error::invalid("config.bot_token", "must be the token issued by BotFather"));
    }
    let config = Value::Object(config);
    if reuses_token {
        origin::check_same_origin("config.bot_token", address(kind, stored), address(kind, &config))?;
    }
    Ok(config)
}

/// The token is part of every request's path, so only Telegram's format is accepted: `<digits>:<letters>`.
fn check_token(text: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let valid = text.split_once(':').is_some_and(|(bot, key)| {
        (1..=20).contains(&bot.len())
            && bot.chars().all(|c| c.is_ascii_digit())
            && (20..=100).contains(&key.len())
            && key.chars().all(letters)
    });
    if valid {
        Ok(())
    } else {
        Err(Error::invalid("config.bot_token", "is not a bot token; expected a value such as `123456:ABC…`"))
    }
}

/// The configuration with masked secrets.
pub(super) fn masked_config(row: &Model) -> Value {
    let mut config = row.config.clone();
    if let Some(token) = config.get_mut("bot_token") {
        *token = masked(token);
    }
    config
}

/// Parses a stored configuration and opens its secrets.
pub(super) fn open(keyring: &Keyring, row: &Model) -> Result<ChannelConfig> {
    let text = |name: &str| row.config[name].as_str().map(str::to_owned);
    Ok(match row.kind {
        ChannelKind::Webhook => ChannelConfig::Webhook { url: text("url") },
        ChannelKind::Telegram => ChannelConfig::Telegram {
            api_url: text("api_url").unwrap_or_else(|| TELEGRAM.to_owned()).trim_end_matches('/').to_owned(),
            token: keyring.open_json(&token_path(row.id), &row.config["bot_token"])?,
        },
    })
}

pub(super) fn seal_secret(keyring: &Keyring, clock: &Clock, id: ChannelId, secret: &str) -> Result<Value> {
    keyring.seal_json(clock, &secret_path(id), secret)
}

pub(super) fn open_secret(keyring: &Keyring, id: ChannelId, stored: &Value) -> Result<Zeroizing<String>> {
    keyring.open_json(&secret_path(id), stored)
}

/// The audited view of a channel, without secrets.
pub(super) fn audited(row: &Model) -> Value {
    json!({
        "name": row.name, "kind": row.kind, "config": masked_config(row), "settings": row.settings,
        "project_id": row.project_id, "is_active": row.is_active,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tokens_in_telegrams_format_are_accepted() {
        assert!(check_token("123456:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw").is_ok());
        for wrong in [
            "",
            "123456",
            "abc:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw",
            "1:short",
            "1:AAHdqTcvCH1vGWJx/../fSAs0K5PA",
        ] {
            assert!(check_token(wrong).is_err(), "{wrong}");
        }
    }
}
