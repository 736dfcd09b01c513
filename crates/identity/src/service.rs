//! The handle of this crate.

use std::sync::{Arc, OnceLock};

use loam_db::{Db, Tx};
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use loam_platform::audit_logs::{self, Change};
use loam_platform::notices::{Notice, Notices};
use loam_platform::seal::Keyring;
use serde_json::Value;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::{api_keys, projects, roles, tenants, users};

/// Tenants, users, projects and keys. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) keyring: Keyring,
    /// The tenant whose operators manage the others; known after the first start.
    pub(crate) default_tenant: Arc<OnceLock<TenantId>>,
}

impl Identity {
    /// A handle on a migrated database.
    pub fn new(db: Db, clock: Clock, notices: Notices, keyring: Keyring) -> Self {
        Self { db, clock, notices, keyring, default_tenant: Arc::default() }
    }

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(tenants::routes::router(self.clone()))
            .merge(users::routes::router(self.clone()))
            .merge(projects::routes::router(self.clone()))
            .merge(api_keys::routes::router(self.clone()))
            .merge(roles::router())
    }

    /// The tenant whose operators manage the others.
    pub fn default_tenant(&self) -> Option<TenantId> {
        self.default_tenant.get().copied()
    }

    /// Refuses everybody but operators: the command line, and callers of the default tenant.
    pub(crate) fn require_operator(&self, scope: &Scope) -> Result<()> {
        match scope.actor() {
            loam_kernel::Actor::CommandLine => Ok(()),
            _ if Some(scope.tenant()) == self.default_tenant() => Ok(()),
            _ => Err(Error::forbidden("operator")),
        }
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
        audit_logs::record(tx, &self.clock, change).await?;
        self.notices.announce(tx, &self.clock, resource, id).await
    }

    /// Commits, then tells this process's own caches.
    pub(crate) async fn commit<R>(&self, tx: Tx<R>, notice: Notice) -> Result<()> {
        tx.commit().await?;
        self.notices.publish(&notice);
        Ok(())
    }
}
