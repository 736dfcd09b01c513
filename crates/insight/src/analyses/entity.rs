//! Why a request is slow, told by a model.

use loam_kernel::{AiAnalysisResultId, LlmCallId, PerformanceRecordId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who wanted an analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AnalysisType {
    /// A slow request.
    Auto,
    /// Somebody.
    Manual,
    /// A schedule.
    Scheduled,
}

/// How far an analysis has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AnalysisStatus {
    /// It waits, or is being made.
    Pending,
    /// It is there.
    Completed,
    /// No model could be asked; what rules say is there.
    Failed,
}

/// An analysis.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "ai_analysis_results", comment = "why a request is slow, told by a model")]
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
    /// What it served.
    #[sea_orm(column_type = "Text", comment = "what it served: GET /users/{id}")]
    pub endpoint: String,
    /// The application's version.
    #[sea_orm(column_type = "Text", comment = "version of the application")]
    pub version: String,
    /// Who wanted it.
    #[sea_orm(comment = "auto, manual, scheduled")]
    pub analysis_type: AnalysisType,
    /// How far it has come.
    #[sea_orm(comment = "pending, completed, failed")]
    pub status: AnalysisStatus,
    /// The provider.
    #[sea_orm(column_type = "Text", nullable, comment = "provider that answered")]
    pub provider: Option<String>,
    /// The model; while it is pending, the one that was wished for.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "model that answered; before that, the one to be asked"
    )]
    pub model: Option<String>,
    /// As the provider calls it.
    #[sea_orm(column_type = "Text", nullable, comment = "model as the provider's answer calls it")]
    pub model_version: Option<String>,
    /// What the model was told.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "what the model was told: performance_summary, slow_functions, context_info"
    )]
    pub analysis_input: Json,
    /// What came of it.
    #[sea_orm(
        column_type = "JsonBinary",
        nullable,
        comment = "performance_score, bottleneck_analysis, optimization_suggestions, risk_assessment"
    )]
    pub analysis_results: Option<Json>,
    /// How it came about.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "how it came about: source (model, rules), repaired, dropped_claims, reason"
    )]
    pub metadata: Json,
    /// How long it took.
    #[sea_orm(comment = "milliseconds that the model took, repair included")]
    pub duration_ms: Option<i64>,
    /// How far it can be relied on.
    #[sea_orm(comment = "how far it can be relied on, 0 to 1")]
    pub confidence_score: Option<f64>,
    /// Tokens.
    #[sea_orm(comment = "tokens read and written")]
    pub tokens_used: Option<i64>,
    /// What it cost.
    #[sea_orm(comment = "cost in billionths of a US dollar; null when the model has no price")]
    pub cost_nano_usd: Option<i64>,
    /// The call.
    #[sea_orm(comment = "the model call, the last if there were several")]
    pub llm_call_id: Option<LlmCallId>,
    /// Why it failed.
    #[sea_orm(column_type = "Text", nullable, comment = "why it failed")]
    pub error_message: Option<String>,
    /// When it was asked for.
    pub created_at: DateTimeUtc,
    /// When it was changed.
    pub updated_at: DateTimeUtc,
    /// When it ended.
    #[sea_orm(comment = "when it ended")]
    pub completed_at: Option<DateTimeUtc>,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
