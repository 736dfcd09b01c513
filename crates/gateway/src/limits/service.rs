//! Creates, reads, changes and deletes limits.

use loam_http::surface::present;
use loam_kernel::{Error, ExpectedVersion, Kind, LimitId, Page, PageQuery, Result, Scope, TenantId};
use loam_platform::changes::{Audited, lock_version};
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::entity::{ActiveModel, Column, Entity, Model, SubjectType};
use crate::Gateway;
use crate::model_prices::{Price, from_usd};

/// The largest count that a limit can have.
const MAX_COUNT: i64 = 1_000_000_000_000;

/// A limit to be created. At least one limit must be given.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitCreate {
    /// The type of the limited subject.
    pub subject_type: SubjectType,
    /// ID of the project, user or key; optional for the tenant. For `end_user` the key whose end users are limited, each
    /// for themselves; without it those of the whole tenant.
    pub subject_id: Option<Uuid>,
    /// Calls started per minute of the clock.
    pub requests_per_minute: Option<i64>,
    /// Prompt and completion tokens of calls started per minute of the clock.
    pub tokens_per_minute: Option<i64>,
    /// Concurrent calls, on each node.
    pub concurrency: Option<i64>,
    /// US dollars per day, UTC.
    pub budget_per_day: Option<f64>,
    /// US dollars per month, UTC.
    pub budget_per_month: Option<f64>,
}

/// A change of a limit: omitted fields stay, null removes the limit.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitUpdate {
    /// Calls started per minute of the clock.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    pub requests_per_minute: Option<Option<i64>>,
    /// Prompt and completion tokens of calls started per minute of the clock.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    pub tokens_per_minute: Option<Option<i64>>,
    /// Concurrent calls, on each node.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<i64>)]
    pub concurrency: Option<Option<i64>>,
    /// US dollars per day, UTC.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub budget_per_day: Option<Option<f64>>,
    /// US dollars per month, UTC.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Option<f64>)]
    pub budget_per_month: Option<Option<f64>>,
}

/// Which limits to list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct LimitFilter {
    /// Only limits of this type of subject.
    pub subject_type: Option<SubjectType>,
    /// Only the limit of this subject.
    pub subject_id: Option<Uuid>,
}

impl Gateway {
    /// The tenant's limits, newest first.
    pub async fn list_limits(
        &self,
        scope: &Scope,
        filter: LimitFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let tx = self.0.db.read(scope).await?;
        let mut find = tx.find::<Entity>();
        if let Some(kind) = filter.subject_type {
            find = find.filter(Column::SubjectType.eq(kind));
        }
        if let Some(id) = filter.subject_id {
            find = find.filter(Column::SubjectId.eq(id));
        }
        find.page(page, |row| row.id.0).await
    }

    /// One limit.
    pub async fn get_limit(&self, scope: &Scope, id: LimitId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a limit.
    pub async fn create_limit(&self, scope: &Scope, new: LimitCreate) -> Result<Model> {
        let tenant = scope.tenant().0;
        let subject = match (new.subject_type, new.subject_id) {
            (SubjectType::Tenant | SubjectType::EndUser, None) => tenant,
            (SubjectType::Tenant | SubjectType::EndUser, Some(id)) if id == tenant => tenant,
            (SubjectType::Tenant, Some(_)) => {
                return Err(Error::invalid("subject_id", "must be this tenant's own id, or omitted"));
            }
            (_, Some(id)) => id,
            (kind, None) => {
                return Err(Error::invalid("subject_id", format!("must be the id of the {}", kind.name())));
            }
        };
        self.check_subject(scope, new.subject_type, subject).await?;
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            subject_type: Set(new.subject_type),
            subject_id: Set(subject),
            requests_per_minute: Set(count("requests_per_minute", new.requests_per_minute)?),
            tokens_per_minute: Set(count("tokens_per_minute", new.tokens_per_minute)?),
            concurrency: Set(count("concurrency", new.concurrency)?),
            budget_day_nano_usd: Set(money("budget_per_day", new.budget_per_day)?),
            budget_month_nano_usd: Set(money("budget_per_month", new.budget_per_month)?),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.0.db.write(scope).await?;
        let row = tx.insert(row).await.map_err(loam_db::already_exists(
            "subject_id",
            "this subject already has a limit; change that limit",
        ))?;
        not_empty(&row)?;
        let notice = self.0.changes.record_row::<Entity>(&tx, "create", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Rejects an unknown id, which would silently limit nobody.
    async fn check_subject(&self, scope: &Scope, kind: SubjectType, id: Uuid) -> Result<()> {
        let identity = &self.0.identity;
        let found = match kind {
            SubjectType::Tenant => Ok(()),
            SubjectType::Project => identity.get_project(scope, id.into()).await.map(drop),
            SubjectType::User => identity.get_user(scope, id.into()).await.map(drop),
            SubjectType::EndUser if id == scope.tenant().0 => Ok(()),
            SubjectType::ApiKey | SubjectType::EndUser => {
                identity.get_api_key(scope, id.into()).await.map(drop)
            }
        };
        let name = if kind == SubjectType::EndUser { SubjectType::ApiKey.name() } else { kind.name() };
        found.map_err(|e| match e.kind() {
            Kind::NotFound => Error::invalid("subject_id", format!("no {name} has this id")),
            _ => e,
        })
    }

    /// Changes a limit; calls are subject to the change within a second.
    pub async fn update_limit(
        &self,
        scope: &Scope,
        id: LimitId,
        version: &ExpectedVersion,
        new: LimitUpdate,
    ) -> Result<Model> {
        let requests = new.requests_per_minute.map(|n| count("requests_per_minute", n)).transpose()?;
        let tokens = new.tokens_per_minute.map(|n| count("tokens_per_minute", n)).transpose()?;
        let concurrency = new.concurrency.map(|n| count("concurrency", n)).transpose()?;
        let day = new.budget_per_day.map(|usd| money("budget_per_day", usd)).transpose()?;
        let month = new.budget_per_month.map(|usd| money("budget_per_month", usd)).transpose()?;
        let tx = self.0.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let mut row = old.into_active_model();
        requests.map(|n| row.requests_per_minute = Set(n));
        tokens.map(|n| row.tokens_per_minute = Set(n));
        concurrency.map(|n| row.concurrency = Set(n));
        day.map(|nano| row.budget_day_nano_usd = Set(nano));
        month.map(|nano| row.budget_month_nano_usd = Set(nano));
        let row = self.0.changes.save(&tx, row).await?;
        not_empty(&row)?;
        let notice = self.0.changes.record_row::<Entity>(&tx, "update", &row).await?;
        self.0.changes.commit(tx, notice).await?;
        Ok(row)
    }

    /// Deletes a limit.
    pub async fn delete_limit(&self, scope: &Scope, id: LimitId) -> Result<()> {
        self.0.changes.delete::<Entity>(self.0.db.write(scope).await?, id).await
    }
}

fn count(param: &str, number: Option<i64>) -> Result<Option<i64>> {
    match number {
        Some(number) if !(0..=MAX_COUNT).contains(&number) => {
            Err(Error::invalid(param, format!("must be 0 to {MAX_COUNT}")))
        }
        number => Ok(number),
    }
}

fn money(param: &str, usd: Option<f64>) -> Result<Option<i64>> {
    usd.map(|usd| from_usd(param, usd)).transpose()
}

/// Rejects an empty limit; the transaction is dropped with it.
fn not_empty(row: &Model) -> Result<()> {
    let some = row.requests_per_minute.is_some()
        || row.tokens_per_minute.is_some()
        || row.concurrency.is_some()
        || row.budget_day_nano_usd.is_some()
        || row.budget_month_nano_usd.is_some();
    if some {
        return Ok(());
    }
    let message = "a limit needs at least one of `requests_per_minute`, `tokens_per_minute`, `concurrency`, \
                   `budget_per_day`, `budget_per_month`; delete it to remove the limit";
    Err(Error::new(Kind::Invalid, "empty_limit", message))
}

impl Audited for Entity {
    const NAME: &'static str = "limit";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "subject_type": row.subject_type,
            "subject_id": row.subject_id,
            "requests_per_minute": row.requests_per_minute,
            "tokens_per_minute": row.tokens_per_minute,
            "concurrency": row.concurrency,
            "budget_per_day": row.budget_day_nano_usd.map(Price::to_usd),
            "budget_per_month": row.budget_month_nano_usd.map(Price::to_usd),
        })
    }
}
