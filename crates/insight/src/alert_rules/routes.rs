//! The routes of alert rules.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{AlertEventId, AlertRuleId, Page, PageQuery, ProjectId};
use loam_platform::seal::{SealedSecret, masked};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use zeroize::Zeroizing;

use super::defaults::AlertRuleDefaults;
use super::definition::Selector;
use super::entity::{AlertMetric, Comparison, Model, RuleState, Severity};
use super::service::{AlertRuleCreate, AlertRuleFilter, AlertRuleUpdate, AlertRuleWithSecret};
use super::targets::AlertTargets;
use crate::alerts::Alerts;

/// An alert rule.
#[derive(Serialize, ToSchema)]
pub struct AlertRuleView {
    id: AlertRuleId,
    project_id: ProjectId,
    name: String,
    metric: AlertMetric,
    #[schema(value_type = Selector)]
    selector: Value,
    comparison: Comparison,
    /// The threshold, in seconds, as a share of 1, in megabytes, requests per minute, US dollars, or the metric's own unit.
    threshold: f64,
    /// Value at which an incident ends; null: same as `threshold`.
    recover_threshold: Option<f64>,
    window_seconds: i32,
    for_seconds: i32,
    min_samples: i32,
    severity: Severity,
    #[schema(value_type = AlertTargets)]
    delivery: Value,
    /// Signing secret of the webhook, masked: `{"sealed": true, "last4": …}`.
    #[schema(value_type = Option<SealedSecret>)]
    secret: Option<Value>,
    is_active: bool,
    /// Whether Loam created the rule for the project, and its threshold follows the project's `config.alert_threshold`.
    is_managed: bool,
    /// `pending`: breached, but for less than `for_seconds`; `firing`: an incident is open; `resolved`: manually resolved and
    /// not yet recovered.
    state: RuleState,
    /// Start of the breach, while no incident is open.
    pending_since: Option<DateTime<Utc>>,
    /// Start of the recovery, while an incident is open.
    clear_since: Option<DateTime<Utc>>,
    /// Last evaluation.
    evaluated_at: Option<DateTime<Utc>>,
    /// Value of the last evaluation; null: too few samples.
    last_value: Option<f64>,
    /// The open incident.
    open_event_id: Option<AlertEventId>,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for AlertRuleView {
    fn from(row: Model) -> Self {
        Self {
            is_managed: row.is_managed(),
            id: row.id,
            project_id: row.project_id,
            name: row.name,
            metric: row.metric,
            selector: row.selector,
            comparison: row.comparison,
            threshold: row.threshold,
            recover_threshold: row.recover_threshold,
            window_seconds: row.window_seconds,
            for_seconds: row.for_seconds,
            min_samples: row.min_samples,
            severity: row.severity,
            delivery: row.delivery,
            secret: row.secret.as_ref().map(masked),
            is_active: row.is_active,
            state: row.state,
            pending_since: row.pending_since,
            clear_since: row.clear_since,
            evaluated_at: row.evaluated_at,
            last_value: row.last_value,
            open_event_id: row.open_event_id,
            metadata: row.metadata,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A rule, with its signing secret if it is new. The secret is shown only once.
#[derive(Serialize, ToSchema)]
pub struct AlertRuleSecretView {
    #[serde(flatten)]
    rule: AlertRuleView,
    /// Signing secret of the webhook in full, only if it is new. Store it: it is not shown again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    signing_secret: Option<Zeroizing<String>>,
}

impl From<AlertRuleWithSecret> for AlertRuleSecretView {
    fn from(rule: AlertRuleWithSecret) -> Self {
        Self { rule: rule.row.into(), signing_secret: rule.secret }
    }
}

/// The default rules of a project.
#[derive(Serialize, ToSchema)]
struct AlertRuleList {
    data: Vec<AlertRuleView>,
}

pub(crate) fn router(alerts: Alerts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(defaults))
        .routes(routes!(get, update, delete))
        .with_state(alerts)
}

/// Lists the tenant's alert rules, newest first.
#[utoipa::path(
    get, path = "/api/v1/alert_rules", tag = "alerts", operation_id = "alert_rules_list",
    params(AlertRuleFilter, PageQuery),
    responses((status = 200, body = Page<AlertRuleView>)),
    security(("api_key" = ["alert_rules:read"]))
)]
async fn list(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Query(filter): Query<AlertRuleFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<JsonResponse<Page<AlertRuleView>>> {
    Ok(JsonResponse(alerts.list_alert_rules(&scope, filter, &page).await?.map(AlertRuleView::from)))
}

/// Creates an alert rule.
///
/// It is first evaluated within 30 seconds. Only this response shows the signing secret of its webhook.
#[utoipa::path(
    post, path = "/api/v1/alert_rules", tag = "alerts", operation_id = "alert_rules_create",
    request_body = AlertRuleCreate,
    responses((status = 201, body = AlertRuleSecretView)),
    extensions(("x-errors" = json!({
        "400": ["secret_required"],
        "409": ["already_exists", "too_many_alert_rules"]
    }))),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn create(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Json(new): Json<AlertRuleCreate>,
) -> ApiResult<Tagged<AlertRuleSecretView>> {
    let rule = alerts.create_alert_rule(&scope, new).await?;
    Ok(created(rule.row.updated_at, rule.into()))
}

/// Creates the default rules of a project.
///
/// Creates the managed rules `response_time`, `error_rate` and `memory_usage`, which a new project has, except those that
/// exist already. Returns all three.
#[utoipa::path(
    post, path = "/api/v1/alert_rules/defaults", tag = "alerts", operation_id = "alert_rules_defaults",
    request_body = AlertRuleDefaults,
    responses((status = 200, body = AlertRuleList)),
    extensions(("x-errors" = json!({"409": ["too_many_alert_rules"]}))),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn defaults(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Json(new): Json<AlertRuleDefaults>,
) -> ApiResult<JsonResponse<AlertRuleList>> {
    let rows = alerts.default_alert_rules(&scope, new).await?;
    Ok(JsonResponse(AlertRuleList { data: rows.into_iter().map(AlertRuleView::from).collect() }))
}

/// Gets an alert rule and its current state.
#[utoipa::path(
    get, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_get",
    params(("id" = AlertRuleId, Path)),
    responses((status = 200, body = AlertRuleView)),
    security(("api_key" = ["alert_rules:read"]))
)]
async fn get(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
) -> ApiResult<Tagged<AlertRuleView>> {
    let rule = alerts.get_alert_rule(&scope, id).await?;
    Ok(Tagged::new(rule.updated_at, rule.into()))
}

/// Updates an alert rule.
///
/// Its state is updated by the next evaluation. Deactivating the rule resolves its open incident.
#[utoipa::path(
    patch, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_update",
    params(("id" = AlertRuleId, Path), ("If-Match" = Option<String>, Header)),
    request_body = AlertRuleUpdate,
    responses((status = 200, body = AlertRuleSecretView)),
    extensions(("x-errors" = json!({
        "400": ["secret_required"],
        "409": ["already_exists", "changed_meanwhile"]
    }))),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn update(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
    IfMatch(version): IfMatch,
    Json(new): Json<AlertRuleUpdate>,
) -> ApiResult<Tagged<AlertRuleSecretView>> {
    let rule = alerts.update_alert_rule(&scope, id, &version, new).await?;
    Ok(Tagged::new(rule.row.updated_at, rule.into()))
}

/// Deletes an alert rule with its incidents. Pending notifications are discarded.
#[utoipa::path(
    delete, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_delete",
    params(("id" = AlertRuleId, Path)),
    responses((status = 204)),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn delete(
    State(alerts): State<Alerts>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
) -> ApiResult<StatusCode> {
    alerts.delete_alert_rule(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
