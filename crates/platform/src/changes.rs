//! Records a change in the audit trail and announces it, in the transaction of the change.

use loam_db::Tx;
use loam_kernel::{Clock, Result};
use serde_json::Value;
use uuid::Uuid;

use crate::audit_logs::{self, Change};
use crate::notices::{Notice, Notices};

/// Records and announces changes. Cheap to clone.
#[derive(Clone)]
pub struct Changes {
    clock: Clock,
    notices: Notices,
}

impl Changes {
    /// Changes at this clock's time, announced to these subscribers.
    pub fn new(clock: Clock, notices: Notices) -> Self {
        Self { clock, notices }
    }

    /// Records a change and announces it, in its transaction.
    pub async fn record<R>(
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

    /// Commits, then notifies this process's own caches.
    pub async fn commit<R>(&self, tx: Tx<R>, notice: Notice) -> Result<()> {
        tx.commit().await?;
        self.notices.publish(&notice);
        Ok(())
    }
}
