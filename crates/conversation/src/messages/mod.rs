//! Messages: numbered without a gap in their session, each behind its parent.

pub(crate) mod append;
pub(crate) mod branch;
pub(crate) mod content;
pub mod entity;
pub(crate) mod forget;
pub(crate) mod lane;
mod list;
pub mod routes;
mod service;
pub(crate) mod span;

pub use list::MessageFilter;
pub(crate) use service::of_session;
pub use service::{MessageCreate, MessageUpdate};

/// The topic of notices about what a session says; their subject is the session.
pub(crate) const TOPIC: &str = "messages";

/// About how many bytes a message takes.
pub(crate) fn weight(message: &entity::Model) -> usize {
    let json = |value: &Option<sea_orm::JsonValue>| value.as_ref().map_or(0, |value| value.to_string().len());
    message.content.len()
        + json(&message.parts)
        + json(&message.tool_calls)
        + message.metadata.to_string().len()
}
