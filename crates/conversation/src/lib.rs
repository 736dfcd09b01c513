//! Conversations: sessions and their messages, turns over any provider, settings, tools, and channels to other platforms.
//!
//! Belongs here: sessions and their messages, their order, and how an answer is produced. Does not belong
//! here: how a model is called and what a call costs (`loam-gateway`), and who the users are
//! (`loam-identity`).

pub mod channels;
pub mod chat_sessions;
mod checks;
pub mod context;
mod exchanges;
pub mod history;
pub mod messages;
pub mod personal;
mod service;
pub mod session_configs;
mod signature;
#[cfg(test)]
mod tests;
pub mod tools;
pub mod turns;

use loam_db::EntityShape;
use loam_kernel::Result;
use loam_platform::seal::{SealedTable, rows};
use loam_platform::system_config::Declaration;

pub use context::settings::{CONTEXT, ContextSettings};
pub use service::{Conversation, Parts};
pub use turns::settings::{TURNS, TurnSettings};

/// The tables of this crate with sealed columns.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    vec![rows::<channels::entity::Entity>(), rows::<session_configs::entity::Entity>()]
}

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<chat_sessions::entity::Entity>(),
        EntityShape::of::<session_configs::entity::Entity>(),
        EntityShape::of::<context::summaries::Entity>(),
        EntityShape::of::<turns::entity::Entity>(),
        EntityShape::of::<turns::part::Entity>(),
        EntityShape::of::<messages::entity::Entity>(),
        EntityShape::of::<channels::entity::Entity>(),
        EntityShape::of::<channels::chats::Entity>(),
        EntityShape::of::<channels::senders::Entity>(),
        EntityShape::of::<channels::events::Entity>(),
    ]
}

/// The live configuration keys that this crate reads.
pub fn config_keys() -> Result<Vec<Declaration>> {
    Ok(vec![TURNS.declare()?, CONTEXT.declare()?, channels::CHANNELS.declare()?])
}
