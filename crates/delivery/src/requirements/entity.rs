//! A requirement.

use loam_kernel::{ProjectId, RequirementId, TenantId};
use sea_orm::entity::prelude::*;

use crate::documents::DocumentStatus;

/// A requirement.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "requirements",
    comment = "requirements of applications; their content is in document_versions"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The requirement.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RequirementId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The title.
    #[sea_orm(column_type = "Text", nullable, comment = "title of the current version")]
    pub title: Option<String>,
    /// The status.
    #[sea_orm(comment = "draft, in_review, approved, superseded")]
    pub status: DocumentStatus,
    /// The current version.
    #[sea_orm(comment = "number of the current version")]
    pub version: i64,
    /// The approved version.
    #[sea_orm(comment = "number of the approved version")]
    pub approved_version: Option<i64>,
    /// The confidence.
    #[sea_orm(comment = "confidence in the analysis, 0 to 1; -1: none, so that it sorts last")]
    pub confidence_score: f64,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed; the version for If-Match.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
