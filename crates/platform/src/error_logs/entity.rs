//! An error on record.

use loam_kernel::{ErrorLogId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// An error.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "error_logs",
    comment = "an answer of 500 or above, a failure in the background, or what an application told of its own; without secrets"
)]
pub struct Model {
    /// The tenant; nil for the instance's own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErrorLogId,
    /// Where it happened.
    #[sea_orm(comment = "node on which it happened, known by its journal")]
    pub node_id: NodeId,
    /// Its kind.
    #[sea_orm(
        column_type = "Text",
        comment = "code of the answer, the part of Loam that failed, or the type of an exception"
    )]
    pub error_type: String,
    /// What happened.
    #[sea_orm(column_type = "Text", comment = "what happened")]
    pub error_message: String,
    /// Why.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the causes, the nearest first, a line each; of an application, the end of its stack trace"
    )]
    pub stack_trace: Option<String>,
    /// The request.
    #[sea_orm(column_type = "Text", nullable, comment = "x-request-id of the request that failed")]
    pub request_id: Option<String>,
    /// What else is known.
    #[sea_orm(column_type = "JsonBinary", comment = "what else is known: method, path, job, …")]
    pub context: Json,
    /// What it has in common with others.
    #[sea_orm(
        column_type = "Text",
        comment = "digest of type and message without what varies: ids, numbers, quotations"
    )]
    pub fingerprint: String,
    /// Whose error it is.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "instance: Loam's own; application: what one told; null: instance"
    )]
    pub source: Option<String>,
    /// The application.
    #[sea_orm(comment = "application that told it")]
    pub project_id: Option<ProjectId>,
    /// The trace.
    #[sea_orm(column_type = "Text", nullable, comment = "trace in which it happened")]
    pub trace_id: Option<String>,
    /// The record.
    #[sea_orm(comment = "record of what it happened in")]
    pub record_id: Option<Uuid>,
    /// What was served.
    #[sea_orm(column_type = "Text", nullable, comment = "what was served when it happened")]
    pub endpoint: Option<String>,
    /// When.
    pub created_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
