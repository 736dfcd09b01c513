//! Function statistics over a time range, from stored sums.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::functions::{Entity, Model};
use super::range::{Quantiles, Range, share};
use super::sums::{FunctionSum, Sum};
use super::{Filter, GroupBy, GroupKey, OwnedGroupKey};
use crate::performance_records::seconds;
use crate::stats::Stats;

/// What functions are sorted by, in descending order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FunctionOrder {
    /// Self time.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// Time including callees.
    Total,
    /// 95th percentile of the self time of a call.
    P95,
    /// Number of calls.
    Count,
    /// Number of calls that raised an exception.
    Errors,
}

/// Sums over the calls of a function. Times are in seconds, memory in bytes.
#[derive(Serialize, ToSchema)]
pub struct FunctionStats {
    /// Start of the minute, hour or day; only in a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub time: Option<DateTime<Utc>>,
    /// `module.Class.name`; `(other)` sums all names beyond the project's limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub function: Option<String>,
    /// The version; empty if not reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub version: Option<String>,
    calls: i64,
    /// Calls that raised an exception.
    errors: i64,
    error_rate: Option<f64>,
    /// Self time: without callees.
    self_time: f64,
    /// Time including callees; recursive calls are counted once.
    total_time: f64,
    avg_self_time: Option<f64>,
    /// Quantiles of the self time of a call.
    #[serde(flatten)]
    self_times: Quantiles,
    /// Database queries that the function made itself.
    query_count: i64,
    query_time: f64,
    /// Growth of memory over all calls, in bytes.
    memory_delta: i64,
}

impl FunctionSum {
    fn view(&self, key: GroupKey<'_>) -> FunctionStats {
        #[expect(clippy::cast_precision_loss, reason = "an average")]
        let average = (self.calls > 0).then(|| self.self_us as f64 / self.calls as f64 / 1e6);
        FunctionStats {
            time: key.time,
            function: key.name.map(str::to_owned),
            version: key.version.map(str::to_owned),
            calls: self.calls,
            errors: self.errors,
            error_rate: share(self.errors, self.calls),
            self_time: seconds(self.self_us),
            total_time: seconds(self.total_us),
            avg_self_time: average,
            self_times: Quantiles::from(&self.sketch),
            query_count: self.query_count,
            query_time: seconds(self.query_us),
            memory_delta: self.memory_delta,
        }
    }
}

impl Stats {
    /// Sums over the calls of a project, grouped by `group_by`.
    pub(crate) async fn function_sums(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        filter: Filter<'_>,
        group_by: GroupBy,
    ) -> Result<Vec<FunctionStats>> {
        let mut sums: HashMap<OwnedGroupKey, FunctionSum> = HashMap::new();
        let add = |row: Model| {
            let key = (
                group_by.time.then_some(row.bucket),
                group_by.name.then(|| row.function.clone()),
                group_by.version.then(|| row.version.clone()),
            );
            sums.entry(key).or_default().merge(&FunctionSum::try_from(&row)?);
            Ok(())
        };
        self.for_each_sum::<Entity>(scope, (project, range), filter, add).await?;
        let nonempty = sums.iter().filter(|(_, sum)| sum.calls > 0);
        let views = nonempty.map(|((time, name, version), sum)| {
            sum.view(GroupKey { time: *time, name: name.as_deref(), version: version.as_deref() })
        });
        let mut views: Vec<FunctionStats> = views.collect();
        views.sort_by(|a, b| (a.time, &a.function, &a.version).cmp(&(b.time, &b.function, &b.version)));
        Ok(views)
    }
}

impl FunctionOrder {
    /// Sorts, in descending order.
    pub(crate) fn sort(self, views: &mut [FunctionStats]) {
        let key = |view: &FunctionStats| match self {
            Self::Own => view.self_time,
            Self::Total => view.total_time,
            Self::P95 => view.self_times.p95.unwrap_or_default(),
            #[expect(clippy::cast_precision_loss, reason = "only a sort key")]
            Self::Count => view.calls as f64,
            #[expect(clippy::cast_precision_loss, reason = "only a sort key")]
            Self::Errors => view.errors as f64,
        };
        views.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
}
