//! Suggestions for slow endpoints: made by rules and by models, decided by users, measured in later versions.

mod collect;
pub mod entity;
pub mod routes;
pub mod service;
mod store;

pub(crate) use collect::{COLLECT, Collect};
pub(crate) use store::{NewSuggestion, store};
