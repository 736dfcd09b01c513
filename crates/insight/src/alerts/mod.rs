//! Evaluation of alert rules, and notification of incidents.
//!
//! An evaluation measures the rule and advances its state. If that opens or ends an incident, the state, the incident's
//! row and the deliveries of its notifications are written in one transaction under the rule's lock. Hence each incident
//! is opened once, ended once and notified once each time, regardless of crashes and of how many nodes evaluate.

mod delivery;
mod evaluate;
mod measure;
mod messages;
mod notify;
pub(crate) mod recipients;
mod state_machine;
#[cfg(test)]
mod tests;

pub(crate) use delivery::{AlertDeliveryHandler, EMAIL, WEBHOOK};
pub(crate) use evaluate::Evaluate;
