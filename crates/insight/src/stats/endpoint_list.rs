//! Endpoints over a time, from their sums.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::endpoints::{Entity, Model};
use super::range::{Quantiles, Range, share};
use super::sums::{EndpointSum, Sum};
use super::{Apart, Narrow, Told};
use crate::Insight;
use crate::performance_records::{CacheMetrics, DatabaseMetrics, megabytes, seconds};

/// What endpoints are sorted by, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndpointOrder {
    /// Time of all requests together.
    #[default]
    Total,
    /// The time that 95 of 100 requests did not exceed.
    P95,
    /// Requests.
    Count,
    /// Requests that failed.
    Errors,
}

/// Sums over the requests of an endpoint. Times are in seconds, memory in megabytes.
#[derive(Serialize, ToSchema)]
pub struct EndpointStats {
    /// When the minute, hour or day began, in a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    /// What is served; `(other)` for all that there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The version; empty when not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub(crate) requests: i64,
    errors: i64,
    error_rate: Option<f64>,
    /// Of all requests together.
    total_duration: f64,
    pub(crate) avg_duration: Option<f64>,
    #[serde(flatten)]
    duration: Quantiles,
    /// Null where nothing told of it, as of memory.
    cpu_time: Option<f64>,
    database_metrics: DatabaseMetrics,
    cache_metrics: CacheMetrics,
    /// Of what was asked of caches, what they had.
    cache_hit_rate: Option<f64>,
    /// The most memory of any request.
    peak_memory: Option<i64>,
    /// Bytes that memory grew by with a request.
    avg_memory_delta: Option<f64>,
    /// Calls in the trees of all requests.
    calls: i64,
}

impl EndpointSum {
    fn view(&self, told: Told<'_>) -> EndpointStats {
        #[expect(clippy::cast_precision_loss, reason = "an average")]
        let each = |sum: i64| (self.requests > 0).then(|| sum as f64 / self.requests as f64);
        EndpointStats {
            time: told.time,
            endpoint: told.name.map(str::to_owned),
            version: told.version.map(str::to_owned),
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
                .filter(|_| self.memory_peak != 0 || self.memory_delta != 0),
            calls: self.calls,
        }
    }
}

impl Insight {
    /// Sums over requests of a project, by what is told apart.
    pub(crate) async fn endpoint_sums(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        narrow: Narrow<'_>,
        apart: Apart,
    ) -> Result<Vec<EndpointStats>> {
        let mut sums: HashMap<super::Group, EndpointSum> = HashMap::new();
        let add = |row: Model| {
            let key = (
                apart.time.then_some(row.bucket),
                apart.name.then(|| row.endpoint.clone()),
                apart.version.then(|| row.version.clone()),
            );
            sums.entry(key).or_default().join(&EndpointSum::from(&row));
            Ok(())
        };
        self.each_sum::<Entity>(scope, (project, range), narrow, add).await?;
        // what was taken out of the sums again is not there
        let there = sums.iter().filter(|(_, sum)| sum.requests > 0);
        let views = there.map(|((time, name, version), sum)| {
            sum.view(Told { time: *time, name: name.as_deref(), version: version.as_deref() })
        });
        let mut views: Vec<EndpointStats> = views.collect();
        views.sort_by(|a, b| (a.time, &a.endpoint, &a.version).cmp(&(b.time, &b.endpoint, &b.version)));
        Ok(views)
    }
}

impl EndpointOrder {
    /// Sorts, the most first.
    pub(crate) fn sort(self, views: &mut [EndpointStats]) {
        let key = |view: &EndpointStats| match self {
            Self::Total => view.total_duration,
            Self::P95 => view.duration.p95.unwrap_or_default(),
            #[expect(clippy::cast_precision_loss, reason = "to sort by")]
            Self::Count => view.requests as f64,
            #[expect(clippy::cast_precision_loss, reason = "to sort by")]
            Self::Errors => view.errors as f64,
        };
        views.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
}
