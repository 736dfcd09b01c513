//! The handle of this crate.

use std::sync::Arc;

use loam_db::Db;
use loam_gateway::Gateway;
use loam_http::client::Client;
use loam_identity::Identity;
use loam_jobs::Handlers;
use loam_journal::Journal;
use loam_kernel::{Clock, NodeId, Result};
use loam_platform::changes::Changes;
use loam_platform::drain::Sink;
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use loam_platform::webhook_deliveries::WebhookDeliveries;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::records::RecordSink;

/// What applications do. Cheap to clone.
#[derive(Clone)]
pub struct Insight(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) keyring: Keyring,
    pub(crate) client: Client,
    pub(crate) journal: Option<Journal>,
    /// This node, by its journal.
    pub(crate) node: NodeId,
    pub(crate) deliveries: WebhookDeliveries,
}

/// What insight stands on.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Who there is, and which applications.
    pub identity: Identity,
    /// The way to models that explain.
    pub gateway: Gateway,
    /// Seals what alerts are signed with.
    pub keyring: Keyring,
    /// The way out, to who is told of alerts.
    pub client: Client,
    /// Where what applications send is acknowledged; none for the command line, which takes nothing in.
    pub journal: Option<Journal>,
    /// What takes alerts to other servers.
    pub deliveries: WebhookDeliveries,
}

impl Insight {
    /// A handle on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, notices, identity, gateway, keyring, client, journal, deliveries } = parts;
        let node = NodeId(Uuid::from_bytes(journal.as_ref().map_or([0; 16], Journal::id)));
        Self(Arc::new(Inner {
            changes: Changes::new(clock.clone(), notices.clone()),
            db,
            clock,
            notices,
            identity,
            gateway,
            keyring,
            client,
            journal,
            node,
            deliveries,
        }))
    }

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
    }

    /// The jobs of this crate.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        Ok(handlers)
    }

    /// What drains what applications sent into the database.
    pub fn sinks(&self) -> [Arc<dyn Sink>; 1] {
        [Arc::new(RecordSink::new(self.0.clock.clone()))]
    }
}
