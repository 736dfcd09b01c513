//! Erasing a whole tenant.

use loam_db::{System, Tx};
use loam_jobs::JobContext;
use loam_kernel::{Error, Kind, Result, Scope, TenantId};
use loam_platform::personal::Removed;
use loam_platform::personal::erasure::{Model, SubjectType};
use sea_orm::{IntoActiveModel, Set};
use serde_json::json;

use super::run::RemovalCounts;
use crate::Identity;
use crate::tenants::entity::TenantStatus;
use crate::tenants::queries;

/// Rows that are deleted in one transaction.
const BATCH: u64 = 1000;

impl Identity {
    /// Starts the erasure of a tenant with all its data; for operators. The tenant is blocked before this returns.
    pub(super) async fn erase_tenant(
        &self,
        scope: &Scope,
        id: TenantId,
        confirm: Option<String>,
    ) -> Result<Model> {
        self.require_operator(scope)?;
        if Some(id) == self.default_tenant() {
            return Err(Error::invalid("subject.id", "the default tenant can't be erased"));
        }
        let mut tx = self.db.system_write(scope).await?;
        let tenant = queries::get_locked(&tx, id).await?.ok_or_else(|| Error::not_found("tenant"))?;
        if tenant.status != TenantStatus::Archived && confirm.as_deref() != Some(&tenant.slug) {
            let message =
                format!("the tenant is not archived; archive it first, or confirm with `{}`", tenant.slug);
            return Err(Error::new(Kind::Conflict, "tenant_not_archived", message).with_param("confirm"));
        }
        let mut row = tenant.into_active_model();
        row.status = Set(TenantStatus::Archived);
        row.updated_at = Set(self.clock.now());
        tx.update_any(row).await?;
        // the command line acts in no tenant: the default tenant stores the receipt
        let home = match (scope.tenant(), self.default_tenant()) {
            (TenantId::NIL, Some(home)) => home,
            (tenant, _) => tenant,
        };
        tx.switch_tenant(id);
        let archived = self.notices.announce(&tx, &self.clock, "tenants", id).await?;
        tx.switch_tenant(home);
        let erasure = self.new_erasure(&tx, (SubjectType::Tenant, id.to_string()), None).await?;
        let changes = json!({ "subject_type": "tenant", "subject_id": id });
        let notice = self.changes.record(&tx, "create", "erasures", erasure.id, changes).await?;
        self.changes.commit(tx, notice).await?;
        self.notices.publish(&archived);
        Ok(erasure)
    }

    /// Deletes all rows of a tenant, table by table. A table whose rows are still referenced is retried after the others.
    pub(super) async fn remove_tenant(
        &self,
        job: &JobContext,
        tenant: TenantId,
        counts: &mut RemovalCounts,
    ) -> Result<()> {
        let mut tables = self.data_locations()?.tables.clone();
        let scope = Scope::system(TenantId::NIL, "erasures");
        while !tables.is_empty() {
            let before = tables.len();
            let mut left = Vec::new();
            for table in tables {
                match self.remove_rows(job, &scope, &table, tenant, counts).await {
                    Ok(()) => {}
                    Err(e) if e.kind() == Kind::Unavailable => return Err(e),
                    Err(e) if loam_db::is_foreign_key_violation(&e) => left.push(table),
                    Err(e) => return Err(e),
                }
            }
            if left.len() == before {
                return Err(Error::internal(format!("rows of {} refer to each other", left.join(", "))));
            }
            tables = left;
        }
        let mut tx = self.db.system_write(&scope).await?;
        tx.delete_tenant(tenant).await?;
        tx.switch_tenant(tenant);
        let notice = self.notices.announce(&tx, &self.clock, "tenants", tenant).await?;
        self.changes.commit(tx, notice).await
    }

    async fn remove_rows(
        &self,
        job: &JobContext,
        scope: &Scope,
        table: &str,
        tenant: TenantId,
        counts: &mut RemovalCounts,
    ) -> Result<()> {
        loop {
            if job.is_cancelled() {
                return Err(super::run::cancelled());
            }
            let tx: Tx<System> = self.db.system_write(scope).await?;
            let deleted = tx.delete_tenant_rows(table, tenant, BATCH).await?;
            counts.add(table, Removed { deleted, emptied: 0 });
            counts.write(&tx).await?;
            tx.commit().await?;
            if deleted < BATCH {
                return Ok(());
            }
        }
    }
}
