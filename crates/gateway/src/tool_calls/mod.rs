//! Every use of a tool: what a model asked for, what came of it, and how long that took.

pub mod entity;
pub mod routes;
mod service;

pub use service::{NewToolCall, ToolEnd};
