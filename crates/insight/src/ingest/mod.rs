//! Taking in what applications send.

mod activity;
mod batch;
mod body;
mod endpoint;
mod fault;
mod functions;
mod meter;
mod msgpack;
mod part;
pub(crate) mod routes;
mod sender;
pub(crate) mod settings;
mod take;
#[cfg(test)]
mod tests;
mod text;
mod wire;

pub(crate) use activity::Activity;
pub(crate) use fault::Fault;
pub(crate) use meter::Meter;
pub(crate) use sender::{Sender, named};
