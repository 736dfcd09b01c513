//! The routes of endpoint and function statistics.

use axum::Json as JsonResponse;
use axum::extract::State;
use loam_http::surface::{ApiResult, Caller, Query};
use loam_kernel::{Error, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::endpoint_list::{EndpointOrder, EndpointStats};
use super::function_list::{FunctionOrder, FunctionStats};
use super::range::{Range, RangeQuery};
use super::versions::{Version, VersionsQuery};
use super::{Filter, GroupBy};
use crate::stats::Stats;

/// Default and maximum number of rows in a response.
const DEFAULT_LIMIT: usize = 50;
const MAX_LIMIT: usize = 1_000;

/// Filter, grouping and order of endpoint statistics.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EndpointStatsQuery {
    /// Only this endpoint.
    pub endpoint: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether to group by version.
    #[serde(default)]
    pub by_version: bool,
    /// Sort key, descending: `total` (the default), `p95`, `count`, `errors`.
    #[serde(default)]
    pub order: EndpointOrder,
    /// Maximum number of rows, 1 to 1000; defaults to 50.
    pub limit: Option<usize>,
}

/// Filter, grouping and order of function statistics.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FunctionStatsQuery {
    /// Only this function: `module.Class.name`.
    pub function: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether to group by version.
    #[serde(default)]
    pub by_version: bool,
    /// Sort key, descending: `self` (the default), `total`, `p95`, `count`, `errors`.
    #[serde(default)]
    pub order: FunctionOrder,
    /// Maximum number of rows, 1 to 1000; defaults to 50.
    pub limit: Option<usize>,
}

/// Filter and grouping of an endpoint trend.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EndpointTrendQuery {
    /// Only this endpoint; defaults to all endpoints together.
    pub endpoint: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether to group by version.
    #[serde(default)]
    pub by_version: bool,
}

/// Filter and grouping of a function trend.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FunctionTrendQuery {
    /// The function: `module.Class.name`.
    pub function: String,
    /// Only this version.
    pub version: Option<String>,
    /// Whether to group by version.
    #[serde(default)]
    pub by_version: bool,
}

/// Statistics and the time range that they cover.
#[derive(Serialize, ToSchema)]
pub struct Sums<T> {
    /// The statistics.
    pub data: Vec<T>,
    /// The time range.
    #[serde(flatten)]
    pub range: Range,
}

/// Versions of a project.
#[derive(Serialize, ToSchema)]
struct Versions {
    data: Vec<Version>,
}

fn limit(limit: Option<usize>) -> Result<usize> {
    match limit {
        None => Ok(DEFAULT_LIMIT),
        Some(limit) if (1..=MAX_LIMIT).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::invalid("limit", format!("must be between 1 and {MAX_LIMIT}"))),
    }
}

impl Stats {
    fn range(&self, query: &RangeQuery) -> Result<Range> {
        query.range(&self.0.storage.get(), self.0.clock.now())
    }

    /// The top endpoints of a project.
    pub async fn top_endpoints(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        choice: &EndpointStatsQuery,
    ) -> Result<Sums<EndpointStats>> {
        let (range, limit) = (self.range(query)?, limit(choice.limit)?);
        let group_by = GroupBy { time: false, name: true, version: choice.by_version };
        let versions: Vec<&str> = choice.version.as_deref().into_iter().collect();
        let filter = Filter { name: choice.endpoint.as_deref(), versions: &versions };
        let mut data = self.endpoint_sums(scope, (query.project_id, range), filter, group_by).await?;
        choice.order.sort(&mut data);
        data.truncate(limit);
        Ok(Sums { data, range })
    }

    /// The top functions of a project.
    pub async fn top_functions(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        choice: &FunctionStatsQuery,
    ) -> Result<Sums<FunctionStats>> {
        let (range, limit) = (self.range(query)?, limit(choice.limit)?);
        let group_by = GroupBy { time: false, name: true, version: choice.by_version };
        let versions: Vec<&str> = choice.version.as_deref().into_iter().collect();
        let filter = Filter { name: choice.function.as_deref(), versions: &versions };
        let mut data = self.function_sums(scope, (query.project_id, range), filter, group_by).await?;
        choice.order.sort(&mut data);
        data.truncate(limit);
        Ok(Sums { data, range })
    }

    /// The trend of an endpoint, or of all endpoints together, per minute, hour or day.
    pub async fn endpoint_trend(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        trend: &EndpointTrendQuery,
    ) -> Result<Sums<EndpointStats>> {
        let range = self.range(query)?;
        let group_by = GroupBy { time: true, name: false, version: trend.by_version };
        let versions: Vec<&str> = trend.version.as_deref().into_iter().collect();
        let filter = Filter { name: trend.endpoint.as_deref(), versions: &versions };
        let data = self.endpoint_sums(scope, (query.project_id, range), filter, group_by).await?;
        Ok(Sums { data, range })
    }

    /// The trend of a function per minute, hour or day.
    pub async fn function_trend(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        trend: &FunctionTrendQuery,
    ) -> Result<Sums<FunctionStats>> {
        let range = self.range(query)?;
        let group_by = GroupBy { time: true, name: false, version: trend.by_version };
        let versions: Vec<&str> = trend.version.as_deref().into_iter().collect();
        let filter = Filter { name: Some(&trend.function), versions: &versions };
        let data = self.function_sums(scope, (query.project_id, range), filter, group_by).await?;
        Ok(Sums { data, range })
    }
}

/// The types of query parameters, which utoipa does not collect.
#[derive(OpenApi)]
#[openapi(components(schemas(EndpointOrder, FunctionOrder)))]
struct ParameterTypes;

pub(crate) fn router(stats: Stats) -> OpenApiRouter {
    OpenApiRouter::with_openapi(ParameterTypes::openapi())
        .routes(routes!(endpoints))
        .routes(routes!(endpoints_trend))
        .routes(routes!(functions))
        .routes(routes!(functions_trend))
        .routes(routes!(versions))
        .with_state(stats)
}

/// Lists the top endpoints of a project.
///
/// Each with requests, errors, durations with quantiles, queries, caches and memory. Reads stored sums: the cost does not grow with the number of requests. A request is included within a second.
#[utoipa::path(
    get, path = "/api/v1/endpoint_stats", tag = "statistics", operation_id = "endpoint_stats_top",
    params(RangeQuery, EndpointStatsQuery),
    responses((status = 200, body = Sums<EndpointStats>)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn endpoints(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(choice): Query<EndpointStatsQuery>,
) -> ApiResult<JsonResponse<Sums<EndpointStats>>> {
    Ok(JsonResponse(stats.top_endpoints(&scope, &range, &choice).await?))
}

/// The trend of an endpoint, or of all endpoints of a project, per minute, hour or day. Empty buckets are omitted.
#[utoipa::path(
    get, path = "/api/v1/endpoint_stats/trend", tag = "statistics", operation_id = "endpoint_stats_trend",
    params(RangeQuery, EndpointTrendQuery),
    responses((status = 200, body = Sums<EndpointStats>)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn endpoints_trend(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(trend): Query<EndpointTrendQuery>,
) -> ApiResult<JsonResponse<Sums<EndpointStats>>> {
    Ok(JsonResponse(stats.endpoint_trend(&scope, &range, &trend).await?))
}

/// Lists the top functions of a project: calls, self time, total time and queries.
#[utoipa::path(
    get, path = "/api/v1/function_stats", tag = "statistics", operation_id = "function_stats_top",
    params(RangeQuery, FunctionStatsQuery),
    responses((status = 200, body = Sums<FunctionStats>)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn functions(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(choice): Query<FunctionStatsQuery>,
) -> ApiResult<JsonResponse<Sums<FunctionStats>>> {
    Ok(JsonResponse(stats.top_functions(&scope, &range, &choice).await?))
}

/// The trend of a function per minute, hour or day. Empty buckets are omitted.
#[utoipa::path(
    get, path = "/api/v1/function_stats/trend", tag = "statistics", operation_id = "function_stats_trend",
    params(RangeQuery, FunctionTrendQuery),
    responses((status = 200, body = Sums<FunctionStats>)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn functions_trend(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(trend): Query<FunctionTrendQuery>,
) -> ApiResult<JsonResponse<Sums<FunctionStats>>> {
    Ok(JsonResponse(stats.function_trend(&scope, &range, &trend).await?))
}

/// Lists the versions of a project: first seen, last seen, and number of requests.
#[utoipa::path(
    get, path = "/api/v1/versions", tag = "statistics", operation_id = "versions_seen", params(VersionsQuery),
    responses((status = 200, body = Versions)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn versions(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(query): Query<VersionsQuery>,
) -> ApiResult<JsonResponse<Versions>> {
    Ok(JsonResponse(Versions { data: stats.list_versions(&scope, &query).await? }))
}
