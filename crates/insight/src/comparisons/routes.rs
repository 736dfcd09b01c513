//! The route of comparisons.

use axum::Json as JsonResponse;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, Query};
use loam_kernel::{ProjectId, Result, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::interval::{self, Change, MIN_SAMPLES, Verdict};
use super::service::{ComparisonQuery, Pairs};
use super::sums::Sums;
use crate::stats::Stats;
use crate::stats::{MEGABYTE, MICROS};

/// Maximum number of endpoints, and of functions, in a response.
const MAX_ROWS: usize = 200;

/// A comparison of two versions.
#[derive(Serialize, ToSchema)]
pub struct ComparisonView {
    project_id: ProjectId,
    base_version: String,
    version: String,
    /// Start of the sums time range, rounded down to its minute, hour or day.
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// Confidence level of the intervals.
    confidence: f64,
    /// Minimum number of requests or calls in each version for a verdict.
    min_samples: i64,
    /// Number of endpoints by verdict.
    verdicts: Verdicts,
    /// Regressions first, then by the additional total time, descending; at most 200.
    endpoints: Vec<EndpointComparison>,
    /// The same for functions, by self time.
    functions: Vec<FunctionComparison>,
}

/// Number of endpoints by verdict.
#[derive(Default, Serialize, ToSchema)]
struct Verdicts {
    slower: usize,
    faster: usize,
    no_evidence: usize,
    too_little_traffic: usize,
}

/// An endpoint in two versions.
#[derive(Serialize, ToSchema)]
struct EndpointComparison {
    endpoint: String,
    /// Assessment by the mean duration.
    verdict: Verdict,
    /// Whether it is evidently slower, or its error rate is evidently higher.
    is_regression: bool,
    before: EndpointVersionStats,
    after: EndpointVersionStats,
    changes: EndpointChanges,
}

/// An endpoint in one version. Times are in seconds, memory in megabytes.
#[derive(Serialize, ToSchema)]
struct EndpointVersionStats {
    requests: i64,
    /// Number of requests that are missing for a verdict; 0 if there are enough.
    missing_requests: i64,
    mean: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    error_rate: Option<f64>,
    /// Database queries per request.
    query_count: Option<f64>,
    /// Query time per request.
    query_time: Option<f64>,
    /// Growth of memory per request.
    memory_delta: Option<f64>,
}

/// Relative changes; for `error_rate`, the difference.
#[derive(Serialize, ToSchema)]
struct EndpointChanges {
    mean: Option<Change>,
    p50: Option<Change>,
    p95: Option<Change>,
    p99: Option<Change>,
    error_rate: Option<Change>,
    /// Without an interval: only sums are stored.
    query_count: Option<Change>,
    /// Without an interval: only sums are stored.
    query_time: Option<Change>,
    /// Without an interval: only sums are stored.
    memory_delta: Option<Change>,
}

/// A function in two versions.
#[derive(Serialize, ToSchema)]
struct FunctionComparison {
    /// `module.Class.name`.
    function: String,
    /// Assessment by the mean self time.
    verdict: Verdict,
    /// Whether it is evidently slower, or evidently raises exceptions more often.
    is_regression: bool,
    before: FunctionVersionStats,
    after: FunctionVersionStats,
    changes: FunctionChanges,
}

/// A function in one version. Times are in seconds, memory in megabytes, all per call.
#[derive(Serialize, ToSchema)]
struct FunctionVersionStats {
    calls: i64,
    /// Number of calls that are missing for a verdict; 0 if there are enough.
    missing_calls: i64,
    self_time: Option<f64>,
    self_time_p95: Option<f64>,
    error_rate: Option<f64>,
    query_count: Option<f64>,
    query_time: Option<f64>,
    memory_delta: Option<f64>,
}

/// Relative changes; for `error_rate`, the difference.
#[derive(Serialize, ToSchema)]
struct FunctionChanges {
    self_time: Option<Change>,
    self_time_p95: Option<Change>,
    error_rate: Option<Change>,
    /// Without an interval: only sums are stored.
    query_count: Option<Change>,
    /// Without an interval: only sums are stored.
    query_time: Option<Change>,
    /// Without an interval: only sums are stored.
    memory_delta: Option<Change>,
}

impl Sums {
    fn quantile(&self, share: f64) -> Option<f64> {
        self.distribution.sketch.quantile(share).map(|micros| micros / MICROS)
    }

    fn endpoint(&self) -> EndpointVersionStats {
        EndpointVersionStats {
            requests: self.distribution.count,
            missing_requests: self.distribution.missing(),
            mean: self.distribution.mean().map(|micros| micros / MICROS),
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            error_rate: self.per_sample(self.errors),
            query_count: self.per_sample(self.query_count),
            query_time: self.per_sample(self.query_us).map(|micros| micros / MICROS),
            memory_delta: self
                .per_sample(self.memory_delta)
                .filter(|_| self.memory_delta != 0)
                .map(|bytes| bytes / MEGABYTE),
        }
    }

    fn function(&self) -> FunctionVersionStats {
        FunctionVersionStats {
            calls: self.distribution.count,
            missing_calls: self.distribution.missing(),
            self_time: self.distribution.mean().map(|micros| micros / MICROS),
            self_time_p95: self.quantile(0.95),
            error_rate: self.per_sample(self.errors),
            query_count: self.per_sample(self.query_count),
            query_time: self.per_sample(self.query_us).map(|micros| micros / MICROS),
            memory_delta: self
                .per_sample(self.memory_delta)
                .filter(|_| self.memory_delta != 0)
                .map(|bytes| bytes / MEGABYTE),
        }
    }
}

/// The part of a comparison that endpoints and functions share.
struct Assessment {
    verdict: Verdict,
    is_regression: bool,
    /// Additional total time in microseconds; the sort key.
    added_us: f64,
    mean: Option<Change>,
    errors: Option<Change>,
}

impl Assessment {
    #[expect(clippy::cast_precision_loss, reason = "only a sort key")]
    fn new(before: &Sums, after: &Sums) -> Self {
        let verdict = interval::verdict(&before.distribution, &after.distribution);
        let errors = interval::share(
            (before.errors, before.distribution.count),
            (after.errors, after.distribution.count),
        );
        let fails_more = verdict != Verdict::TooLittleTraffic
            && errors.is_some_and(|change| change.is_evident && change.change > 0.0);
        let longer =
            after.distribution.mean().unwrap_or_default() - before.distribution.mean().unwrap_or_default();
        Self {
            verdict,
            is_regression: verdict == Verdict::Slower || fails_more,
            added_us: longer * after.distribution.count as f64,
            mean: interval::mean(&before.distribution, &after.distribution),
            errors,
        }
    }
}

/// Assesses all pairs: regressions first, then by the additional total time, descending.
fn assess(pairs: Pairs) -> Vec<(String, Sums, Sums, Assessment)> {
    let mut all: Vec<_> = pairs
        .into_iter()
        .map(|(name, (before, after))| {
            let assessment = Assessment::new(&before, &after);
            (name, before, after, assessment)
        })
        .collect();
    all.sort_by(|(.., a), (.., b)| {
        b.is_regression.cmp(&a.is_regression).then_with(|| b.added_us.total_cmp(&a.added_us))
    });
    all
}

fn without_interval(before: &Sums, after: &Sums, sum: fn(&Sums) -> i64) -> Option<Change> {
    Change::without_interval(before.per_sample(sum(before))?, after.per_sample(sum(after))?)
}

impl Stats {
    /// Compares two versions of an application.
    pub async fn compare(&self, scope: &Scope, query: ComparisonQuery) -> Result<ComparisonView> {
        let sums = self.read_version_sums(scope, &query).await?;
        let endpoints = assess(sums.endpoints);
        let mut verdicts = Verdicts::default();
        for (.., assessment) in &endpoints {
            *match assessment.verdict {
                Verdict::Slower => &mut verdicts.slower,
                Verdict::Faster => &mut verdicts.faster,
                Verdict::NoEvidence => &mut verdicts.no_evidence,
                Verdict::TooLittleTraffic => &mut verdicts.too_little_traffic,
            } += 1;
        }
        Ok(ComparisonView {
            project_id: query.project_id,
            base_version: query.base_version,
            version: query.version,
            from: sums.range.from,
            to: sums.range.to,
            confidence: 0.95,
            min_samples: MIN_SAMPLES,
            verdicts,
            endpoints: endpoints.into_iter().take(MAX_ROWS).map(EndpointComparison::from).collect(),
            functions: assess(sums.functions)
                .into_iter()
                .take(MAX_ROWS)
                .map(FunctionComparison::from)
                .collect(),
        })
    }
}

impl From<(String, Sums, Sums, Assessment)> for EndpointComparison {
    fn from((endpoint, before, after, assessment): (String, Sums, Sums, Assessment)) -> Self {
        let quantile = |share| interval::quantile(&before.distribution, &after.distribution, share);
        Self {
            changes: EndpointChanges {
                mean: assessment.mean,
                p50: quantile(0.5),
                p95: quantile(0.95),
                p99: quantile(0.99),
                error_rate: assessment.errors,
                query_count: without_interval(&before, &after, |sums| sums.query_count),
                query_time: without_interval(&before, &after, |sums| sums.query_us),
                memory_delta: without_interval(&before, &after, |sums| sums.memory_delta),
            },
            endpoint,
            verdict: assessment.verdict,
            is_regression: assessment.is_regression,
            before: before.endpoint(),
            after: after.endpoint(),
        }
    }
}

impl From<(String, Sums, Sums, Assessment)> for FunctionComparison {
    fn from((function, before, after, assessment): (String, Sums, Sums, Assessment)) -> Self {
        Self {
            changes: FunctionChanges {
                self_time: assessment.mean,
                self_time_p95: interval::quantile(&before.distribution, &after.distribution, 0.95),
                error_rate: assessment.errors,
                query_count: without_interval(&before, &after, |sums| sums.query_count),
                query_time: without_interval(&before, &after, |sums| sums.query_us),
                memory_delta: without_interval(&before, &after, |sums| sums.memory_delta),
            },
            function,
            verdict: assessment.verdict,
            is_regression: assessment.is_regression,
            before: before.function(),
            after: after.function(),
        }
    }
}

pub(crate) fn router(stats: Stats) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(compare)).with_state(stats)
}

/// Compares two versions of an application.
///
/// By endpoint and by function, with 95 % confidence intervals and a verdict on which version is faster. Regressions come
/// first.
#[utoipa::path(
    get, path = "/api/v1/comparisons", tag = "statistics", operation_id = "comparisons_get",
    params(ComparisonQuery),
    responses((status = 200, body = ComparisonView)),
    extensions(("x-errors" = json!({"400": ["too_much_to_compare"], "404": ["version_not_seen"]}))),
    security(("api_key" = ["performance_records:read"]))
)]
async fn compare(
    State(stats): State<Stats>,
    Caller(scope): Caller,
    Query(query): Query<ComparisonQuery>,
) -> ApiResult<JsonResponse<ComparisonView>> {
    Ok(JsonResponse(stats.compare(&scope, query).await?))
}
