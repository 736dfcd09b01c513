//! What each kind of channel is configured with, and its secrets.

use loam_http::client::Client;
use loam_kernel::{ChannelId, Clock, Error, Result};
use loam_platform::origin;
use loam_platform::seal::{Keyring, SealedRows, Visit, masked, visit_json};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::entity::{ChannelKind, Column, Entity, Model};

const TELEGRAM: &str = "https://api.telegram.org";

/// A configuration, ready for use.
pub(super) enum Opened {
    /// Where replies go, if they go anywhere.
    Webhook { url: Option<String> },
    /// The bot.
    Telegram { api_url: String, token: Zeroizing<String> },
}

/// Where the secret of a configuration is kept, to which its sealing is bound.
fn token_place(id: ChannelId) -> String {
    format!("channels/{id}/config.bot_token")
}

/// Where the secret of both sides is kept. The one before keeps its place, as it keeps its sealing.
fn secret_place(id: ChannelId) -> String {
    format!("channels/{id}/secret")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Config, Column::Secret, Column::OldSecret];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        let place = secret_place(row.id);
        visit_json(&place, &mut row.secret, visit)?;
        if let Some(old) = &mut row.old_secret {
            visit_json(&place, old, visit)?;
        }
        let token = row.config.get_mut("bot_token");
        token.map_or(Ok(()), |token| visit_json(&token_place(row.id), token, visit))
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

/// Where the requests of a channel go, if they go anywhere.
pub(super) fn address(kind: ChannelKind, config: &Value) -> Option<&str> {
    match kind {
        ChannelKind::Webhook => config["url"].as_str(),
        ChannelKind::Telegram => Some(config["api_url"].as_str().unwrap_or(TELEGRAM)),
    }
}

/// Puts a change over a kept configuration, checks the whole, and seals what is secret. Null removes, a secret as it is
/// read stays, unless it would go to another server.
pub(super) fn configure(
    (client, keyring, clock): (&Client, &Keyring, &Clock),
    kind: ChannelKind,
    id: ChannelId,
    kept: &Value,
    change: Map<String, Value>,
) -> Result<Value> {
    let mut config = kept.as_object().cloned().unwrap_or_default();
    let keeps_token =
        config.contains_key("bot_token") && !matches!(change.get("bot_token"), Some(Value::String(_)));
    for (name, value) in change {
        let param = format!("config.{name}");
        if !kind.fields().contains(&name.as_str()) {
            let message = format!("there is no such field; there are `{}`", kind.fields().join("`, `"));
            return Err(Error::invalid(param, message));
        }
        match value {
            Value::Null => drop(config.remove(&name)),
            value if name == "bot_token" && value["sealed"] == true && config.contains_key(&name) => {}
            Value::String(text) if name == "bot_token" => {
                check_token(&text)?;
                config.insert(name, keyring.seal_json(clock, &token_place(id), &text)?);
            }
            Value::String(text) => {
                if text.len() > 2000 {
                    return Err(Error::invalid(param, "must be at most 2,000 characters long"));
                }
                client.check_url(&param, &text)?;
                config.insert(name, text.into());
            }
            _ => return Err(Error::invalid(param, "must be a text")),
        }
    }
    if kind == ChannelKind::Telegram && !config.contains_key("bot_token") {
        return Err(Error::invalid("config.bot_token", "must be the token that BotFather gave"));
    }
    let config = Value::Object(config);
    if keeps_token {
        origin::check_kept("config.bot_token", address(kind, kept), address(kind, &config))?;
    }
    Ok(config)
}

/// A token stands in the path of every request, so it is nothing but what Telegram gives: `<digits>:<letters>`.
fn check_token(text: &str) -> Result<()> {
    let letters = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let good = text.split_once(':').is_some_and(|(bot, key)| {
        (1..=20).contains(&bot.len())
            && bot.chars().all(|c| c.is_ascii_digit())
            && (20..=100).contains(&key.len())
            && key.chars().all(letters)
    });
    if good {
        Ok(())
    } else {
        Err(Error::invalid("config.bot_token", "is no token of a bot: `123456:ABC…`"))
    }
}

/// A kept configuration as a reader sees it.
pub(super) fn shown(row: &Model) -> Value {
    let mut config = row.config.clone();
    if let Some(token) = config.get_mut("bot_token") {
        *token = masked(token);
    }
    config
}

/// A kept configuration, ready for use.
pub(super) fn open(keyring: &Keyring, row: &Model) -> Result<Opened> {
    let text = |name: &str| row.config[name].as_str().map(str::to_owned);
    Ok(match row.kind {
        ChannelKind::Webhook => Opened::Webhook { url: text("url") },
        ChannelKind::Telegram => Opened::Telegram {
            api_url: text("api_url").unwrap_or_else(|| TELEGRAM.to_owned()).trim_end_matches('/').to_owned(),
            token: keyring.open_json(&token_place(row.id), &row.config["bot_token"])?,
        },
    })
}

pub(super) fn seal_secret(keyring: &Keyring, clock: &Clock, id: ChannelId, secret: &str) -> Result<Value> {
    keyring.seal_json(clock, &secret_place(id), secret)
}

pub(super) fn open_secret(keyring: &Keyring, id: ChannelId, kept: &Value) -> Result<Zeroizing<String>> {
    keyring.open_json(&secret_place(id), kept)
}

/// What the audit trail says of a channel: no secret.
pub(super) fn changes(row: &Model) -> Value {
    json!({
        "name": row.name, "kind": row.kind, "config": shown(row), "settings": row.settings,
        "project_id": row.project_id, "is_active": row.is_active,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_what_telegram_gives() {
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
