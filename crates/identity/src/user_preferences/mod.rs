//! Preferences of users, by key; two keys have a declared schema, the others are free-form.

mod declared;
pub mod entity;
mod followed;
pub(crate) mod ownership;
pub mod routes;
pub mod service;

pub use followed::AiSettings;
