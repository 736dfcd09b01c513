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

use std::sync::Arc;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::changes::Changes;
use loam_platform::mail::Mailer;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::system_config::LiveConfig;
use loam_platform::webhook_deliveries::WebhookDeliveries;

use crate::alert_rules::settings::AlertSettings;

pub(crate) use delivery::{AlertDeliveryHandler, EMAIL, WEBHOOK};
pub(crate) use evaluate::Evaluate;

/// Alert rules and their incidents. Cheap to clone.
#[derive(Clone)]
pub struct Alerts(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    /// What calls have cost.
    pub(crate) gateway: Gateway,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) settings: LiveConfig<AlertSettings>,
}
