//! The routes of incidents.

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Path, Query};
use loam_kernel::{AlertEventId, AlertRuleId, Page, PageQuery, ProjectId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{EventState, Model};
use super::service::AlertEventFilter;
use crate::alert_rules::entity::Severity;
use crate::alerts::Alerts;

/// An incident.
#[derive(Serialize, ToSchema)]
pub struct AlertEventView {
    id: AlertEventId,
    rule_id: AlertRuleId,
    project_id: ProjectId,
    state: EventState,
    /// Copied from the rule when the incident opened.
    severity: Severity,
    /// Value when the incident opened, in the unit of the rule's metric.
    value: f64,
    /// The rule when the incident opened, the measurement (`samples`, `from`, `to`), and the IDs of the notification
    /// `deliveries`.
    #[schema(value_type = Object)]
    context: Value,
    opened_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    /// Who acknowledged it, as in the audit trail.
    acknowledged_by: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
    /// Who resolved it; `system:alerts` if the value recovered.
    resolved_by: Option<String>,
    /// When the first notification was enqueued; null: nobody is to be notified.
    notified_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for AlertEventView {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            rule_id: row.rule_id,
            project_id: row.project_id,
            state: row.state,
            severity: row.severity,
            value: row.value,
            context: row.context,
            opened_at: row.opened_at,
            acknowledged_at: row.acknowledged_at,
            acknowledged_by: row.acknowledged_by,
            resolved_at: row.resolved_at,
            resolved_by: row.resolved_by,
            notified_at: row.notified_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub(crate) fn router(alerts: Alerts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(resolve))
        .with_state(alerts)
}

/// Lists the tenant's incidents, newest first.
#[utoipa::path(
    get, path = "/api/v1/alert_events", tag = "alerts", operation_id = "alert_events_list",
    params(AlertEventFilter, PageQuery),
    responses((status = 200, body = Page<AlertEventView>)),
    security(("api_key" = ["alert_events:read"]))
)]
async fn list(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Query(filter): Query<AlertEventFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<AlertEventView>>> {
    Ok(JsonResponse(alerts.list_alert_events(&scope, filter, &page).await?.map(AlertEventView::from)))
}

/// Gets an incident.
#[utoipa::path(
    get, path = "/api/v1/alert_events/{id}", tag = "alerts", operation_id = "alert_events_get",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView)),
    security(("api_key" = ["alert_events:read"]))
)]
async fn get(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<JsonResponse<AlertEventView>> {
    Ok(JsonResponse(alerts.get_alert_event(&scope, id).await?.into()))
}

/// Acknowledges an incident. The first acknowledgement stays.
#[utoipa::path(
    post, path = "/api/v1/alert_events/{id}/acknowledge", tag = "alerts", operation_id = "alert_events_acknowledge",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView)),
    extensions(("x-errors" = json!({"409": ["already_resolved"]}))),
    security(("api_key" = ["alert_events:write"]))
)]
async fn acknowledge(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<JsonResponse<AlertEventView>> {
    Ok(JsonResponse(alerts.acknowledge_alert_event(&scope, id).await?.into()))
}

/// Resolves the incident and notifies once. Its rule opens no new incident before the value has recovered once.
#[utoipa::path(
    post, path = "/api/v1/alert_events/{id}/resolve", tag = "alerts", operation_id = "alert_events_resolve",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView)),
    extensions(("x-errors" = json!({"409": ["already_resolved"]}))),
    security(("api_key" = ["alert_events:write"]))
)]
async fn resolve(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<JsonResponse<AlertEventView>> {
    Ok(JsonResponse(alerts.resolve_alert_event(&scope, id).await?.into()))
}
