//! The routes of alert rules.

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, IfMatch, Json, Path, Query, Tagged, created};
use loam_kernel::{AlertEventId, AlertRuleId, Page, PageQuery, ProjectId};
use loam_platform::seal::masked;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use zeroize::Zeroizing;

use super::defaults::AlertRuleDefaults;
use super::definition::Selector;
use super::entity::{AlertMetric, Comparison, Model, RuleState, Severity};
use super::service::{AlertRuleCreate, AlertRuleFilter, AlertRuleUpdate, AlertTargets, MadeRule};
use crate::Insight;

/// What is watched, and who is told.
#[derive(Serialize, ToSchema)]
pub struct AlertRuleView {
    id: AlertRuleId,
    project_id: ProjectId,
    name: String,
    metric: AlertMetric,
    #[schema(value_type = Selector)]
    selector: Value,
    comparison: Comparison,
    /// From where it is bad: seconds, a share of 1, megabytes, requests a minute, US dollars, or the metric's own unit.
    threshold: f64,
    /// From where it is well again; null: the threshold.
    recover_threshold: Option<f64>,
    window_seconds: i32,
    for_seconds: i32,
    min_samples: i32,
    severity: Severity,
    #[schema(value_type = AlertTargets)]
    delivery: Value,
    /// What the webhook is signed with, as `{"sealed": true, "last4": …}`.
    #[schema(value_type = Option<Object>)]
    secret: Option<Value>,
    is_active: bool,
    /// `pending`: bad, but not for long enough; `firing`: an incident is open; `resolved`: by hand, and not well since.
    state: RuleState,
    /// Since when it is bad, while no incident is open.
    pending_since: Option<DateTime<Utc>>,
    /// Since when it is well, while one is.
    clear_since: Option<DateTime<Utc>>,
    /// When it was last looked at.
    evaluated_at: Option<DateTime<Utc>>,
    /// What was seen then; null: too little to tell.
    last_value: Option<f64>,
    /// The incident.
    open_event_id: Option<AlertEventId>,
    #[schema(value_type = Object)]
    metadata: Value,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Model> for AlertRuleView {
    fn from(row: Model) -> Self {
        Self {
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

/// A rule, with its secret if that is new: the only time that it is shown.
#[derive(Serialize, ToSchema)]
pub struct AlertRuleSecretView {
    #[serde(flatten)]
    rule: AlertRuleView,
    /// What the webhook is signed with, in full: keep it now. Only when it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    signing_secret: Option<Zeroizing<String>>,
}

impl From<MadeRule> for AlertRuleSecretView {
    fn from(made: MadeRule) -> Self {
        Self { rule: made.row.into(), signing_secret: made.secret }
    }
}

/// The rules that are there.
#[derive(Serialize, ToSchema)]
struct AlertRulesMade {
    data: Vec<AlertRuleView>,
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(defaults))
        .routes(routes!(get, update, delete))
        .with_state(insight)
}

/// The tenant's alert rules, newest first.
#[utoipa::path(
    get, path = "/api/v1/alert_rules", tag = "alerts", operation_id = "alert_rules_list",
    params(AlertRuleFilter, PageQuery),
    responses((status = 200, body = Page<AlertRuleView>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:read"]))
)]
async fn list(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(filter): Query<AlertRuleFilter>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Answer<Page<AlertRuleView>>> {
    Ok(Answer(insight.list_alert_rules(&scope, filter, &page).await?.map(AlertRuleView::from)))
}

/// Makes an alert rule. It is looked at within half a minute. The answer alone shows what its webhook is signed with.
#[utoipa::path(
    post, path = "/api/v1/alert_rules", tag = "alerts", operation_id = "alert_rules_create",
    request_body = AlertRuleCreate,
    responses((status = 201, body = AlertRuleSecretView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn create(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Json(new): Json<AlertRuleCreate>,
) -> ApiResult<Tagged<AlertRuleSecretView>> {
    let made = insight.create_alert_rule(&scope, new).await?;
    Ok(created(made.row.updated_at, made.into()))
}

/// Makes the rules `response_time`, `error_rate` and `memory_usage` from the `alert_threshold` of a project, but for those
/// that are there already. Gives all three.
#[utoipa::path(
    post, path = "/api/v1/alert_rules/defaults", tag = "alerts", operation_id = "alert_rules_defaults",
    request_body = AlertRuleDefaults,
    responses((status = 200, body = AlertRulesMade), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn defaults(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Json(new): Json<AlertRuleDefaults>,
) -> ApiResult<Answer<AlertRulesMade>> {
    let rows = insight.default_alert_rules(&scope, new).await?;
    Ok(Answer(AlertRulesMade { data: rows.into_iter().map(AlertRuleView::from).collect() }))
}

/// One alert rule, and where it stands.
#[utoipa::path(
    get, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_get",
    params(("id" = AlertRuleId, Path)),
    responses((status = 200, body = AlertRuleView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:read"]))
)]
async fn get(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
) -> ApiResult<Tagged<AlertRuleView>> {
    let rule = insight.get_alert_rule(&scope, id).await?;
    Ok(Tagged::new(rule.updated_at, rule.into()))
}

/// Changes an alert rule. Where it stands is judged anew with the next look; switched off, an incident that is open is
/// over.
#[utoipa::path(
    patch, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_update",
    params(("id" = AlertRuleId, Path), ("If-Match" = Option<String>, Header)),
    request_body = AlertRuleUpdate,
    responses((status = 200, body = AlertRuleSecretView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn update(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
    version: IfMatch,
    Json(new): Json<AlertRuleUpdate>,
) -> ApiResult<Tagged<AlertRuleSecretView>> {
    let made = insight.update_alert_rule(&scope, id, &version, new).await?;
    Ok(Tagged::new(made.row.updated_at, made.into()))
}

/// Deletes an alert rule with its incidents; what would still tell of them is given up.
#[utoipa::path(
    delete, path = "/api/v1/alert_rules/{id}", tag = "alerts", operation_id = "alert_rules_delete",
    params(("id" = AlertRuleId, Path)),
    responses((status = 204), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["alert_rules:write"]))
)]
async fn delete(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Path(id): Path<AlertRuleId>,
) -> ApiResult<StatusCode> {
    insight.delete_alert_rule(&scope, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
