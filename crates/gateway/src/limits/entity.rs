//! A limit.

use loam_kernel::{LimitId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The type of the limited subject.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[schema(as = LimitSubjectType)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// The whole tenant.
    Tenant,
    /// One project.
    Project,
    /// One user.
    User,
    /// One key.
    ApiKey,
    /// Each end user of the tenant or of one key.
    EndUser,
}

impl SubjectType {
    /// The name in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Project => "project",
            Self::User => "user",
            Self::ApiKey => "API key",
            Self::EndUser => "end user",
        }
    }

    /// The stored name.
    pub(crate) fn stored_name(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::EndUser => "end_user",
            other => other.name(),
        }
    }
}

/// The usage limits of a tenant, project, user, key or of each end user.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "limits",
    comment = "usage limits of a tenant, project, user, key or of each end user"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The limit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LimitId,
    /// The type of the subject.
    #[sea_orm(comment = "tenant, project, user, api_key, end_user")]
    pub subject_type: SubjectType,
    /// The subject.
    #[sea_orm(
        comment = "id of the tenant, project, user or key; of an end_user limit the tenant or key whose end users these are"
    )]
    pub subject_id: Uuid,
    /// Calls per minute.
    #[sea_orm(comment = "calls started per minute of the clock")]
    pub requests_per_minute: Option<i64>,
    /// Tokens per minute.
    #[sea_orm(comment = "prompt and completion tokens of calls started per minute of the clock")]
    pub tokens_per_minute: Option<i64>,
    /// Concurrent calls.
    #[sea_orm(comment = "concurrent calls, on each node")]
    pub concurrency: Option<i64>,
    /// Budget per day.
    #[sea_orm(comment = "nano-dollars per day, UTC")]
    pub budget_day_nano_usd: Option<i64>,
    /// Budget per month.
    #[sea_orm(comment = "nano-dollars per month, UTC")]
    pub budget_month_nano_usd: Option<i64>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it was last changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
