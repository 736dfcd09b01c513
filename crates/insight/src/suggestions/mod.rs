//! What could be done about slow endpoints: made by rules and by models, decided on by people, measured by what came.

mod collect;
pub mod entity;
mod keep;
pub mod routes;
pub mod service;

pub(crate) use collect::{COLLECT, Collect};
pub(crate) use keep::{NewSuggestion, keep};
