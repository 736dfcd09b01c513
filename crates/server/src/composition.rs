//! Composition of the domains: from the configuration to their handles.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use loam_conversation::Conversation;
use loam_db::{Db, EntityShape};
use loam_delivery::Delivery;
use loam_gateway::{Gateway, Parts};
use loam_http::client::Client;
use loam_identity::Identity;
use loam_identity::erasures::DataLocations;
use loam_insight::Insight;
use loam_jobs::Handlers;
use loam_journal::Journal;
use loam_kernel::{Clock, TenantId};
use loam_platform::Platform;
use loam_platform::domain::{Declarations, Domain};
use loam_platform::mail::Mailer;
use loam_platform::notices::Notices;
use loam_platform::records::RETENTION;
use loam_platform::seal::{Keyring, SealedTable};
use loam_platform::stored_format::StoredFormat;
use loam_platform::system_config::{Declaration, SystemConfig};
use loam_platform::webhook_deliveries::{self, WebhookDeliveries};
use utoipa_axum::router::OpenApiRouter;

use crate::config::Config;
use crate::domain::Server;
use crate::limits;

/// The topic of change notices for the master keys.
pub(crate) const MASTER_KEY: &str = "master_key";

/// What every domain declares, in the order of the data dictionary.
fn declarations() -> [Declarations; 7] {
    [
        Identity::declarations(),
        Conversation::declarations(),
        Delivery::declarations(),
        Insight::declarations(),
        Gateway::declarations(),
        Platform::declarations(),
        Server::declarations(),
    ]
}

/// Every entity, in the order of the data dictionary.
pub fn entities() -> Vec<EntityShape> {
    declarations().into_iter().flat_map(|declared| declared.entities).collect()
}

/// Every table with values that are sealed under the master key.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    declarations().into_iter().flat_map(|declared| declared.sealed).collect()
}

/// Every kind of stored bytes.
pub fn stored_formats() -> Vec<StoredFormat> {
    declarations().into_iter().flat_map(|declared| declared.stored_formats).collect()
}

/// Every key of the live configuration.
fn config_keys() -> loam_kernel::Result<Vec<Declaration>> {
    declarations().into_iter().flat_map(|declared| declared.config_keys).collect()
}

/// The services that both the server and the command line use.
pub(crate) struct Core {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) keyring: Keyring,
    pub(crate) system_config: SystemConfig,
    pub(crate) journal: Option<Journal>,
    overwrite_interval: Duration,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) conversation: Conversation,
    pub(crate) insight: Insight,
    pub(crate) delivery: Delivery,
    pub(crate) deliveries: WebhookDeliveries,
}

impl Core {
    /// On a migrated database.
    pub(crate) async fn open(config: &Config, db: Db, journal: Option<Journal>) -> Result<Self> {
        let clock = Clock::system();
        let notices = Notices::default();
        let keyring = match &config.master_key {
            Some(text) => Keyring::parse(text)?,
            None => {
                let first = loam_identity::is_first_start(&db).await?;
                Keyring::open(&config.data().join("master.key"), &clock, first)?
            }
        };
        let ring = keyring.clone();
        notices.subscribe(move |notice| {
            if notice.topic == MASTER_KEY
                && let Err(e) = ring.reload()
            {
                tracing::error!(error = %e, "the changed key file can't be read; the keys stay as they were");
            }
        });
        let core = Self::assemble(config, db, clock, notices, keyring, journal)?;
        core.identity.learn_default_tenant().await?;
        core.system_config.reload().await?;
        Ok(core)
    }

    /// Without a database, for the documentation.
    pub(crate) fn unconnected(config: &Config) -> Result<Self> {
        let keyring =
            Keyring::parse(&base64::Engine::encode(&base64::engine::general_purpose::STANDARD, [0; 32]))?;
        Self::assemble(config, Db::unconnected(), Clock::system(), Notices::default(), keyring, None)
    }

    fn assemble(
        config: &Config,
        db: Db,
        clock: Clock,
        notices: Notices,
        keyring: Keyring,
        journal: Option<Journal>,
    ) -> Result<Self> {
        let outgoing = &config.outgoing;
        let system_config = SystemConfig::new(db.clone(), clock.clone(), notices.clone(), config_keys()?)?;
        limits::follow(&system_config)?;
        config.identity.check()?;
        let client = Client::new(outgoing)?;
        let identity = Identity::new(loam_identity::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            config: config.identity.clone(),
        });
        let gateway = Gateway::new(Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            timeouts: outgoing.timeouts(),
            journal: journal.clone(),
            journal_budget: config.journal.disk_budget_bytes,
            config: config.gateway.clone(),
            settings: system_config.live(&loam_gateway::CALLS)?,
        });
        let deliveries = WebhookDeliveries::new(
            db.clone(),
            clock.clone(),
            system_config.live(&webhook_deliveries::DELIVERIES)?,
        );
        let conversation = Conversation::new(loam_conversation::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            journal: journal.clone(),
            turns: system_config.live(&loam_conversation::TURNS)?,
            context: system_config.live(&loam_conversation::CONTEXT)?,
            deliveries: deliveries.clone(),
            channels: system_config.live(&loam_conversation::channels::CHANNELS)?,
        });
        let insight = Insight::new(loam_insight::Parts {
            db: db.clone(),
            clock: clock.clone(),
            notices: notices.clone(),
            identity: identity.clone(),
            gateway: gateway.clone(),
            keyring: keyring.clone(),
            client: client.clone(),
            journal: journal.clone(),
            deliveries: deliveries.clone(),
            mailer: Mailer::new(
                &config.smtp,
                Client::new(&to_mail_server(outgoing))?,
                outgoing.ca_file.as_deref(),
            )?,
            alerts: system_config.live(&loam_insight::alert_rules::ALERT_RULES)?,
            otlp: system_config.live(&loam_insight::OTLP)?,
            metrics: system_config.live(&loam_insight::METRICS)?,
            rules: system_config.live(&loam_insight::rules::RULES)?,
            analysis: system_config.live(&loam_insight::analyses::ANALYSIS)?,
            storage: system_config.live(&loam_insight::STORAGE)?,
            ingest: system_config.live(&loam_insight::INGEST)?,
        });
        let delivery = Delivery::new(db.clone(), clock.clone(), notices.clone(), identity.clone());
        gateway.retain(system_config.live(&RETENTION)?);
        let core = Self {
            db,
            clock,
            notices,
            keyring,
            system_config,
            journal,
            overwrite_interval: Duration::from_secs(config.journal.overwrite_seconds.max(1)),
            identity,
            gateway,
            conversation,
            insight,
            delivery,
            deliveries,
        };
        core.identity.set_data_locations(core.data_locations());
        Ok(core)
    }

    /// Every domain, in the order of its declarations: each may depend on those behind it, and all on identities.
    pub(crate) fn domains(&self) -> [Arc<dyn Domain>; 7] {
        [
            Arc::new(self.identity.clone()),
            Arc::new(self.conversation.clone()),
            Arc::new(self.delivery.clone()),
            Arc::new(self.insight.clone()),
            Arc::new(self.gateway.clone()),
            Arc::new(Platform {
                db: self.db.clone(),
                clock: self.clock.clone(),
                notices: self.notices.clone(),
                keyring: self.keyring.clone(),
                journal: self.journal.clone(),
                overwrite_interval: self.overwrite_interval,
                system_config: self.system_config.clone(),
                deliveries: self.deliveries.clone(),
                operators: self.identity.default_tenant().unwrap_or(TenantId::NIL),
            }),
            Arc::new(Server {
                db: self.db.clone(),
                clock: self.clock.clone(),
                keyring: self.keyring.clone(),
                system_config: self.system_config.clone(),
            }),
        ]
    }

    /// The handlers of durable jobs.
    pub(crate) fn jobs(&self) -> Result<Handlers> {
        let mut all = Handlers::new();
        for domain in self.domains() {
            all = all.merge(domain.jobs()?);
        }
        Ok(all)
    }

    /// Every documented route but those of the instance.
    pub(crate) fn routes(&self) -> OpenApiRouter {
        let base = OpenApiRouter::with_openapi(crate::docs::base_document());
        self.domains().iter().fold(base, |all, domain| all.merge(domain.routes()))
    }

    /// All locations of personal data, in processing order: requests are found by calls, calls by conversations, and
    /// conversations by users.
    fn data_locations(&self) -> DataLocations {
        let stores = self.domains().into_iter().rev().flat_map(|domain| domain.personal_data()).collect();
        let of_tenant = |shape: &EntityShape| shape.columns.iter().any(|column| column.name == "tenant_id");
        let tables = entities().into_iter().filter(of_tenant).map(|shape| shape.table).collect();
        DataLocations { stores, tables }
    }
}

/// The mail server is configured by the operator, and no tenant can change it: it may be on this machine or a private
/// network, although tenants' own targets may not.
fn to_mail_server(outgoing: &loam_http::client::Config) -> loam_http::client::Config {
    loam_http::client::Config { allow_private: true, allow_loopback: true, ..outgoing.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_live_configuration_takes_its_own_default() {
        let keys = config_keys().expect("declared");
        assert!(keys.len() >= 7);
        for key in keys {
            key.verify().expect("a schema that takes the default");
        }
    }
}
