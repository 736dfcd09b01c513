//! Reads usage.

use axum::Json as JsonResponse;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use loam_http::surface::{ApiResult, Caller, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::entity::Granularity;
use super::service::{Usage, UsageQuery};
use super::statement::Statement;
use crate::Gateway;

/// Usage by group.
#[derive(Serialize, ToSchema)]
struct UsageSums {
    data: Vec<Usage>,
}

/// The format of a statement.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum StatementFormat {
    /// JSON.
    #[default]
    Json,
    /// CSV, for spreadsheets.
    Csv,
}

/// The month and format of a statement.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    /// The month, for example `2026-11`.
    month: String,
    /// Defaults to `json`.
    #[serde(default)]
    format: StatementFormat,
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(Granularity, StatementFormat)))]
struct ParameterTypes;

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(usage))
        .routes(routes!(statement))
        .with_state(gateway)
}

/// Usage in a time range, grouped by any dimension. A call counts in the bucket in which it started, within a second
/// of its end.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "usage", operation_id = "usage_get",
    params(UsageQuery),
    responses((status = 200, body = UsageSums)),
    extensions(("x-errors" = json!({"400": ["too_many_groups"]}))),
    security(("api_key" = ["usage:read"]))
)]
async fn usage(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(query): Query<UsageQuery>,
) -> ApiResult<JsonResponse<UsageSums>> {
    Ok(JsonResponse(UsageSums { data: gateway.usage(&scope, query).await? }))
}

/// The tenant's statement for a month, by project, key, provider and model.
#[utoipa::path(
    get, path = "/api/v1/statements", tag = "usage", operation_id = "statements_get",
    params(StatementQuery),
    responses(
        (status = 200, content((Statement = "application/json"), (String = "text/csv"))),
    ),
    security(("api_key" = ["usage:read"]))
)]
async fn statement(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(query): Query<StatementQuery>,
) -> ApiResult<Response> {
    let statement = gateway.statement(&scope, &query.month).await?;
    Ok(match query.format {
        StatementFormat::Json => JsonResponse(statement).into_response(),
        StatementFormat::Csv => {
            let name = format!("attachment; filename=\"loam-{}.csv\"", statement.month);
            let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
            (headers, statement.to_csv()).into_response()
        }
    })
}
