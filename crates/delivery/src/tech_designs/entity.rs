//! A technical design.

use loam_kernel::{ApiSpecId, PrdDocId, ProjectId, TechDesignId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::documents::DocumentStatus;

/// The kind of an architecture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum ArchitectureType {
    /// Services that are deployed one by one.
    Microservices,
    /// One program.
    Monolith,
    /// Functions that a platform runs.
    Serverless,
}

/// A technical design.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "tech_designs", comment = "technical designs; their content is in document_versions")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The design.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TechDesignId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The PRD.
    #[sea_orm(comment = "the PRD that it was made from")]
    pub prd_id: PrdDocId,
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
    /// The kind of its architecture.
    #[sea_orm(comment = "microservices, monolith, serverless")]
    pub architecture_type: Option<ArchitectureType>,
    /// Its specification.
    #[sea_orm(comment = "the API specification that describes it")]
    pub api_spec_id: Option<ApiSpecId>,
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
