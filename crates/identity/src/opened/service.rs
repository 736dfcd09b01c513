//! Opening a tenant.

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

/// Who opened what.
type Opening = (String, TenantId);

/// Openings of this hour that are on record. Cheap to ask, and small: operators are few.
#[derive(Default)]
pub(crate) struct Recorded(Mutex<(DateTime<Utc>, HashSet<Opening>)>);

impl Recorded {
    fn knows(&self, hour: DateTime<Utc>, opening: &Opening) -> bool {
        let recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        recorded.0 == hour && recorded.1.contains(opening)
    }

    fn add(&self, hour: DateTime<Utc>, opening: Opening) {
        let mut recorded = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if recorded.0 != hour {
            *recorded = (hour, HashSet::new());
        }
        recorded.1.insert(opening);
    }
}

impl Identity {
    /// The tenant that an operator names by slug or id, and the operator's scope in it.
    ///
    /// # Errors
    /// 403 to everybody else, before anything is said of the tenant; 404 for one that isn't there.
    pub(crate) async fn open_tenant(&self, scope: &Scope, named: &str) -> Result<(TenantRow, Scope)> {
        if !scope.is_operator() || !scope.permissions().allows("tenants:open") {
            let message = "only an operator with `tenants:open` opens a tenant with `x-loam-tenant`";
            return Err(Error::new(Kind::Forbidden, "not_an_operator", message));
        }
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "open_tenant")).await?;
        let tenant = match named.parse::<TenantId>() {
            Ok(id) => tenants::queries::get(&tx, id).await?,
            Err(_) => tenants::queries::by_slug(&tx, named).await?,
        };
        drop(tx);
        let missing = || Error::new(Kind::NotFound, "not_found", "there is no such tenant (`x-loam-tenant`)");
        let tenant = tenant.ok_or_else(missing)?;
        let opened = scope.in_tenant(tenant.id);
        self.record_opening(&opened).await?;
        Ok((tenant, opened))
    }

    /// Once for an operator, a tenant and an hour, over all nodes.
    async fn record_opening(&self, scope: &Scope) -> Result<()> {
        let now = self.clock.now();
        let hour = now.trunc_subsecs(0) - TimeDelta::seconds(i64::from(now.minute() * 60 + now.second()));
        let opening = (scope.actor().label(), scope.tenant());
        if self.recorded.knows(hour, &opening) {
            return Ok(());
        }
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            operator: Set(opening.0.clone()),
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
        self.recorded.add(hour, opening);
        Ok(())
    }
}
