//! A suggestion for a slow endpoint.

use loam_kernel::{AiAnalysisResultId, PerformanceRecordId, ProjectId, SuggestionId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Source of a suggestion.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema,
)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuggestionSource {
    /// The diagnosis rules.
    Rules,
    /// A model's analysis.
    Model,
}

/// Status of a suggestion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum SuggestionStatus {
    /// Not decided yet.
    Open,
    /// To be implemented.
    Accepted,
    /// Not to be implemented.
    Dismissed,
    /// Implemented.
    Done,
}

/// A suggestion.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "suggestions",
    comment = "suggestions for slow endpoints, with their predicted and measured gain"
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
    /// The slow endpoint.
    #[sea_orm(column_type = "Text", comment = "slow endpoint: GET /users/{id}")]
    pub endpoint: String,
    /// The function to change.
    #[sea_orm(column_type = "Text", nullable, comment = "function to change")]
    pub function: Option<String>,
    /// The rule.
    #[sea_orm(column_type = "Text", nullable, comment = "rule that found it: n_plus_one, slow_query, …")]
    pub finding: Option<String>,
    /// The code of the texts.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "code of the texts of a rule: fetch_rows_together, …"
    )]
    pub code: Option<String>,
    /// What the title was made from.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "what the title of a rule was made from")]
    pub parameters: Option<Json>,
    /// The source.
    #[sea_orm(comment = "rules, model")]
    pub source: SuggestionSource,
    /// The category.
    #[sea_orm(column_type = "Text", comment = "database, caching, algorithm, architecture")]
    pub category: String,
    /// The priority.
    #[sea_orm(column_type = "Text", comment = "high, medium, low")]
    pub priority: String,
    /// The title.
    #[sea_orm(column_type = "Text", comment = "title")]
    pub title: String,
    /// What is proposed, and where.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "digest of rule, topic and function; unique for endpoint, source and version; null in rows from before it"
    )]
    pub fingerprint: Option<String>,
    /// The description.
    #[sea_orm(column_type = "Text", comment = "description")]
    pub description: String,
    /// A code example.
    #[sea_orm(column_type = "Text", nullable, comment = "code example")]
    pub code_example: Option<String>,
    /// The version that it applies to.
    #[sea_orm(column_type = "Text", comment = "version of the application that it applies to")]
    pub version: String,
    /// An example request.
    #[sea_orm(comment = "a request that shows the problem")]
    pub record_id: Option<PerformanceRecordId>,
    /// The analysis that produced it.
    #[sea_orm(comment = "analysis that produced it")]
    pub analysis_id: Option<AiAnalysisResultId>,
    /// The status.
    #[sea_orm(comment = "open, accepted, dismissed, done")]
    pub status: SuggestionStatus,
    /// The predicted gain.
    #[sea_orm(comment = "predicted saving as a share of the request duration, 0 to 1")]
    pub predicted_gain: Option<f64>,
    /// The measured gain.
    #[sea_orm(
        comment = "saving of a later version as a share of the request duration; negative: it is slower"
    )]
    pub measured_gain: Option<f64>,
    /// Details of the measurement.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "details of the measurement")]
    pub measured: Option<Json>,
    /// The version that was measured.
    #[sea_orm(column_type = "Text", nullable, comment = "version that was measured")]
    pub measured_version: Option<String>,
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
