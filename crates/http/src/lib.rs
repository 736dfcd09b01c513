//! HTTP in both directions: what every route shares ([`surface`]), and the one guarded way out ([`client`]).
//!
//! Belongs here: the error shape, extractors, entity tags, and the outgoing client with its address guard. Does not
//! belong here: a route of a resource, or authentication, which needs the database.

pub mod client;
pub mod surface;
