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

use std::sync::Arc;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_kernel::Clock;
use loam_platform::changes::Changes;
use loam_platform::seal::Keyring;

pub(crate) use declaration::{KEY, ToolDeclaration, ToolKind};
pub(crate) use execute::{ToolInvocation, ToolOutcome};
pub(crate) use orphaned::EndOrphanedToolCalls;
pub(crate) use results::ClientResult;
pub(crate) use service::{declared, masked};

/// Tools of sessions and their calls. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Tools(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) gateway: Gateway,
}
