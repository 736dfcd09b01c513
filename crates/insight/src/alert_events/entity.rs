//! An incident.

use loam_kernel::{AlertEventId, AlertRuleId, ProjectId, TenantId};
use sea_orm::entity::prelude::*;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::alert_rules::entity::Severity;

/// State of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, EnumIter, DeriveActiveEnum, Serialize, Deserialize, ToSchema)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum EventState {
    /// Not acknowledged yet.
    Open,
    /// Acknowledged by a user.
    Acknowledged,
    /// Resolved: the value recovered, or a user resolved it.
    Resolved,
}

/// An incident: from when a rule fires until the value recovers or a user resolves it.
#[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
#[sea_orm(table_name = "alert_events", comment = "incidents: periods in which an alert rule fired")]
pub struct Model {
    /// The tenant.
    #[sea_orm(primary_key, auto_increment = false)]
    pub tenant_id: TenantId,
    /// The incident.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AlertEventId,
    /// The rule.
    #[sea_orm(comment = "rule that fired")]
    pub rule_id: AlertRuleId,
    /// The application.
    #[sea_orm(comment = "application")]
    pub project_id: ProjectId,
    /// The state.
    #[sea_orm(comment = "open, acknowledged, resolved")]
    pub state: EventState,
    /// The severity.
    #[sea_orm(comment = "critical, high, medium, low: copied from the rule")]
    pub severity: Severity,
    /// The measured value.
    #[sea_orm(comment = "value when the incident opened")]
    pub value: f64,
    /// Details.
    #[sea_orm(
        column_type = "JsonBinary",
        comment = "the rule when the incident opened, the measurement, and the IDs of the notification deliveries"
    )]
    pub context: Json,
    /// When it opened.
    #[sea_orm(comment = "when it opened")]
    pub opened_at: DateTimeUtc,
    /// When it was acknowledged.
    #[sea_orm(comment = "when it was acknowledged")]
    pub acknowledged_at: Option<DateTimeUtc>,
    /// Who acknowledged it.
    #[sea_orm(column_type = "Text", nullable, comment = "who acknowledged it, as in the audit trail")]
    pub acknowledged_by: Option<String>,
    /// When it was resolved.
    #[sea_orm(comment = "when it was resolved")]
    pub resolved_at: Option<DateTimeUtc>,
    /// Who resolved it.
    #[sea_orm(
        column_type = "Text",
        nullable,
        comment = "who resolved it; system:alerts: the value recovered"
    )]
    pub resolved_by: Option<String>,
    /// First notification.
    #[sea_orm(comment = "when the first notification was enqueued; null: nobody is to be notified")]
    pub notified_at: Option<DateTimeUtc>,
    /// When it was created.
    pub created_at: DateTimeUtc,
    /// When it last changed.
    pub updated_at: DateTimeUtc,
}

/// No relations.
#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

loam_db::tenant_entity!(Entity, Column::TenantId, Column::Id);
