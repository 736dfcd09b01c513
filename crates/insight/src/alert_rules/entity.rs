//! An alert rule.

use loam_kernel::{AlertEventId, AlertRuleId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The metric that a rule measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum AlertMetric {
    /// Mean request duration, in seconds.
    ResponseTimeMean,
    /// Median request duration, in seconds.
    ResponseTimeP50,
    /// 95th percentile of the request duration, in seconds.
    ResponseTimeP95,
    /// 99th percentile of the request duration, in seconds.
    ResponseTimeP99,
    /// Share of failed requests, 0 to 1.
    ErrorRate,
    /// Highest memory use of a request, in megabytes.
    MemoryUsage,
    /// Requests per minute.
    RequestRate,
    /// Cost of the project's model calls in the window, in US dollars.
    Cost,
    /// A metric that the application reports.
    PerformanceMetric,
}

/// Which side of the threshold is a breach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// A value above the threshold.
    Above,
    /// A value below the threshold.
    Below,
}

/// Severity of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertSeverity)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Requires action now.
    Critical,
    /// Requires action today.
    High,
    /// Requires action this week.
    Medium,
    /// For information.
    Low,
}

/// State of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum RuleState {
    /// No breach.
    Ok,
    /// The threshold is breached, but for less than `for_seconds`.
    Pending,
    /// An incident is open.
    Firing,
    /// The incident was resolved manually; no incident opens before the value has recovered once.
    Resolved,
}

/// An alert rule: what is measured, and who is notified.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(
    table_name = "alert_rules",
    comment = "alert rules: what is measured, who is notified, and the current state"
)]
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
    /// The name.
    #[sea_orm(column_type = "Text", comment = "unique in the project")]
    pub name: String,
    /// The metric.
    #[sea_orm(
        comment = "response_time_mean, response_time_p50, response_time_p95, response_time_p99, error_rate, memory_usage, request_rate, cost, performance_metric"
    )]
    pub metric: AlertMetric,
    /// Restricts what is measured.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "restricts what is measured: endpoint, version; provider, model; metric_name, tags, aggregate"
    )]
    pub selector: Json,
    /// Which side of the threshold is a breach.
    #[sea_orm(comment = "above, below: the side of the threshold that is a breach")]
    pub comparison: Comparison,
    /// The threshold.
    #[sea_orm(comment = "threshold, in the unit of the metric")]
    pub threshold: f64,
    /// The threshold of recovery.
    #[sea_orm(comment = "value at which an incident ends; null: same as threshold")]
    pub recover_threshold: Option<f64>,
    /// The window.
    #[sea_orm(comment = "length of the measured window, seconds")]
    pub window_seconds: i32,
    /// Minimum duration of a breach or a recovery.
    #[sea_orm(
        comment = "minimum duration of a breach before an incident opens, and of a recovery before it ends, seconds"
    )]
    pub for_seconds: i32,
    /// Minimum number of samples.
    #[sea_orm(
        comment = "minimum number of requests, calls or values in the window; with fewer, there is no value"
    )]
    pub min_samples: i32,
    /// The severity.
    #[sea_orm(comment = "critical, high, medium, low")]
    pub severity: Severity,
    /// Who is notified.
    #[sea_orm(column_type = "JsonBinary", comment = "who is notified: webhook, email; without secrets")]
    pub delivery: Json,
    /// Signing secret of the webhook.
    #[sea_orm(column_type = "JsonBinary", nullable, comment = "signing secret of the webhook, sealed")]
    pub secret: Option<Json>,
    /// Whether the rule is evaluated.
    #[sea_orm(comment = "whether the rule is evaluated")]
    pub is_active: bool,
    /// Whether the threshold is the project's.
    #[sea_orm(
        comment = "whether Loam created the rule for the project, and its threshold follows the project's alert_threshold; null: no"
    )]
    pub is_managed: Option<bool>,
    /// The state.
    #[sea_orm(comment = "ok, pending, firing; resolved: manually resolved and not yet recovered")]
    pub state: RuleState,
    /// Start of the breach.
    #[sea_orm(comment = "start of the breach, while no incident is open")]
    pub pending_since: Option<DateTimeUtc>,
    /// Start of the recovery.
    #[sea_orm(comment = "start of the recovery, while an incident is open")]
    pub clear_since: Option<DateTimeUtc>,
    /// Last evaluation.
    #[sea_orm(comment = "last evaluation")]
    pub evaluated_at: Option<DateTimeUtc>,
    /// Value of the last evaluation.
    #[sea_orm(comment = "value of the last evaluation; null: too few samples")]
    pub last_value: Option<f64>,
    /// The open incident.
    #[sea_orm(comment = "open incident")]
    pub open_event_id: Option<AlertEventId>,
    /// Metadata of the caller.
    #[sea_orm(column_type = "JsonBinary", comment = "metadata of the caller; never interpreted")]
    pub metadata: Json,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When a user last changed it; the version for If-Match.
    pub updated_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
