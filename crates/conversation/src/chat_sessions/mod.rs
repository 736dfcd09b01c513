//! Sessions: one conversation each, with its settings and the number of its last message.

mod access;
pub mod entity;
