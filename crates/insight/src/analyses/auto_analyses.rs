//! Automatic analyses that were started: at most one per endpoint, version and hour.

use loam_kernel::{AiAnalysisResultId, AutoAnalysisId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// An automatic analysis that was started.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(
    table_name = "auto_analyses",
    comment = "automatic analyses that were started: at most one per endpoint, version and hour"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AutoAnalysisId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The endpoint.
    #[sea_orm(column_type = "Text", comment = "endpoint")]
    pub endpoint: String,
    /// The application's version.
    #[sea_orm(column_type = "Text", comment = "version of the application")]
    pub version: String,
    /// The hour.
    #[sea_orm(comment = "hour in which it was started")]
    pub hour: DateTimeUtc,
    /// The analysis.
    #[sea_orm(comment = "analysis")]
    pub analysis_id: AiAnalysisResultId,
    /// When it was started.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
