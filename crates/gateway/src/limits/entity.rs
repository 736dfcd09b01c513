//! A limit.

use loam_kernel::{LimitId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whose use is limited.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    /// Everybody in the tenant together.
    Tenant,
    /// One project.
    Project,
    /// One user.
    User,
    /// One key.
    ApiKey,
}

impl SubjectType {
    /// The word for it in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Project => "project",
            Self::User => "user",
            Self::ApiKey => "API key",
        }
    }
}

/// What a tenant, project, user or key may use.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "limits", comment = "what a tenant, project, user or key may use")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The limit.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: LimitId,
    /// Whose use.
    #[sea_orm(comment = "tenant, project, user, api_key")]
    pub subject_type: SubjectType,
    /// Which one.
    #[sea_orm(comment = "id of the tenant, project, user or key; one limit for each")]
    pub subject_id: Uuid,
    /// Calls.
    #[sea_orm(comment = "calls that may begin in a minute of the clock")]
    pub requests_per_minute: Option<i64>,
    /// Tokens.
    #[sea_orm(comment = "tokens, read and written, of calls begun in a minute of the clock")]
    pub tokens_per_minute: Option<i64>,
    /// Calls at once.
    #[sea_orm(comment = "calls under way at once, on each node")]
    pub concurrency: Option<i64>,
    /// Money a day.
    #[sea_orm(comment = "nano-dollars a day, UTC")]
    pub budget_day_nano_usd: Option<i64>,
    /// Money a month.
    #[sea_orm(comment = "nano-dollars a month, UTC")]
    pub budget_month_nano_usd: Option<i64>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
