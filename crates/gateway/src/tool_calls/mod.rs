//! Every use of a tool: what a model asked for, what came of it, and how long that took.

pub mod entity;
pub mod routes;
mod service;
mod told;

pub use service::{NewToolCall, ToolEnd};
pub use told::{ToldTool, write_told};
