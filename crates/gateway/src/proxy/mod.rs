//! The path of a call: from the client's request to the provider and back, with the ledger on the way.

pub(crate) mod cached;
mod call;
mod estimate;
mod fault;
mod inside;
mod kept_on;
pub(crate) mod messages;
mod models;
mod plain;
mod plan;
mod probe;
pub(crate) mod routes;
mod send;
mod streamed;
mod tries;

pub(crate) use call::client_id;
pub use inside::Completion;
pub use probe::ProviderTest;
