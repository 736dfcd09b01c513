//! The routes of incidents.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Path, Query};
use loam_kernel::{AlertEventId, AlertRuleId, Page, PageQuery, ProjectId};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::{EventState, Model};
use super::service::AlertEventFilter;
use crate::Insight;
use crate::alert_rules::entity::Severity;

/// An incident.
#[derive(Serialize, ToSchema)]
pub struct AlertEventView {
    id: AlertEventId,
    rule_id: AlertRuleId,
    project_id: ProjectId,
    state: EventState,
    /// As the rule had it.
    severity: Severity,
    /// What was measured when it was raised, in the unit of the rule's metric.
    value: f64,
    /// The rule as it was, what was measured when (`samples`, `from`, `to`), and the ids of the `deliveries` that told of
    /// it.
    #[schema(value_type = Object)]
    context: Value,
    opened_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    /// Who took it up, as on the audit trail.
    acknowledged_by: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
    /// Who called it over; `system:alerts` when the value was well again.
    resolved_by: Option<String>,
    /// When its first delivery was made; null: nobody is to be told.
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

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(resolve))
        .with_state(insight)
}

/// The tenant's incidents, newest first.
#[utoipa::path(
    get, path = "/api/v1/alert_events", tag = "alerts", operation_id = "alert_events_list",
    params(AlertEventFilter, PageQuery),
    responses((status = 200, body = Page<AlertEventView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_events:read"]))
)]
async fn list(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(filter): Query<AlertEventFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<AlertEventView>>> {
    Ok(Answer(insight.list_alert_events(&scope, filter, &page).await?.map(AlertEventView::from)))
}

/// One incident.
#[utoipa::path(
    get, path = "/api/v1/alert_events/{id}", tag = "alerts", operation_id = "alert_events_get",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_events:read"]))
)]
async fn get(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<Answer<AlertEventView>> {
    Ok(Answer(insight.get_alert_event(&scope, id).await?.into()))
}

/// Takes an incident up. One that is taken up already stays with whoever was first.
#[utoipa::path(
    post, path = "/api/v1/alert_events/{id}/acknowledge", tag = "alerts", operation_id = "alert_events_acknowledge",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_events:write"]))
)]
async fn acknowledge(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<Answer<AlertEventView>> {
    Ok(Answer(insight.acknowledge_alert_event(&scope, id).await?.into()))
}

/// Calls an incident over, and tells so once. Its rule raises nothing before the value has been well once.
#[utoipa::path(
    post, path = "/api/v1/alert_events/{id}/resolve", tag = "alerts", operation_id = "alert_events_resolve",
    params(("id" = AlertEventId, Path)),
    responses((status = 200, body = AlertEventView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_events:write"]))
)]
async fn resolve(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertEventId>,
) -> ApiResult<Answer<AlertEventView>> {
    Ok(Answer(insight.resolve_alert_event(&scope, id).await?.into()))
}
