//! What could be done about a slow endpoint.

use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId, SuggestionId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who made a suggestion.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuggestionSource {
    /// The rules.
    Rules,
    /// A model.
    Model,
}

/// How far it has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuggestionStatus {
    /// Nobody has decided.
    Open,
    /// It shall be done.
    Accepted,
    /// It shall not.
    Dismissed,
    /// It has been done.
    Done,
}

/// What could be done.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "suggestions",
    comment = "what could be done about a slow endpoint, and what it was worth"
)]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The suggestion.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SuggestionId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// What is slow.
    #[sea_orm(column_type = "Text", comment = "what is slow: GET /users/{id}")]
    pub endpoint: String,
    /// Where it is to be done.
    #[sea_orm(column_type = "Text", nullable, comment = "function where it is to be done")]
    pub function: Option<String>,
    /// The rule.
    #[sea_orm(column_type = "Text", nullable, comment = "rule that found it: n_plus_one, slow_query, …")]
    pub finding: Option<String>,
    /// Who made it.
    #[sea_orm(comment = "who made it: rules, model")]
    pub source: SuggestionSource,
    /// What is to be changed.
    #[sea_orm(column_type = "Text", comment = "database, caching, algorithm, architecture")]
    pub category: String,
    /// How soon.
    #[sea_orm(column_type = "Text", comment = "high, medium, low")]
    pub priority: String,
    /// In a few words.
    #[sea_orm(column_type = "Text", comment = "in a few words; unique for endpoint, source and version")]
    pub title: String,
    /// In full.
    #[sea_orm(column_type = "Text", comment = "in full")]
    pub description: String,
    /// How it could look.
    #[sea_orm(column_type = "Text", nullable, comment = "how it could look")]
    pub code_example: Option<String>,
    /// The version that it is about.
    #[sea_orm(column_type = "Text", comment = "version of the application that it is about")]
    pub version: String,
    /// A request that shows it.
    #[sea_orm(comment = "a request that shows it")]
    pub record_id: Option<PerformanceRecordId>,
    /// The analysis that it comes from.
    #[sea_orm(comment = "analysis that it comes from")]
    pub analysis_id: Option<AiAnalysisResultId>,
    /// How far it has come.
    #[sea_orm(comment = "open, accepted, dismissed, done")]
    pub status: SuggestionStatus,
    /// What it is likely to save.
    #[sea_orm(comment = "share of the time of such a request that it is likely to save, 0 to 1")]
    pub predicted_gain: Option<f64>,
    /// What it saved.
    #[sea_orm(
        comment = "share of the time that a later version saves, 0 to 1; less than 0: it takes longer"
    )]
    pub measured_gain: Option<f64>,
    /// How that was measured.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "how that was measured")]
    pub measured: Option<Json>,
    /// The later version.
    #[sea_orm(column_type = "Text", nullable, comment = "the later version")]
    pub measured_version: Option<String>,
    /// When it was first made.
    pub created_at: DateTimeUtc,
    /// When it was changed; its version.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}

/// No other entity is reached from here.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
