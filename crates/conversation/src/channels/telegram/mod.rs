//! Telegram's Bot API, after <https://core.telegram.org/bots/api>.
//!
//! Updates come by webhook, with the secret that `setWebhook` was given in a header; answers go out by `sendMessage`.

mod api;
mod chat;
mod split;
mod update;

use http::HeaderName;

pub(super) use api::{Bot, judge};
pub(super) use chat::target;
pub(super) use split::parts;
pub(super) use update::read;

/// The header of the secret that `setWebhook` was given.
pub(super) const SECRET_TOKEN: HeaderName = HeaderName::from_static("x-telegram-bot-api-secret-token");
