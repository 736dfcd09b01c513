//! Alerts: from what was measured to who is told.
//!
//! A look at a rule is a measurement, a step of its state, and, where that opens or ends an incident, the incident's row
//! and the deliveries that tell of it, all in one transaction under the rule's lock. So whatever dies when, and however
//! many nodes look, an incident is opened once, ended once, and each is told once.

mod courier;
mod evaluate;
mod measure;
mod notify;
pub(crate) mod recipients;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use courier::AlertCourier;
pub(crate) use evaluate::Evaluate;
pub(crate) use notify::{EMAIL, WEBHOOK};
