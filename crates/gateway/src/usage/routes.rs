//! Reading what was used.

use axum::Json as Answer;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Query};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::service::{Usage, UsageQuery};
use super::statement::Statement;
use crate::Gateway;

/// Sums by group.
#[derive(Serialize, ToSchema)]
struct UsageSums {
    data: Vec<Usage>,
}

/// How a statement is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// JSON.
    #[default]
    Json,
    /// A line a row, for a spreadsheet.
    Csv,
}

/// Which statement, and in which form.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct StatementQuery {
    /// The month, as `2026-11`.
    month: String,
    /// `json` unless given.
    #[serde(default)]
    format: Format,
}

pub(crate) fn router(gateway: Gateway) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(usage)).routes(routes!(statement)).with_state(gateway)
}

/// What was used in a range of time, by any dimension. A call counts in the stretch in which it began, within a second of
/// its end.
#[utoipa::path(
    get, path = "/api/v1/usage", tag = "usage", operation_id = "usage_get",
    params(UsageQuery),
    responses((status = 200, body = UsageSums), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["usage:read"]))
)]
async fn usage(
    State(gateway): State<Gateway>,
    Caller(scope): Caller,
    Query(query): Query<UsageQuery>,
) -> ApiResult<Answer<UsageSums>> {
    Ok(Answer(UsageSums { data: gateway.usage(&scope, query).await? }))
}

/// The tenant's statement of a month, by project, key, provider and model.
#[utoipa::path(
    get, path = "/api/v1/statements", tag = "usage", operation_id = "statements_get",
    params(StatementQuery),
    responses(
        (status = 200, content((Statement = "application/json"), (String = "text/csv"))),
        (status = "4XX", body = ErrorBody),
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
        Format::Json => Answer(statement).into_response(),
        Format::Csv => {
            let name = format!("attachment; filename=\"loam-{}.csv\"", statement.month);
            let headers = [(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, name)];
            (headers, statement.to_csv()).into_response()
        }
    })
}
