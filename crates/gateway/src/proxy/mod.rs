//! The path of a call: from the client's request to the provider and back, with the ledger on the way.

mod call;
mod estimate;
mod models;
mod plain;
pub(crate) mod routes;
mod send;
mod streamed;
