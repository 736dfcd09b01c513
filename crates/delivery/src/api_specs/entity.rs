//! An API specification.

use loam_kernel::{ApiSpecId, ProjectId, TechDesignId, TenantId};
use sea_orm::entity::prelude::*;

use crate::documents::DocumentStatus;

/// An API specification.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "api_specs", comment = "API specifications; their content is in document_versions")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The specification.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiSpecId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The design.
    #[sea_orm(comment = "the technical design that it was made from")]
    pub design_id: Option<TechDesignId>,
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
    /// The version of OpenAPI.
    #[sea_orm(column_type = "Text", comment = "version of OpenAPI of the current version: 3.1.0")]
    pub openapi_version: String,
    /// Where it is on GitHub.
    #[sea_orm(column_type = "Text", nullable, comment = "its address on GitHub")]
    pub github_url: Option<String>,
    /// Time of the last synchronisation.
    #[sea_orm(comment = "time of the last synchronisation with that address")]
    pub last_sync: Option<DateTimeUtc>,
    /// What is wrong with it.
    #[sea_orm(column_type = "JsonBinary", comment = "faults of the current version: pointer, message")]
    pub validation_errors: Json,
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
