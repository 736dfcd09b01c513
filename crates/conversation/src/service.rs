//! The handle of this crate.

use std::sync::Arc;

use loam_db::{Db, Tx};
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_jobs::Handlers;
use loam_journal::Journal;
use loam_kernel::{Clock, Result};
use loam_platform::audit_logs::{self, Change};
use loam_platform::notices::{Notice, Notices};
use loam_platform::seal::Keyring;
use loam_platform::system_config::Live;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::channels::{self, ChannelLimits, Channels};

/// Sessions, messages, turns. Cheap to clone.
#[derive(Clone)]
pub struct Conversation(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) journal: Option<Journal>,
    pub(crate) deliveries: WebhookDeliveries,
    pub(crate) channels: Channels,
}

/// What conversations stand on.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Who there is.
    pub identity: Identity,
    /// The way to models.
    pub gateway: Gateway,
    /// Seals channels' secrets.
    pub keyring: Keyring,
    /// The way out, to tools and channels.
    pub client: Client,
    /// Where answers are kept as they come; none for the command line, which runs no turns.
    pub journal: Option<Journal>,
    /// What takes answers to other platforms.
    pub deliveries: WebhookDeliveries,
    /// What channels take.
    pub channels: Live<ChannelLimits>,
}

impl Conversation {
    /// A handle on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, notices, identity, gateway, keyring, client, journal, deliveries, channels } =
            parts;
        let channels = Channels::new(
            (db.clone(), identity.clone(), &notices, keyring.clone()),
            (client.clone(), clock.clone()),
            &deliveries,
            channels,
        );
        let inner =
            Inner { db, clock, notices, identity, gateway, keyring, client, journal, deliveries, channels };
        Self(Arc::new(inner))
    }

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new().merge(channels::routes::router(self.clone()))
    }

    /// The jobs of this crate.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        channels::jobs(self, handlers)
    }

    /// Records a change and announces it, in its transaction.
    pub(crate) async fn record<R>(
        &self,
        tx: &Tx<R>,
        action: &'static str,
        resource: &'static str,
        id: impl Into<Uuid>,
        changes: Value,
    ) -> Result<Notice> {
        let id = id.into();
        let change = Change { action, resource_type: resource, resource_id: &id.to_string(), changes };
        audit_logs::record(tx, &self.0.clock, change).await?;
        self.0.notices.announce(tx, &self.0.clock, resource, id).await
    }

    /// Commits, then tells this process's own caches.
    pub(crate) async fn commit<R>(&self, tx: Tx<R>, notice: Notice) -> Result<()> {
        tx.commit().await?;
        self.0.notices.publish(&notice);
        Ok(())
    }
}
