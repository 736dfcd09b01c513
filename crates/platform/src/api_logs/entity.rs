//! A request on record.

use loam_kernel::{ApiKeyId, ApiLogId, NodeId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A request.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "api_logs",
    comment = "a request to the API, without secrets; which ones are recorded is set by records.api_logs"
)]
pub struct Model {
    /// The tenant; nil when the caller is not known.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ApiLogId,
    /// Who answered.
    #[sea_orm(comment = "node that answered, known by its journal")]
    pub node_id: NodeId,
    /// The request.
    #[sea_orm(column_type = "Text", comment = "x-request-id of the request")]
    pub request_id: String,
    /// How it was asked.
    #[sea_orm(column_type = "Text", comment = "HTTP method")]
    pub method: String,
    /// What for.
    #[sea_orm(column_type = "Text", comment = "path, without the query")]
    pub path: String,
    /// The query.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "query parameters, without secrets")]
    pub query_params: Option<Json>,
    /// The headers.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "headers of the request, without secrets")]
    pub headers: Option<Json>,
    /// The body.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "JSON body of the request without secrets, packed with zstd"
    )]
    pub body: Option<Vec<u8>>,
    /// The answer's body.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "JSON body of the answer without secrets, packed with zstd"
    )]
    pub response_body: Option<Vec<u8>>,
    /// The answer.
    #[sea_orm(comment = "HTTP status of the answer")]
    pub status_code: i32,
    /// How much was answered.
    #[sea_orm(comment = "bytes of the answer's body that were sent")]
    pub response_bytes: i64,
    /// How long it took.
    #[sea_orm(comment = "microseconds from the request to the end of the answer")]
    pub latency_us: i64,
    /// In which conversation.
    #[sea_orm(column_type = "Text", nullable, comment = "conversation that the client named")]
    pub session_id: Option<String>,
    /// For whom.
    pub user_id: Option<UserId>,
    /// By which key.
    pub api_key_id: Option<ApiKeyId>,
    /// For what.
    pub project_id: Option<ProjectId>,
    /// With what.
    #[sea_orm(column_type = "Text", nullable, comment = "User-Agent of the client")]
    pub user_agent: Option<String>,
    /// From where.
    #[sea_orm(column_type = "Text", nullable, comment = "address of the client")]
    pub ip_address: Option<String>,
    /// When it came.
    pub created_at: DateTimeUtc,
}

/// None: it outlives what it speaks of.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
