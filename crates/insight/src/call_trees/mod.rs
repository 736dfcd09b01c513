//! Stored trace chunks.

pub mod entity;
