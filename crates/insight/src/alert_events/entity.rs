//! An incident.

use loam_kernel::{AlertEventId, AlertRuleId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert_rules::entity::Severity;

/// Where an incident stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Nobody has taken it up.
    Open,
    /// Somebody has.
    Acknowledged,
    /// It is over.
    Resolved,
}

/// An incident: from when a rule was broken for long enough until it was kept again, or somebody called it over.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_events", comment = "incidents: times in which a rule was broken")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The incident.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AlertEventId,
    /// The rule.
    #[sea_orm(comment = "rule that was broken")]
    pub rule_id: AlertRuleId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// Where it stands.
    #[sea_orm(comment = "open, acknowledged, resolved")]
    pub state: EventState,
    /// How bad it is.
    #[sea_orm(comment = "critical, high, medium, low: as the rule had it")]
    pub severity: Severity,
    /// What was measured.
    #[sea_orm(comment = "what was measured when it was raised")]
    pub value: f64,
    /// What else is known.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "the rule as it was, what was measured when, and the deliveries that told of it"
    )]
    pub context: Json,
    /// When it was raised.
    #[sea_orm(comment = "when it was raised")]
    pub opened_at: DateTimeUtc,
    /// When it was taken up.
    #[sea_orm(comment = "when somebody took it up")]
    pub acknowledged_at: Option<DateTimeUtc>,
    /// By whom.
    #[sea_orm(column_type = "Text", nullable, comment = "who took it up, as on the audit trail")]
    pub acknowledged_by: Option<String>,
    /// When it was over.
    #[sea_orm(comment = "when it was over")]
    pub resolved_at: Option<DateTimeUtc>,
    /// Who said so.
    #[sea_orm(column_type = "Text", nullable, comment = "who called it over; system:alerts: the value did")]
    pub resolved_by: Option<String>,
    /// When somebody was told.
    #[sea_orm(comment = "when its first delivery was made; null: nobody is to be told")]
    pub notified_at: Option<DateTimeUtc>,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// None.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
