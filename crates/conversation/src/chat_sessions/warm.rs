//! Loads recently used sessions into the caches.

use std::collections::HashSet;
use std::time::Duration;

use loam_kernel::{Result, Scope, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use tokio_util::sync::CancellationToken;

use super::cache::MAX_ROWS;
use super::entity::{Column, Entity};
use crate::chat_sessions::Sessions;

/// Tenants and sessions loaded at startup, most recently active first.
const WARM_TENANTS: usize = 200;
const WARM_SESSIONS: u64 = 100;
const WARM_AT_MOST: usize = 1_000;
/// Interval of reloading.
const REFRESH: Duration = Duration::from_mins(10);

impl Sessions {
    /// Loads recently used sessions into the caches, at startup and every ten minutes, until stopped.
    pub(crate) async fn keep_warm(self, stop: CancellationToken) {
        loop {
            if let Some(Err(e)) = stop.run_until_cancelled(self.warm()).await {
                tracing::debug!(error = %e, "cannot load the recently used sessions");
            }
            if stop.run_until_cancelled(tokio::time::sleep(REFRESH)).await.is_none() {
                return;
            }
        }
    }

    /// Loads the most recently active sessions, their owners' lists and their newest messages. Cached entries
    /// are not read again.
    pub(crate) async fn warm(&self) -> Result<usize> {
        let mut warmed = 0;
        let (mut after, mut tenants) = (TenantId::NIL, 0);
        while let Some(tenant) = self.tenant_after(after).await? {
            (after, tenants) = (tenant, tenants + 1);
            let tx = self.0.db.read(&Scope::system(tenant, "cache")).await?;
            let latest = tx.find::<Entity>().order_by_desc(Column::LastActivity).order_by_desc(Column::Id);
            let latest = latest.limit(WARM_SESSIONS).all().await?;
            drop(tx);
            let users: HashSet<UserId> = latest.iter().filter_map(|session| session.user_id).collect();
            for session in &latest {
                // One at a time, so that requests take precedence.
                self.0.caches.session(&self.0.db, tenant, session.id).await?;
                self.0.caches.newest(&self.0.db, session, MAX_ROWS).await?;
            }
            for user in users {
                self.0.caches.list(&self.0.db, tenant, user, MAX_ROWS).await?;
            }
            warmed += latest.len();
            if warmed >= WARM_AT_MOST || tenants >= WARM_TENANTS {
                break;
            }
        }
        Ok(warmed)
    }

    /// The next tenant with a session, found by the primary key.
    async fn tenant_after(&self, after: TenantId) -> Result<Option<TenantId>> {
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "cache")).await?;
        let next = tx.find_any::<Entity>().filter(Column::TenantId.gt(after));
        let next = next.order_by_asc(Column::TenantId).limit(1).all().await?;
        Ok(next.first().map(|session| session.tenant_id))
    }
}
