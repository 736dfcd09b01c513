//! The route of comparisons.

use axum::Json as Answer;
use axum::extract::State;
use chrono::{DateTime, Utc};
use loam_http::surface::{ApiResult, Caller, ErrorBody, Query};
use loam_kernel::{ProjectId, Result, Scope};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::interval::{self, Change, MIN_SAMPLES, Verdict};
use super::service::{ComparisonQuery, Pairs};
use super::sums::Sums;
use crate::Insight;
use crate::stats::{MEGABYTE, MICROS};

/// Endpoints, and functions, in an answer.
const SHOWN: usize = 200;

/// Two versions, side by side.
#[derive(Serialize, ToSchema)]
pub struct ComparisonView {
    project_id: ProjectId,
    base_version: String,
    version: String,
    /// Since when requests count: the beginning of the first minute, or hour.
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    /// What share of intervals hold the truth.
    confidence: f64,
    /// Requests, or calls, that either version has to have for a verdict.
    min_samples: i64,
    /// How many endpoints are slower, faster, neither, or have too little traffic.
    verdicts: Verdicts,
    /// Regressions first, those that cost most time first; at most 200.
    endpoints: Vec<EndpointComparison>,
    /// The same of functions, by their own time.
    functions: Vec<FunctionComparison>,
}

/// How many endpoints there are of each verdict.
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
    /// By the mean time.
    verdict: Verdict,
    /// Whether it is evidently slower, or evidently fails more often.
    is_regression: bool,
    before: EndpointSide,
    after: EndpointSide,
    changes: EndpointChanges,
}

/// An endpoint in one version. Times are in seconds, memory in megabytes.
#[derive(Serialize, ToSchema)]
struct EndpointSide {
    requests: i64,
    mean: Option<f64>,
    p50: Option<f64>,
    p95: Option<f64>,
    p99: Option<f64>,
    error_rate: Option<f64>,
    /// Queries a request.
    query_count: Option<f64>,
    /// Their time, a request.
    query_time: Option<f64>,
    /// What memory grew, a request.
    memory_delta: Option<f64>,
}

/// What changed, as a share of what was; of `error_rate`, the difference.
#[derive(Serialize, ToSchema)]
struct EndpointChanges {
    mean: Option<Change>,
    p50: Option<Change>,
    p95: Option<Change>,
    p99: Option<Change>,
    error_rate: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    query_count: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    query_time: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    memory_delta: Option<Change>,
}

/// A function in two versions.
#[derive(Serialize, ToSchema)]
struct FunctionComparison {
    /// `module.Class.name`.
    function: String,
    /// By the mean of its own time.
    verdict: Verdict,
    /// Whether it is evidently slower, or evidently raises more often.
    is_regression: bool,
    before: FunctionSide,
    after: FunctionSide,
    changes: FunctionChanges,
}

/// A function in one version. Times are in seconds, memory in megabytes, all of them a call.
#[derive(Serialize, ToSchema)]
struct FunctionSide {
    calls: i64,
    self_time: Option<f64>,
    self_time_p95: Option<f64>,
    error_rate: Option<f64>,
    query_count: Option<f64>,
    query_time: Option<f64>,
    memory_delta: Option<f64>,
}

/// What changed, as a share of what was; of `error_rate`, the difference.
#[derive(Serialize, ToSchema)]
struct FunctionChanges {
    self_time: Option<Change>,
    self_time_p95: Option<Change>,
    error_rate: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    query_count: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    query_time: Option<Change>,
    /// Only sums are kept of it, so without an interval.
    memory_delta: Option<Change>,
}

impl Sums {
    fn quantile(&self, share: f64) -> Option<f64> {
        self.spread.sketch.quantile(share).map(|micros| micros / MICROS)
    }

    fn endpoint(&self) -> EndpointSide {
        EndpointSide {
            requests: self.spread.count,
            mean: self.spread.mean().map(|micros| micros / MICROS),
            p50: self.quantile(0.5),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            error_rate: self.each(self.errors),
            query_count: self.each(self.query_count),
            query_time: self.each(self.query_us).map(|micros| micros / MICROS),
            memory_delta: self
                .each(self.memory_delta)
                .filter(|_| self.memory_delta != 0)
                .map(|bytes| bytes / MEGABYTE),
        }
    }

    fn function(&self) -> FunctionSide {
        FunctionSide {
            calls: self.spread.count,
            self_time: self.spread.mean().map(|micros| micros / MICROS),
            self_time_p95: self.quantile(0.95),
            error_rate: self.each(self.errors),
            query_count: self.each(self.query_count),
            query_time: self.each(self.query_us).map(|micros| micros / MICROS),
            memory_delta: self
                .each(self.memory_delta)
                .filter(|_| self.memory_delta != 0)
                .map(|bytes| bytes / MEGABYTE),
        }
    }
}

/// What of an endpoint and of a function is compared alike.
struct Judged {
    verdict: Verdict,
    is_regression: bool,
    /// Microseconds that the change costs in all, for the order.
    cost: f64,
    mean: Option<Change>,
    errors: Option<Change>,
}

impl Judged {
    #[expect(clippy::cast_precision_loss, reason = "an order that people read")]
    fn new(before: &Sums, after: &Sums) -> Self {
        let verdict = interval::verdict(&before.spread, &after.spread);
        let errors =
            interval::share((before.errors, before.spread.count), (after.errors, after.spread.count));
        let fails_more = verdict != Verdict::TooLittleTraffic
            && errors.is_some_and(|change| change.is_evident && change.change > 0.0);
        let longer = after.spread.mean().unwrap_or_default() - before.spread.mean().unwrap_or_default();
        Self {
            verdict,
            is_regression: verdict == Verdict::Slower || fails_more,
            cost: longer * after.spread.count as f64,
            mean: interval::mean(&before.spread, &after.spread),
            errors,
        }
    }
}

/// Regressions first, then by what they cost.
fn judged(pairs: Pairs) -> Vec<(String, Sums, Sums, Judged)> {
    let mut all: Vec<_> = pairs
        .into_iter()
        .map(|(name, (before, after))| {
            let judged = Judged::new(&before, &after);
            (name, before, after, judged)
        })
        .collect();
    all.sort_by(|(.., a), (.., b)| {
        b.is_regression.cmp(&a.is_regression).then_with(|| b.cost.total_cmp(&a.cost))
    });
    all
}

fn plain(before: &Sums, after: &Sums, sum: fn(&Sums) -> i64) -> Option<Change> {
    Change::plain(before.each(sum(before))?, after.each(sum(after))?)
}

impl Insight {
    /// Compares two versions of an application.
    pub async fn compare(&self, scope: &Scope, query: ComparisonQuery) -> Result<ComparisonView> {
        let compared = self.compared(scope, &query).await?;
        let endpoints = judged(compared.endpoints);
        let mut verdicts = Verdicts::default();
        for (.., judged) in &endpoints {
            *match judged.verdict {
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
            from: compared.range.from,
            to: compared.range.to,
            confidence: 0.95,
            min_samples: MIN_SAMPLES,
            verdicts,
            endpoints: endpoints.into_iter().take(SHOWN).map(EndpointComparison::from).collect(),
            functions: judged(compared.functions)
                .into_iter()
                .take(SHOWN)
                .map(FunctionComparison::from)
                .collect(),
        })
    }
}

impl From<(String, Sums, Sums, Judged)> for EndpointComparison {
    fn from((endpoint, before, after, judged): (String, Sums, Sums, Judged)) -> Self {
        let quantile = |share| interval::quantile(&before.spread, &after.spread, share);
        Self {
            changes: EndpointChanges {
                mean: judged.mean,
                p50: quantile(0.5),
                p95: quantile(0.95),
                p99: quantile(0.99),
                error_rate: judged.errors,
                query_count: plain(&before, &after, |sums| sums.query_count),
                query_time: plain(&before, &after, |sums| sums.query_us),
                memory_delta: plain(&before, &after, |sums| sums.memory_delta),
            },
            endpoint,
            verdict: judged.verdict,
            is_regression: judged.is_regression,
            before: before.endpoint(),
            after: after.endpoint(),
        }
    }
}

impl From<(String, Sums, Sums, Judged)> for FunctionComparison {
    fn from((function, before, after, judged): (String, Sums, Sums, Judged)) -> Self {
        Self {
            changes: FunctionChanges {
                self_time: judged.mean,
                self_time_p95: interval::quantile(&before.spread, &after.spread, 0.95),
                error_rate: judged.errors,
                query_count: plain(&before, &after, |sums| sums.query_count),
                query_time: plain(&before, &after, |sums| sums.query_us),
                memory_delta: plain(&before, &after, |sums| sums.memory_delta),
            },
            function,
            verdict: judged.verdict,
            is_regression: judged.is_regression,
            before: before.function(),
            after: after.function(),
        }
    }
}

pub(crate) fn router(insight: Insight) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(compare)).with_state(insight)
}

/// What changed between two versions of an application, by endpoint and by function, with 95 % confidence intervals and a
/// verdict on which is faster. Regressions come first.
#[utoipa::path(
    get, path = "/api/v1/comparisons", tag = "statistics", operation_id = "comparisons_get",
    params(ComparisonQuery),
    responses((status = 200, body = ComparisonView), (status = "4XX", body = ErrorBody)),
    security(("api_key" = ["performance_records:read"]))
)]
async fn compare(
    State(insight): State<Insight>,
    Caller(scope): Caller,
    Query(query): Query<ComparisonQuery>,
) -> ApiResult<Answer<ComparisonView>> {
    Ok(Answer(insight.compare(&scope, query).await?))
}
