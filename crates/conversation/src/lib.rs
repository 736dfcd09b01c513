//! Conversations: sessions and their messages, turns over any provider, settings, tools, and channels to other platforms.
//!
//! Belongs here: sessions and their messages, their order, and how an answer is produced. Does not belong
//! here: how a model is called and what a call costs (`loam-gateway`), and who the users are
//! (`loam-identity`).

// for builds without debug assertions: the futures of turns contain those of the database, 130 levels deep
#![recursion_limit = "256"]

pub mod channels;
pub mod chat_sessions;
mod checks;
pub mod context;
mod domain;
mod exchanges;
pub mod history;
pub mod messages;
pub mod personal;
mod service;
pub mod session_configs;
#[cfg(test)]
mod tests;
pub mod tools;
pub mod turns;

pub use context::settings::{CONTEXT, ContextSettings};
pub use service::{Conversation, Parts};
pub use turns::settings::{TURNS, TurnSettings};
