//! Tools of a session: their declaration, the ones that Loam executes over HTTP, and the client's results.
//!
//! Every tool call is a row of `tool_calls`, which the gateway owns.

mod check;
mod declaration;
mod execute;
mod orphaned;
mod results;
pub mod routes;
mod schema;
mod secrets;
mod service;
#[cfg(test)]
mod tests;

pub(crate) use declaration::{ToolDeclaration, ToolKind};
pub(crate) use execute::{ToolInvocation, ToolOutcome};
pub(crate) use orphaned::EndOrphanedToolCalls;
pub(crate) use results::ClientResult;
pub(crate) use service::{KEY, declared, masked};
