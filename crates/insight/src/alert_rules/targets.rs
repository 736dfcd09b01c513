//! The targets of a rule's notifications.

use loam_kernel::{AlertRuleId, Error, Result};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::entity::Model;

/// Who is notified, as stored and shown; without secrets.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct AlertTargets {
    /// Receives signed HTTP POST requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub webhook: Option<AlertTarget>,
    /// Receives e-mails.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub email: Option<AlertEmail>,
}

impl AlertTargets {
    /// The stored targets of a rule.
    pub(crate) fn of(rule: &Model) -> Result<Self> {
        serde_json::from_value(rule.delivery.clone()).map_err(Error::internal)
    }
}

/// A webhook target.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertTarget {
    /// The URL.
    pub url: String,
}

/// E-mail recipients.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AlertEmail {
    /// E-mail addresses.
    pub to: Vec<String>,
}

/// The context to which the encryption of a rule's secret is bound.
pub(crate) fn secret_context(id: AlertRuleId) -> String {
    format!("alert_rules/{id}/secret")
}
