//! Tools of a session: what is declared, what Loam executes itself over HTTP, and what the client does.
//!
//! Every use is a row of `tool_calls`, which the gateway keeps.

mod check;
mod declaration;
mod execute;
mod lost;
mod results;
pub mod routes;
mod schema;
mod secrets;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use declaration::ToolDeclaration;
pub(crate) use execute::{ToolOutcome, ToolUse};
pub(crate) use lost::EndLostToolCalls;
pub(crate) use results::ClientResult;
pub(crate) use service::{KEY, declared, masked};
