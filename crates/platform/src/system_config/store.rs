//! Writing a change: the value, its version, its audit row and its notice, in one transaction.

use chrono::{DateTime, Utc};
use loam_db::Tx;
use loam_kernel::{Error, ExpectedVersion, Kind, Result, Scope, TenantId, etag, next_version};
use sea_orm::{ActiveModelTrait, ColumnTrait, IntoActiveModel, QueryFilter};
use serde_json::{Value, json};

use super::declaration::Declaration;
use super::entity::{Column, Entity, Model};
use super::live::{SystemConfig, TOPIC};
use super::merge::patched;
use super::service::{Change, Level};
use super::versions;
use crate::audit_logs;
use crate::notices::Notice;

/// The largest value, as JSON.
const MAX_BYTES: usize = 64 << 10;

/// The tag of a key that was never set.
pub(super) const UNSET: DateTime<Utc> = DateTime::UNIX_EPOCH;

impl SystemConfig {
    pub(super) async fn store(
        &self,
        scope: &Scope,
        level: Level,
        declared: &Declaration,
        version: &ExpectedVersion,
        change: Change,
        below: &Value,
    ) -> Result<Notice> {
        match level {
            Level::Global => {
                let mut tx = self.0.db.system_write(scope).await?;
                let home = scope.tenant();
                tx.switch_tenant(TenantId::NIL);
                let written = self.write(&tx, declared, version, change, below).await?;
                // the change of the instance is on the trail of the operator's own tenant
                tx.switch_tenant(home);
                self.finish(tx, level, written).await
            }
            Level::Tenant => {
                let tx = self.0.db.write(scope).await?;
                let written = self.write(&tx, declared, version, change, below).await?;
                self.finish(tx, level, written).await
            }
        }
    }

    /// Writes the row and its version in the transaction's tenant.
    async fn write<R>(
        &self,
        tx: &Tx<R>,
        declared: &Declaration,
        version: &ExpectedVersion,
        change: Change,
        below: &Value,
    ) -> Result<(Model, versions::Model)> {
        let old = tx.find::<Entity>().filter(Column::ConfigKey.eq(declared.name)).locked().one().await?;
        version.check(&etag(old.as_ref().map_or(UNSET, |old| old.updated_at)))?;
        let before = old.as_ref().filter(|old| old.is_active).map(|old| old.config_value.clone());
        let (action, after) = match change {
            Change::Set(value) => ("set", Some(value)),
            Change::Update(None, None) => {
                return Err(Error::invalid("config_value", "give `config_value`, `is_active` or both"));
            }
            Change::Update(_, Some(false)) if before.is_none() => return Err(not_set()),
            Change::Update(None, Some(true)) if old.is_none() => return Err(not_set()),
            Change::Update(value, active) => {
                let kept = old.as_ref().filter(|old| old.is_active || active == Some(true));
                let kept = kept.map_or_else(|| json!({}), |old| old.config_value.clone());
                let value =
                    value.map_or_else(|| kept.clone(), |value| patched(&declared.schema, &kept, &value));
                ("update", (active != Some(false)).then_some(value))
            }
            Change::Unset if before.is_none() => return Err(not_set()),
            Change::Unset => ("unset", None),
            Change::Rollback(number) => ("rollback", self.earlier(tx, declared, number).await?.new_value),
        };
        if let Some(value) = &after {
            if value.to_string().len() > MAX_BYTES {
                return Err(Error::invalid(
                    "config_value",
                    format!("must be at most {MAX_BYTES} bytes of JSON"),
                ));
            }
            declared.check(value, below)?;
        }
        let now = self.0.clock.now();
        let row = Model {
            tenant_id: tx.scope().tenant(),
            id: old.as_ref().map_or_else(|| self.0.clock.id(), |old| old.id),
            config_key: declared.name.to_owned(),
            config_value: after
                .clone()
                .or_else(|| old.as_ref().map(|old| old.config_value.clone()))
                .unwrap_or(json!({})),
            description: declared.description.to_owned(),
            category: declared.category.to_owned(),
            is_active: after.is_some(),
            version: old.as_ref().map_or(0, |old| old.version) + 1,
            created_at: old.as_ref().map_or(now, |old| old.created_at),
            updated_at: old.as_ref().map_or(now, |old| next_version(old.updated_at, now)),
        };
        let entry = versions::Model {
            tenant_id: row.tenant_id,
            id: self.0.clock.id(),
            config_key: row.config_key.clone(),
            version: row.version,
            action: action.to_owned(),
            old_value: before,
            new_value: after,
            actor: tx.scope().actor().label(),
            request_id: Some(tx.scope().origin().request_id.clone()).filter(|id| !id.is_empty()),
            created_at: now,
        };
        match old {
            Some(_) => drop(tx.update(row.clone().into_active_model().reset_all()).await?),
            None => drop(
                tx.insert(row.clone().into_active_model().reset_all()).await.map_err(concurrent_change)?,
            ),
        }
        tx.insert(entry.clone().into_active_model().reset_all()).await?;
        Ok((row, entry))
    }

    async fn earlier<R>(&self, tx: &Tx<R>, declared: &Declaration, number: i64) -> Result<versions::Model> {
        let find = tx.find::<versions::Entity>().filter(versions::Column::ConfigKey.eq(declared.name));
        let found = find.filter(versions::Column::Version.eq(number)).one().await?;
        found.ok_or_else(|| Error::invalid("version", "this key has no such version; see its versions"))
    }

    async fn finish<R>(
        &self,
        tx: Tx<R>,
        level: Level,
        (row, entry): (Model, versions::Model),
    ) -> Result<Notice> {
        let change = audit_logs::Change {
            action: match entry.action.as_str() {
                "unset" => "delete",
                "rollback" => "rollback",
                _ if entry.version == 1 => "create",
                _ => "update",
            },
            resource_type: "system_config",
            resource_id: &row.config_key,
            changes: json!({ "level": level, "version": entry.version, "before": entry.old_value, "after": entry.new_value }),
        };
        audit_logs::record(&tx, &self.0.clock, change).await?;
        let notice = self.0.notices.announce(&tx, &self.0.clock, TOPIC, row.id).await?;
        tx.commit().await?;
        Ok(notice)
    }
}

fn not_set() -> Error {
    Error::new(Kind::NotFound, "not_set", "nothing is set for this key at this level")
}

fn concurrent_change(error: Error) -> Error {
    match loam_db::is_unique_violation(&error) {
        true => Error::new(
            Kind::Conflict,
            "changed_meanwhile",
            "somebody else set this key at the same time; look, then try again",
        )
        .with_source(error),
        false => error,
    }
}
