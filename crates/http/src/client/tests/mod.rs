//! The client against real sockets on loopback.

mod addresses;
mod bodies;
mod connections;
mod errors;
mod guarding;
mod metered;
mod secure;
mod support;
