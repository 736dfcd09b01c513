//! What is sent to other servers until it is taken: a durable row for each, tried again after pauses that grow, and put
//! aside when it can't be delivered.
//!
//! Belongs here: the rows, when to try, the order within a lane, and signing. Does not belong here: what a kind of
//! delivery says to whom; a [`DeliveryHandler`] in the crate whose message it is knows that.
//!
//! **Deliveries are made at least once.** Whoever takes them tells a repetition by its id.

mod attempt;
pub mod entity;
mod handler;
mod host_backoff;
mod retention;
pub(crate) mod routes;
mod service;
mod settings;
pub mod signature;
#[cfg(test)]
mod tests;

pub use handler::{DeliveryHandler, Outcome, SignedPost};
pub use routes::WebhookDeliveryView;
pub use service::{NewDelivery, WebhookDeliveries, WebhookDeliveryFilter, delete_lanes};
pub use settings::{DELIVERIES, DeliverySettings};
