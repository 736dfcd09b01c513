//! Who takes news of incidents to those who are to know.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use loam_db::Db;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_kernel::{AlertRuleId, Clock, Error, Result, Scope};
use loam_platform::mail::{Email, Mailer};
use loam_platform::seal::Keyring;
use loam_platform::webhook_deliveries::entity::Model as Delivery;
use loam_platform::webhook_deliveries::{DeliveryHandler, Outcome, SignedPost};

use super::notify::EMAIL;
use super::recipients;
use crate::alert_rules::entity::{Entity as Rules, Model as Rule};
use crate::alert_rules::service::{AlertTargets, secret_place};

/// The attempt's own limit comes first; this one keeps a connection from staying longer.
const LIMIT: Duration = Duration::from_mins(1);

/// Takes deliveries of alerts.
#[derive(Clone)]
pub(crate) struct AlertCourier {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) mailer: Option<Mailer>,
    pub(crate) identity: Identity,
}

#[async_trait]
impl DeliveryHandler for AlertCourier {
    async fn deliver(&self, scope: &Scope, delivery: &Delivery) -> Result<Outcome> {
        let id = delivery.payload["rule"]["id"].as_str().and_then(|id| id.parse::<AlertRuleId>().ok());
        let id = id.ok_or_else(|| Error::internal("a delivery of an alert that names no rule"))?;
        // no transaction is held while somebody else is waited for
        let rule = self.db.read(scope).await?.get::<Rules>(id).await?;
        match rule {
            None => Ok(never("the alert rule is gone")),
            Some(rule) if delivery.kind == EMAIL => self.write(scope, &rule, delivery).await,
            Some(rule) => self.post(&rule, delivery).await,
        }
    }
}

impl AlertCourier {
    /// To where the rule says now, as a server may have moved.
    async fn post(&self, rule: &Rule, delivery: &Delivery) -> Result<Outcome> {
        let (Some(target), Some(secret)) = (AlertTargets::of(rule)?.webhook, &rule.secret) else {
            return Ok(never("the alert rule tells no webhook any more"));
        };
        let secret = self.keyring.open_json(&secret_place(rule.id), secret)?;
        let body = Bytes::from(serde_json::to_vec(&delivery.payload).map_err(Error::internal)?);
        let secrets = vec![secret.as_bytes()];
        let post = SignedPost { url: &target.url, secrets, delivery: delivery.id, body };
        post.send(&self.client, &self.clock, LIMIT).await
    }

    async fn write(&self, scope: &Scope, rule: &Rule, delivery: &Delivery) -> Result<Outcome> {
        let text = |name: &str| delivery.payload[name].as_str().unwrap_or_default().to_owned();
        let to = text("to");
        let told = AlertTargets::of(rule)?.email.is_some_and(|email| email.to.contains(&to));
        if !told {
            return Ok(never("the alert rule doesn't write there any more"));
        }
        let Some(mailer) = &self.mailer else {
            let error = "this server sends no e-mail until its operator sets `[smtp]`".to_owned();
            return Ok(Outcome::Retry { status: None, error, after: None });
        };
        if let Some(why) = recipients::refused(&self.db, &self.identity, mailer, scope, &to).await? {
            return Ok(never(&format!("{to} {why}")));
        }
        let (id, subject) = (delivery.id.to_string(), text("subject"));
        mailer.send(Email { id: &id, to: &[to], subject: &subject, text: text("text") }).await
    }
}

fn never(why: &str) -> Outcome {
    Outcome::Rejected { status: None, error: why.to_owned() }
}
