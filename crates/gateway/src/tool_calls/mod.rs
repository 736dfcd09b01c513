//! Every tool call: what the model requested, the result, and the duration.

pub mod entity;
mod reported_tool_calls;
pub mod routes;
mod service;

pub use entity::ToolCallStatus;
pub use reported_tool_calls::{ReportedToolCall, insert_reported};
pub use service::{NewToolCall, ToolCallOutcome};
