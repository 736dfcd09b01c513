//! Access of operators to a tenant.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SubsecRound, TimeDelta, Timelike, Utc};
use loam_kernel::{Error, Kind, Result, Scope, TenantId};
use loam_platform::audit_logs::{self, Change};
use sea_orm::Set;
use serde_json::json;

use super::entity::ActiveModel;
use crate::tenants::entity::Model as TenantRow;
use crate::{Identity, tenants};

/// An operator and the tenant that it accesses.
type Access = (String, TenantId);

/// Access of the current hour that is already audited. A small cache, as there are few operators.
#[derive(Default)]
pub(crate) struct AuditedAccess(Mutex<(DateTime<Utc>, HashSet<Access>)>);

impl AuditedAccess {
    fn contains(&self, hour: DateTime<Utc>, access: &Access) -> bool {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.0 == hour && recorded.1.contains(access)
    }

    fn add(&self, hour: DateTime<Utc>, access: Access) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.0 != hour {
            *recorded = (hour, HashSet::new());
        }
        recorded.1.insert(access);
    }
}

impl Identity {
    /// The tenant that an operator names by slug or id, and the operator's scope in it. Anybody else may only name
    /// their own, which changes nothing.
    ///
    /// # Errors
    /// 403 for another tenant, whether it exists or not; 404 for an operator's unknown tenant.
    pub(crate) async fn open_tenant(&self, scope: &Scope, named: &str) -> Result<(TenantRow, Scope)> {
        let can_open = scope.is_operator() && scope.permissions().allows("tenants:open");
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "open_tenant")).await?;
        let tenant = match named.parse::<TenantId>() {
            Ok(id) => tenants::queries::get(&tx, id).await?,
            Err(_) => tenants::queries::by_slug(&tx, named).await?,
        };
        drop(tx);
        if !can_open {
            let message =
                "only an operator with `tenants:open` can access another tenant with `x-loam-tenant`";
            let refused = || Error::new(Kind::Forbidden, "not_an_operator", message);
            return tenant
                .filter(|row| row.id == scope.tenant())
                .map(|row| (row, scope.clone()))
                .ok_or_else(refused);
        }
        let missing = || Error::new(Kind::NotFound, "not_found", "there is no such tenant (`x-loam-tenant`)");
        let tenant = tenant.ok_or_else(missing)?;
        let opened = scope.in_tenant(tenant.id);
        self.record_access(&opened).await?;
        Ok((tenant, opened))
    }

    /// Audits the access once per operator, tenant and hour, over all nodes.
    async fn record_access(&self, scope: &Scope) -> Result<()> {
        let now = self.clock.now();
        let hour = now.trunc_subsecs(0) - TimeDelta::seconds(i64::from(now.minute() * 60 + now.second()));
        let access = (scope.actor().label(), scope.tenant());
        if self.recorded.contains(hour, &access) {
            return Ok(());
        }
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            operator: Set(access.0.clone()),
            hour: Set(hour),
            created_at: Set(now),
        };
        let tx = self.db.write(scope).await?;
        if tx.insert_if_new(row).await? {
            let id = scope.tenant().to_string();
            let changes = json!({ "hour": hour });
            let change = Change { action: "open", resource_type: "tenants", resource_id: &id, changes };
            audit_logs::record(&tx, &self.clock, change).await?;
        }
        tx.commit().await?;
        self.recorded.add(hour, access);
        Ok(())
    }
}
