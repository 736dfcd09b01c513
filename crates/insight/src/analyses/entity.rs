//! A model's analysis of a slow request.

use loam_kernel::{AiAnalysisResultId, LlmCallId, PerformanceRecordId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What triggered an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AnalysisType {
    /// Triggered by a slow request.
    Auto,
    /// Requested through the API.
    Manual,
    /// Triggered by the schedule.
    Scheduled,
}

/// Status of an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AnalysisStatus {
    /// Waiting or running.
    Pending,
    /// Finished.
    Completed,
    /// The model call failed; the results come from the rules only.
    Failed,
}

/// An analysis.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ai_analysis_results", comment = "analyses of slow requests by a model")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The analysis.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AiAnalysisResultId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The request.
    #[sea_orm(comment = "request that is analysed")]
    pub record_id: Option<PerformanceRecordId>,
    /// Its trace.
    #[sea_orm(column_type = "Text", nullable, comment = "trace of that request")]
    pub trace_id: Option<String>,
    /// The endpoint.
    #[sea_orm(column_type = "Text", comment = "endpoint: GET /users/{id}")]
    pub endpoint: String,
    /// The application's version.
    #[sea_orm(column_type = "Text", comment = "version of the application")]
    pub version: String,
    /// What triggered it.
    #[sea_orm(comment = "auto, manual, scheduled")]
    pub analysis_type: AnalysisType,
    /// The status.
    #[sea_orm(comment = "pending, completed, failed")]
    pub status: AnalysisStatus,
    /// The provider.
    #[sea_orm(column_type = "Text", nullable, comment = "provider that responded")]
    pub provider: Option<String>,
    /// The model; while pending, the requested one.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "model that responded; while pending, the requested one"
    )]
    pub model: Option<String>,
    /// The model's name at the provider.
    #[sea_orm(column_type = "Text", nullable, comment = "name of the model in the provider's response")]
    pub model_version: Option<String>,
    /// Input of the model.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "input of the model: performance_summary, slow_functions, context_info"
    )]
    pub analysis_input: Json,
    /// Results.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "performance_score, bottleneck_analysis, optimization_suggestions, risk_assessment"
    )]
    pub analysis_results: Option<Json>,
    /// Details of the run.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "details of the run: source (model, rules), repaired, dropped_claims, reason"
    )]
    pub metadata: Json,
    /// Duration.
    #[sea_orm(comment = "duration of the model calls including a repair, milliseconds")]
    pub duration_ms: Option<i64>,
    /// Confidence.
    #[sea_orm(comment = "confidence, 0 to 1")]
    pub confidence_score: Option<f64>,
    /// Tokens.
    #[sea_orm(comment = "input and output tokens")]
    pub tokens_used: Option<i64>,
    /// Cost.
    #[sea_orm(comment = "cost in billionths of a US dollar; null if the model has no price")]
    pub cost_nano_usd: Option<i64>,
    /// The call.
    #[sea_orm(comment = "the model call; the last if there were several")]
    pub llm_call_id: Option<LlmCallId>,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable, comment = "why it failed")]
    pub error_message: Option<String>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
    /// When it ended.
    #[sea_orm(comment = "when it ended")]
    pub completed_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
