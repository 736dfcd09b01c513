//! A version of a document.

use loam_kernel::{ApiSpecId, DocumentVersionId, PrdDocId, RequirementId, TechDesignId, TenantId};
use sea_orm::entity::prelude::*;

/// A version of a document.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "document_versions",
    comment = "versions of documents with their whole content; each belongs to one document, of one of four kinds"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The version.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DocumentVersionId,
    /// The requirement.
    #[sea_orm(comment = "the requirement that it is a version of")]
    pub requirement_id: Option<RequirementId>,
    /// The PRD.
    #[sea_orm(comment = "the PRD that it is a version of")]
    pub prd_doc_id: Option<PrdDocId>,
    /// The design.
    #[sea_orm(comment = "the technical design that it is a version of")]
    pub tech_design_id: Option<TechDesignId>,
    /// The specification.
    #[sea_orm(comment = "the API specification that it is a version of")]
    pub api_spec_id: Option<ApiSpecId>,
    /// The number.
    #[sea_orm(comment = "1, 2, …: unique and without gaps in the document")]
    pub number: i64,
    /// The version that it was made from.
    #[sea_orm(comment = "number of the version that it was made from")]
    pub parent: Option<i64>,
    /// Who saved it.
    #[sea_orm(column_type = "Text", nullable, comment = "who saved it, as in the audit trail; null: erased")]
    pub author: Option<String>,
    /// The model that wrote it.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the model that wrote it; null: a person or a program"
    )]
    pub model: Option<String>,
    /// The message.
    #[sea_orm(column_type = "Text", nullable, comment = "why it was saved")]
    pub message: Option<String>,
    /// The content.
    #[sea_orm(column_type = "Blob", comment = "the content, as JSON; compressed if that saves space")]
    pub content: Vec<u8>,
    /// When it was saved.
    #[sea_orm(comment = "time of the save")]
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
