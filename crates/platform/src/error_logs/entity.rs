//! An error record.

use loam_kernel::{ErrorLogId, NodeId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;

/// An error record.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "error_logs",
    comment = "a response of 500 or above, a background failure, or an error that an application reported; without secrets"
)]
pub struct Model {
    /// The tenant; nil for the instance's own.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ErrorLogId,
    /// The node.
    #[sea_orm(comment = "node on which it happened, identified by its journal")]
    pub node_id: NodeId,
    /// Type.
    #[sea_orm(
        column_type = "Text",
        comment = "error code of the response, the component that failed, or the type of an exception"
    )]
    pub error_type: String,
    /// Message.
    #[sea_orm(column_type = "Text", comment = "message of the error")]
    pub error_message: String,
    /// Causes.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "the causes, nearest first, one per line; for an application the end of its stack trace"
    )]
    pub stack_trace: Option<String>,
    /// Request id.
    #[sea_orm(column_type = "Text", nullable, comment = "x-request-id of the request that failed")]
    pub request_id: Option<String>,
    /// Context.
    #[sea_orm(column_type = "JsonBinary", comment = "context: method, path, job, …")]
    pub context: Json,
    /// Fingerprint.
    #[sea_orm(
        column_type = "Text",
        comment = "digest of type and message without variable parts: ids, numbers, quotations"
    )]
    pub fingerprint: String,
    /// Source.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "instance: an error of Loam; application: reported by an application; null: instance"
    )]
    pub source: Option<String>,
    /// The application.
    #[sea_orm(comment = "project of the application that reported it")]
    pub project_id: Option<ProjectId>,
    /// The trace.
    #[sea_orm(column_type = "Text", nullable, comment = "trace in which it happened")]
    pub trace_id: Option<String>,
    /// The record.
    #[sea_orm(comment = "performance record in which it happened")]
    pub record_id: Option<Uuid>,
    /// Endpoint.
    #[sea_orm(column_type = "Text", nullable, comment = "endpoint in which it happened")]
    pub endpoint: Option<String>,
    /// Time of the error.
    pub created_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
