//! HTTP in both directions: what every route shares ([`surface`]), and the guarded client ([`client`]).
//!
//! Belongs here: the error format, extractors, entity tags, and the outgoing client with its address guard. Does not
//! belong here: a route of a resource, or authentication, which needs the database.

pub mod client;
pub mod surface;
