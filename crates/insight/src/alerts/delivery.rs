//! Delivers alert notifications by webhook and e-mail.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loam_db::Db;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_kernel::{AlertRuleId, Clock, Error, Result, Scope};
use loam_platform::mail::{Email, Mailer, bare_address};
use loam_platform::seal::Keyring;
use loam_platform::webhook_deliveries::entity::Model as Delivery;
use loam_platform::webhook_deliveries::{DeliveryHandler, Outcome, SignedPost};

use super::recipients;
use crate::alert_rules::entity::{Entity as Rules, Model as Rule};
use crate::alert_rules::targets::{AlertTargets, secret_context};

/// The kind of deliveries by webhook.
pub(crate) const WEBHOOK: &str = "alert.webhook";
/// The kind of deliveries by e-mail.
pub(crate) const EMAIL: &str = "alert.email";

/// Upper bound for a webhook request; the timeout of the delivery attempt is normally shorter.
const TIMEOUT: Duration = Duration::from_mins(1);

/// Handles deliveries of alerts.
#[derive(Clone)]
pub(crate) struct AlertDeliveryHandler {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) identity: Identity,
}

#[async_trait]
impl DeliveryHandler for AlertDeliveryHandler {
    async fn deliver(&self, scope: &Scope, delivery: &Delivery) -> Result<Outcome> {
        let id = delivery.payload["rule"]["id"].as_str().and_then(|id| id.parse::<AlertRuleId>().ok());
        let id = id.ok_or_else(|| Error::internal("an alert delivery without a rule ID in its payload"))?;
        // no transaction is held during network requests
        let rule = self.db.read(scope).await?.get::<Rules>(id).await?;
        match rule {
            None => Ok(permanent_failure("the alert rule was deleted")),
            Some(rule) if delivery.kind == EMAIL => self.send_email(scope, &rule, delivery).await,
            Some(rule) => self.post_webhook(&rule, delivery).await,
        }
    }
}

impl AlertDeliveryHandler {
    /// Posts to the rule's current URL, which may have changed since the delivery was enqueued.
    async fn post_webhook(&self, rule: &Rule, delivery: &Delivery) -> Result<Outcome> {
        let (Some(target), Some(secret)) = (AlertTargets::of(rule)?.webhook, &rule.secret) else {
            return Ok(permanent_failure("the alert rule no longer has a webhook"));
        };
        let secret = self.keyring.open_json(&secret_context(rule.id), secret)?;
        let body = Bytes::from(serde_json::to_vec(&delivery.payload).map_err(Error::internal)?);
        let secrets = vec![secret.as_bytes()];
        let post = SignedPost { url: &target.url, secrets, delivery: delivery.id, body };
        post.send(&self.client, &self.clock, TIMEOUT).await
    }

    async fn send_email(&self, scope: &Scope, rule: &Rule, delivery: &Delivery) -> Result<Outcome> {
        let text = |name: &str| delivery.payload[name].as_str().unwrap_or_default().to_owned();
        let to = text("to");
        let is_recipient = AlertTargets::of(rule)?.email.is_some_and(|email| email.to.contains(&to));
        if !is_recipient {
            return Ok(permanent_failure("the alert rule no longer has this recipient"));
        }
        let Some(mailer) = &self.mailer else {
            let error = "this server sends no e-mail until its operator sets `[smtp]`".to_owned();
            return Ok(Outcome::Retry { status: None, error, after: None });
        };
        if let Some(reason) = recipients::rejection(&self.db, &self.identity, mailer, scope, &to).await? {
            return Ok(permanent_failure(&format!("{to} {reason}")));
        }
        let address = bare_address(&to).unwrap_or_default();
        if !self.identity.accepts_email(&self.db.read(scope).await?, &address).await? {
            return Ok(permanent_failure(&format!("{to} has switched off e-mail in `notification_prefs`")));
        }
        let (id, subject) = (delivery.id.to_string(), text("subject"));
        mailer.send(Email { id: &id, to: &[to], subject: &subject, text: text("text") }).await
    }
}

fn permanent_failure(reason: &str) -> Outcome {
    Outcome::Rejected { status: None, error: reason.to_owned() }
}
