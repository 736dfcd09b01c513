//! Telegram's Bot API, see <https://core.telegram.org/bots/api>.
//!
//! Updates arrive by webhook, authenticated by the secret token registered with `setWebhook`; answers are
//! sent with `sendMessage`.

mod api;
mod chat;
mod split;
mod update;

use http::HeaderName;

pub(super) use api::{Bot, delivery_outcome};
pub(super) use chat::target;
pub(super) use split::parts;
pub(super) use update::read;

/// The header with the secret token registered with `setWebhook`.
pub(super) const SECRET_TOKEN: HeaderName = HeaderName::from_static("x-telegram-bot-api-secret-token");
