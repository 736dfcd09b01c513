//! Preferences: what a user likes, by key; two keys have a declared form, the others are free.

mod declared;
pub mod entity;
pub mod routes;
pub mod service;
pub(crate) mod whose;
