//! Sessions: one conversation each, with its settings and the number of its last message.

pub(crate) mod access;
pub mod entity;
