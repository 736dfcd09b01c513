//! A request record.

use loam_kernel::{ApiKeyId, ApiLogId, NodeId, ProjectId, TenantId, UserId};
use sea_orm::entity::prelude::*;

/// A request record.
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
    /// The node.
    #[sea_orm(comment = "node that served the request, identified by its journal")]
    pub node_id: NodeId,
    /// The request id.
    #[sea_orm(column_type = "Text", comment = "x-request-id of the request")]
    pub request_id: String,
    /// Method.
    #[sea_orm(column_type = "Text", comment = "HTTP method")]
    pub method: String,
    /// Path.
    #[sea_orm(column_type = "Text", comment = "path, without the query")]
    pub path: String,
    /// Query parameters.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "query parameters, without secrets")]
    pub query_params: Option<Json>,
    /// Request headers.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "headers of the request, without secrets")]
    pub headers: Option<Json>,
    /// Request body.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "JSON body of the request without secrets, compressed with zstd"
    )]
    pub body: Option<Vec<u8>>,
    /// Response body.
    #[sea_orm(
        column_type = "Blob",
        nullable,
        comment = "JSON body of the response without secrets, compressed with zstd"
    )]
    pub response_body: Option<Vec<u8>>,
    /// Status.
    #[sea_orm(comment = "HTTP status of the response")]
    pub status_code: i32,
    /// Response size.
    #[sea_orm(comment = "bytes of the response body that were sent")]
    pub response_bytes: i64,
    /// Latency.
    #[sea_orm(comment = "microseconds from the request to the end of the response")]
    pub latency_us: i64,
    /// The session.
    #[sea_orm(column_type = "Text", nullable, comment = "conversation that the client named")]
    pub session_id: Option<String>,
    /// The user.
    pub user_id: Option<UserId>,
    /// The API key.
    pub api_key_id: Option<ApiKeyId>,
    /// The project.
    pub project_id: Option<ProjectId>,
    /// Client software.
    #[sea_orm(column_type = "Text", nullable, comment = "User-Agent of the client")]
    pub user_agent: Option<String>,
    /// Client address.
    #[sea_orm(column_type = "Text", nullable, comment = "address of the client")]
    pub ip_address: Option<String>,
    /// Time of the request.
    pub created_at: DateTimeUtc,
}

/// No relations: rows outlive what they refer to.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
