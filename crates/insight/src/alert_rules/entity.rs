//! What is watched.

use loam_kernel::{AlertEventId, AlertRuleId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AlertMetric {
    /// Seconds that requests take on average.
    ResponseTimeMean,
    /// Seconds that half of the requests don't exceed.
    ResponseTimeP50,
    /// Seconds that 95 of 100 requests don't exceed.
    ResponseTimeP95,
    /// Seconds that 99 of 100 requests don't exceed.
    ResponseTimeP99,
    /// The share of requests that fail, 0 to 1.
    ErrorRate,
    /// Megabytes: the most memory of any request.
    MemoryUsage,
    /// Requests a minute.
    RequestRate,
    /// US dollars that the project's model calls cost in the window.
    Cost,
    /// A value that the application measures itself.
    PerformanceMetric,
}

/// On which side of the threshold it is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Somebody has to act now.
    Critical,
    /// Today.
    High,
    /// This week.
    Medium,
    /// Good to know.
    Low,
}

/// Where a rule stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// All is well.
    Ok,
    /// It is bad, but not for long enough yet.
    Pending,
    /// An incident is open.
    Firing,
    /// Somebody resolved the incident by hand; nothing is raised before the value has been well once.
    Resolved,
}

/// What is watched, and who is told.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_rules", comment = "what is watched, who is told, and where it stands")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The rule.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AlertRuleId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// Its name.
    #[sea_orm(column_type = "Text", comment = "unique in the project")]
    pub name: String,
    /// What is measured.
    #[sea_orm(
        comment = "response_time_mean, response_time_p50, response_time_p95, response_time_p99, error_rate, memory_usage, request_rate, cost, performance_metric"
    )]
    pub metric: AlertMetric,
    /// Of what.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "of what: endpoint, version; provider, model; metric_name, tags, aggregate"
    )]
    pub selector: Json,
    /// Which side is bad.
    #[sea_orm(comment = "above, below: the side of the threshold that is bad")]
    pub comparison: Comparison,
    /// From where it is bad.
    #[sea_orm(comment = "from where it is bad")]
    pub threshold: f64,
    /// From where it is well again.
    #[sea_orm(comment = "from where it is well again; null: the threshold")]
    pub recover_threshold: Option<f64>,
    /// Over what time.
    #[sea_orm(comment = "seconds that are measured together")]
    pub window_seconds: i32,
    /// For how long.
    #[sea_orm(comment = "seconds that it has to stay bad, or well, before anything is said")]
    pub for_seconds: i32,
    /// On how much.
    #[sea_orm(comment = "requests, calls or values in the window, below which nothing is known")]
    pub min_samples: i32,
    /// How bad it is.
    #[sea_orm(comment = "critical, high, medium, low")]
    pub severity: Severity,
    /// Who is told.
    #[sea_orm(column_type = "JsonBinary", comment = "who is told: webhook, email; without secrets")]
    pub delivery: Json,
    /// What the webhook is signed with.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "what the webhook is signed with; sealed")]
    pub secret: Option<Json>,
    /// Whether it is looked at.
    #[sea_orm(comment = "whether it is looked at")]
    pub is_active: bool,
    /// Where it stands.
    #[sea_orm(comment = "ok, pending, firing; resolved: by hand, and not well since")]
    pub state: RuleState,
    /// Since when it is bad.
    #[sea_orm(comment = "since when it is bad, while nothing was raised")]
    pub pending_since: Option<DateTimeUtc>,
    /// Since when it is well.
    #[sea_orm(comment = "since when it is well, while an incident is open")]
    pub clear_since: Option<DateTimeUtc>,
    /// When it was last looked at.
    #[sea_orm(comment = "when it was last looked at")]
    pub evaluated_at: Option<DateTimeUtc>,
    /// What was seen then.
    #[sea_orm(comment = "what was seen then; null: too little to tell")]
    pub last_value: Option<f64>,
    /// The incident.
    #[sea_orm(comment = "incident that is open")]
    pub open_event_id: Option<AlertEventId>,
    /// The caller's own.
    #[sea_orm(column_type = "JsonBinary", comment = "the caller's own; never interpreted")]
    pub metadata: Json,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it was changed by somebody; its version.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
