//! The path of a call: from the client's request to the provider and back, with the ledger in between.

mod begin;
mod cached_calls;
mod call;
mod call_response;
mod chat_stream;
mod detach_on_drop;
mod error_event;
mod estimate;
mod failover;
mod failure;
mod internal_calls;
mod make_call;
mod message_schemas;
pub(crate) mod messages;
pub(crate) mod model_routes;
mod models;
mod non_streamed;
pub(crate) mod pass_through_routes;
mod pass_through_schemas;
mod plan;
mod previous_response;
mod probe;
pub(crate) mod response_cache;
mod response_schemas;
pub(crate) mod routes;
mod schemas;
mod send;
mod streamed;

pub(crate) use call::client_id;
pub use chat_stream::{ChatStream, interrupted};
pub use probe::ProviderTest;
