//! Access to the live configuration, and effective values.

use loam_kernel::{Error, ExpectedVersion, Kind, Page, PageQuery, Result, Scope, TenantId, truncate_chars};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::declaration::Declaration;
use super::entity::{Column, Entity, Model};
use super::live::SystemConfig;
use super::versions;

/// The level at which a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The whole instance.
    Global,
    /// The caller's tenant, over the instance's value.
    Tenant,
}

/// The source of a value: the highest level at which one is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ConfigSource)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// No value is set.
    Default,
    /// It is set for the instance.
    Global,
    /// It is set for the tenant.
    Tenant,
}

/// A change of a value.
#[derive(Clone, Debug)]
pub enum Change {
    /// A new value.
    Set(Value),
    /// A merge patch (RFC 7396), and whether the value is active.
    Update(Option<Value>, Option<bool>),
    /// Unset the value.
    Unset,
    /// Restore the version with this number.
    Rollback(i64),
}

/// A key with its effective value.
pub struct ResolvedKey<'a> {
    /// The key.
    pub(super) declared: &'a Declaration,
    /// The effective value.
    pub value: Value,
    /// Its source.
    pub source: Source,
    /// The row of the requested level.
    pub row: Option<Model>,
    /// The requested level.
    pub level: Level,
}

impl Level {
    /// The tenant of this level's rows.
    pub(super) fn tenant(self, scope: &Scope) -> TenantId {
        match self {
            Self::Global => TenantId::NIL,
            Self::Tenant => scope.tenant(),
        }
    }
}

impl SystemConfig {
    /// Lists the keys of a category, or all, with the effective values of the instance or the caller's tenant.
    pub async fn list(
        &self,
        scope: &Scope,
        level: Level,
        category: Option<&str>,
    ) -> Result<Vec<ResolvedKey<'_>>> {
        let mut rows = self.rows(scope, None).await?;
        let own = self.0.declared.values().filter(|declared| level == Level::Global || declared.per_tenant);
        let own = own.filter(|declared| category.is_none_or(|category| declared.category == category));
        Ok(own.map(|declared| resolve(declared, level, scope, &mut rows)).collect())
    }

    /// Returns a key.
    pub async fn get(&self, scope: &Scope, level: Level, key: &str) -> Result<ResolvedKey<'_>> {
        let declared = self.declared(level, key)?;
        let mut rows = self.rows(scope, Some(declared.name)).await?;
        Ok(resolve(declared, level, scope, &mut rows))
    }

    /// Changes the value of a key. When this returns, it applies in this process; in every other one within a second.
    pub async fn change(
        &self,
        scope: &Scope,
        level: Level,
        key: &str,
        version: &ExpectedVersion,
        change: Change,
    ) -> Result<ResolvedKey<'_>> {
        let declared = self.declared(level, key)?;
        if level == Level::Tenant && !declared.per_tenant {
            return Err(Error::invalid("level", "this key applies to the whole instance; omit `level`"));
        }
        let below = self.below(scope, level, declared).await?;
        let notice = self.store(scope, level, declared, version, change, &below).await?;
        self.0.notices.publish(&notice);
        // the change is committed, so a failure to reload it is not an error: the watcher retries
        if let Err(e) = self.reload().await {
            tracing::debug!(error = %e, "cannot read the live configuration back after a change");
        }
        self.get(scope, level, key).await
    }

    /// The versions of a key, newest first.
    pub async fn versions(
        &self,
        scope: &Scope,
        level: Level,
        key: &str,
        page: &PageQuery,
    ) -> Result<Page<versions::Model>> {
        let declared = self.declared(level, key)?;
        let own = versions::Column::ConfigKey.eq(declared.name);
        match level {
            Level::Global => {
                let tx = self.0.db.system_read(&scope.in_tenant(TenantId::NIL)).await?;
                tx.find::<versions::Entity>().filter(own).page(page, |row| row.id.0).await
            }
            Level::Tenant => {
                let tx = self.0.db.read(scope).await?;
                tx.find::<versions::Entity>().filter(own).page(page, |row| row.id.0).await
            }
        }
    }

    /// The value below a level, which the level's own value overlays.
    async fn below(&self, scope: &Scope, level: Level, declared: &Declaration) -> Result<Value> {
        if level == Level::Global {
            return Ok(declared.default.clone());
        }
        let mut rows = self.rows(scope, Some(declared.name)).await?;
        Ok(resolve(declared, Level::Global, scope, &mut rows).value)
    }

    /// The values that are set for the instance and the caller's tenant.
    async fn rows(&self, scope: &Scope, key: Option<&str>) -> Result<Vec<Model>> {
        // only the system role can read the instance's rows; what a tenant may see of them is decided here
        let tx = self.0.db.system_read(scope).await?;
        let mut find =
            tx.find_any::<Entity>().filter(Column::TenantId.is_in([TenantId::NIL, scope.tenant()]));
        if let Some(key) = key {
            find = find.filter(Column::ConfigKey.eq(key));
        }
        find.all().await
    }

    /// The key with this name; a tenant sees only keys that it can set.
    fn declared(&self, level: Level, key: &str) -> Result<&Declaration> {
        let visible = |declared: &&Declaration| level == Level::Global || declared.per_tenant;
        if let Some(declared) = self.0.declared.get(key).filter(visible) {
            return Ok(declared);
        }
        let key = truncate_chars(key, 100);
        let near = |declared: &&Declaration| {
            strsim::jaro_winkler(declared.name, key) > 0.85
                || declared.name.split('.').any(|part| strsim::damerau_levenshtein(part, key) <= 1)
        };
        let near: Vec<String> =
            self.0.declared.values().filter(visible).filter(near).map(|d| format!("`{}`", d.name)).collect();
        let message = match near.is_empty() {
            true => format!("there is no configuration key `{key}`"),
            false => format!("there is no configuration key `{key}`; did you mean {}?", near.join(" or ")),
        };
        Err(Error::new(Kind::NotFound, "unknown_config_key", message))
    }
}

fn resolve<'a>(
    declared: &'a Declaration,
    level: Level,
    scope: &Scope,
    rows: &mut Vec<Model>,
) -> ResolvedKey<'a> {
    let (mut value, mut source, mut row) = (declared.default.clone(), Source::Default, None);
    for (at, name) in [(Level::Global, Source::Global), (Level::Tenant, Source::Tenant)] {
        if at == Level::Tenant && level == Level::Global {
            break;
        }
        let tenant = at.tenant(scope);
        let place = rows.iter().position(|row| row.tenant_id == tenant && row.config_key == declared.name);
        let set = place.map(|place| rows.swap_remove(place));
        let active = set.as_ref().filter(|set| set.is_active);
        if let Some(effective) = active.and_then(|set| declared.effective(&set.config_value, &value).ok()) {
            value = effective;
            source = name;
        }
        if at == level {
            row = set;
        }
    }
    ResolvedKey { declared, value, source, row, level }
}
