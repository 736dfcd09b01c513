//! Reading sums.

use axum::Json as Answer;
use axum::extract::State;
use loam_http::surface::{ApiResult, Caller, ErrorBody, Query};
use loam_kernel::{Error, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::endpoint_list::{EndpointOrder, EndpointStats};
use super::function_list::{FunctionOrder, FunctionStats};
use super::range::{Range, RangeQuery};
use super::versions::{Version, VersionsQuery};
use super::{Apart, Narrow};
use crate::Insight;

/// Rows of an answer, unless given, and at most.
const ROWS: (usize, usize) = (50, 1_000);

/// Which endpoints, and in which order.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EndpointChoice {
    /// Only this endpoint.
    pub endpoint: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether versions are told apart.
    #[serde(default)]
    pub by_version: bool,
    /// The most first of: `total` (unless given), `p95`, `count`, `errors`.
    #[serde(default)]
    pub order: EndpointOrder,
    /// How many at most, 1 to 1000; 50 unless given.
    pub limit: Option<usize>,
}

/// Which functions, and in which order.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FunctionChoice {
    /// Only this function: `module.Class.name`.
    pub function: Option<String>,
    /// Only this version.
    pub version: Option<String>,
    /// Whether versions are told apart.
    #[serde(default)]
    pub by_version: bool,
    /// The most first of: `self` (unless given), `total`, `p95`, `count`, `errors`.
    #[serde(default)]
    pub order: FunctionOrder,
    /// How many at most, 1 to 1000; 50 unless given.
    pub limit: Option<usize>,
}

/// The trend of what.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct EndpointTrend {
    /// Of this endpoint; of all together unless given.
    pub endpoint: Option<String>,
    /// Of this version.
    pub version: Option<String>,
    /// Whether versions are told apart.
    #[serde(default)]
    pub by_version: bool,
}

/// The trend of what.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FunctionTrend {
    /// Of this function: `module.Class.name`.
    pub function: String,
    /// Of this version.
    pub version: Option<String>,
    /// Whether versions are told apart.
    #[serde(default)]
    pub by_version: bool,
}

/// Sums, and the time that they are of.
#[derive(Serialize, ToSchema)]
pub struct Sums<T> {
    /// The sums.
    pub data: Vec<T>,
    /// The time.
    #[serde(flatten)]
    pub range: Range,
}

/// The versions.
#[derive(Serialize, ToSchema)]
struct Versions {
    data: Vec<Version>,
}

fn limit(limit: Option<usize>) -> Result<usize> {
    match limit {
        None => Ok(ROWS.0),
        Some(limit) if (1..=ROWS.1).contains(&limit) => Ok(limit),
        Some(_) => Err(Error::invalid("limit", format!("must be between 1 and {}", ROWS.1))),
    }
}

impl Insight {
    fn range(&self, query: &RangeQuery) -> Result<Range> {
        query.range(&self.0.storage.get(), self.0.clock.now())
    }

    /// The endpoints of a project that come first.
    pub async fn top_endpoints(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        choice: &EndpointChoice,
    ) -> Result<Sums<EndpointStats>> {
        let (range, limit) = (self.range(query)?, limit(choice.limit)?);
        let apart = Apart { time: false, name: true, version: choice.by_version };
        let versions: Vec<&str> = choice.version.as_deref().into_iter().collect();
        let only = Narrow { name: choice.endpoint.as_deref(), versions: &versions };
        let mut data = self.endpoint_sums(scope, (query.project_id, range), only, apart).await?;
        choice.order.sort(&mut data);
        data.truncate(limit);
        Ok(Sums { data, range })
    }

    /// The functions of a project that come first.
    pub async fn top_functions(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        choice: &FunctionChoice,
    ) -> Result<Sums<FunctionStats>> {
        let (range, limit) = (self.range(query)?, limit(choice.limit)?);
        let apart = Apart { time: false, name: true, version: choice.by_version };
        let versions: Vec<&str> = choice.version.as_deref().into_iter().collect();
        let only = Narrow { name: choice.function.as_deref(), versions: &versions };
        let mut data = self.function_sums(scope, (query.project_id, range), only, apart).await?;
        choice.order.sort(&mut data);
        data.truncate(limit);
        Ok(Sums { data, range })
    }

    /// An endpoint, or all of them, by minute, hour or day.
    pub async fn endpoint_trend(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        of: &EndpointTrend,
    ) -> Result<Sums<EndpointStats>> {
        let range = self.range(query)?;
        let apart = Apart { time: true, name: false, version: of.by_version };
        let versions: Vec<&str> = of.version.as_deref().into_iter().collect();
        let only = Narrow { name: of.endpoint.as_deref(), versions: &versions };
        let data = self.endpoint_sums(scope, (query.project_id, range), only, apart).await?;
        Ok(Sums { data, range })
    }

    /// A function by minute, hour or day.
    pub async fn function_trend(
        &self,
        scope: &Scope,
        query: &RangeQuery,
        of: &FunctionTrend,
    ) -> Result<Sums<FunctionStats>> {
        let range = self.range(query)?;
        let apart = Apart { time: true, name: false, version: of.by_version };
        let versions: Vec<&str> = of.version.as_deref().into_iter().collect();
        let only = Narrow { name: Some(&of.function), versions: &versions };
        let data = self.function_sums(scope, (query.project_id, range), only, apart).await?;
        Ok(Sums { data, range })
    }
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(endpoints))
        .routes(routes!(endpoints_trend))
        .routes(routes!(functions))
        .routes(routes!(functions_trend))
        .routes(routes!(versions))
        .with_state(insight)
}

/// The endpoints of a project over a time: requests, errors, times and how they are spread, queries, caches, memory. From
/// sums, so that the cost does not grow with the requests. A request counts within a second.
#[utoipa::path(
    get, path = "/api/v1/endpoint_stats", tag = "statistics", operation_id = "endpoint_stats_top",
    params(RangeQuery, EndpointChoice),
    responses((status = 200, body = Sums<EndpointStats>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn endpoints(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(choice): Query<EndpointChoice>,
) -> ApiResult<Answer<Sums<EndpointStats>>> {
    Ok(Answer(insight.top_endpoints(&scope, &range, &choice).await?))
}

/// An endpoint, or all of a project, by minute, hour or day. Those without requests are left out.
#[utoipa::path(
    get, path = "/api/v1/endpoint_stats/trend", tag = "statistics", operation_id = "endpoint_stats_trend",
    params(RangeQuery, EndpointTrend),
    responses((status = 200, body = Sums<EndpointStats>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn endpoints_trend(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(of): Query<EndpointTrend>,
) -> ApiResult<Answer<Sums<EndpointStats>>> {
    Ok(Answer(insight.endpoint_trend(&scope, &range, &of).await?))
}

/// The functions of a project over a time: calls, time of their own and in all, queries.
#[utoipa::path(
    get, path = "/api/v1/function_stats", tag = "statistics", operation_id = "function_stats_top",
    params(RangeQuery, FunctionChoice),
    responses((status = 200, body = Sums<FunctionStats>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn functions(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(choice): Query<FunctionChoice>,
) -> ApiResult<Answer<Sums<FunctionStats>>> {
    Ok(Answer(insight.top_functions(&scope, &range, &choice).await?))
}

/// A function, by minute, hour or day. Those without calls are left out.
#[utoipa::path(
    get, path = "/api/v1/function_stats/trend", tag = "statistics", operation_id = "function_stats_trend",
    params(RangeQuery, FunctionTrend),
    responses((status = 200, body = Sums<FunctionStats>), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn functions_trend(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(range): Query<RangeQuery>,
    Query(of): Query<FunctionTrend>,
) -> ApiResult<Answer<Sums<FunctionStats>>> {
    Ok(Answer(insight.function_trend(&scope, &range, &of).await?))
}

/// The versions of a project that were seen: since when, until when, and how many requests.
#[utoipa::path(
    get, path = "/api/v1/versions", tag = "statistics", operation_id = "versions_seen", params(VersionsQuery),
    responses((status = 200, body = Versions), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn versions(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(query): Query<VersionsQuery>,
) -> ApiResult<Answer<Versions>> {
    Ok(Answer(Versions { data: insight.list_versions(&scope, &query).await? }))
}
