//! Endpoint statistics over a time range, from stored sums.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoints::{Entity, Model};
use super::range::{Quantiles, Range, share};
use super::sums::{EndpointSum, Sum};
use super::{Filter, GroupBy, GroupKey, OwnedGroupKey};
use crate::performance_records::{CacheMetrics, DatabaseMetrics, megabytes, seconds};
use crate::stats::{MEGABYTE, Stats};

/// What endpoints are sorted by, in descending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointOrder {
    /// Total time of all requests.
    #[default]
    Total,
    /// 95th percentile of the request duration.
    P95,
    /// Number of requests.
    Count,
    /// Number of failed requests.
    Errors,
}

/// Sums over the requests of an endpoint. Times are in seconds, memory in megabytes.
#[derive(Serialize, ToSchema)]
pub struct EndpointStats {
    /// Start of the minute, hour or day; only in a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time: Option<DateTime<Utc>>,
    /// The endpoint; `(other)` sums all names beyond the project's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub endpoint: Option<String>,
    /// The version; empty if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<String>,
    pub(crate) requests: i64,
    errors: i64,
    error_rate: Option<f64>,
    /// Total over all requests.
    total_duration: f64,
    pub(crate) avg_duration: Option<f64>,
    #[serde(flatten)]
    duration: Quantiles,
    /// Processor time; null if no request reported it. The same holds for memory.
    cpu_time: Option<f64>,
    database_metrics: DatabaseMetrics,
    cache_metrics: CacheMetrics,
    /// Share of cache lookups that were hits, 0 to 1.
    cache_hit_rate: Option<f64>,
    /// Highest memory use of a request.
    peak_memory: Option<i64>,
    /// Average growth of memory per request.
    avg_memory_delta: Option<f64>,
    /// Number of calls in the call trees of all requests.
    calls: i64,
}

impl EndpointSum {
    fn view(&self, key: GroupKey<'_>) -> EndpointStats {
        #[expect(clippy::cast_precision_loss, reason = "an average")]
        let each = |sum: i64| (self.requests > 0).then(|| sum as f64 / self.requests as f64);
        EndpointStats {
            time: key.time,
            endpoint: key.name.map(str::to_owned),
            version: key.version.map(str::to_owned),
            requests: self.requests,
            errors: self.errors,
            error_rate: share(self.errors, self.requests),
            total_duration: seconds(self.duration_us),
            avg_duration: each(self.duration_us).map(|micros| micros / 1e6),
            duration: Quantiles::from(&self.sketch),
            cpu_time: (self.cpu_us != 0).then(|| seconds(self.cpu_us)),
            database_metrics: DatabaseMetrics {
                query_count: self.query_count,
                query_time: seconds(self.query_us),
                slow_queries: self.slow_queries,
            },
            cache_metrics: CacheMetrics {
                cache_hits: self.cache_hits,
                cache_misses: self.cache_misses,
                cache_time: seconds(self.cache_us),
            },
            cache_hit_rate: share(self.cache_hits, self.cache_hits + self.cache_misses),
            peak_memory: (self.memory_peak != 0).then(|| megabytes(self.memory_peak)),
            avg_memory_delta: each(self.memory_delta)
                .filter(|_| self.memory_peak != 0 || self.memory_delta != 0)
                .map(|bytes| bytes / MEGABYTE),
            calls: self.calls,
        }
    }
}

impl Stats {
    /// Sums over the requests of a project, grouped by `group_by`.
    pub(crate) async fn endpoint_sums(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        filter: Filter<'_>,
        group_by: GroupBy,
    ) -> Result<Vec<EndpointStats>> {
        let mut sums: HashMap<OwnedGroupKey, EndpointSum> = HashMap::new();
        let add = |row: Model| {
            let key = (
                group_by.time.then_some(row.bucket),
                group_by.name.then(|| row.endpoint.clone()),
                group_by.version.then(|| row.version.clone()),
            );
            sums.entry(key).or_default().merge(&EndpointSum::try_from(&row)?);
            Ok(())
        };
        self.for_each_sum::<Entity>(scope, (project, range), filter, add).await?;
        // a group whose requests were all subtracted again is omitted
        let nonempty = sums.iter().filter(|(_, sum)| sum.requests > 0);
        let views = nonempty.map(|((time, name, version), sum)| {
            sum.view(GroupKey { time: *time, name: name.as_deref(), version: version.as_deref() })
        });
        let mut views: Vec<EndpointStats> = views.collect();
        views.sort_by(|a, b| (a.time, &a.endpoint, &a.version).cmp(&(b.time, &b.endpoint, &b.version)));
        Ok(views)
    }
}

impl EndpointOrder {
    /// Sorts, in descending order.
    pub(crate) fn sort(self, views: &mut [EndpointStats]) {
        let key = |view: &EndpointStats| match self {
            Self::Total => view.total_duration,
            Self::P95 => view.duration.p95.unwrap_or_default(),
            #[expect(clippy::cast_precision_loss, reason = "only a sort key")]
            Self::Count => view.requests as f64,
            #[expect(clippy::cast_precision_loss, reason = "only a sort key")]
            Self::Errors => view.errors as f64,
        };
        views.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
}
