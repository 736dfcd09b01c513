//! Functions over a time, from their sums.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::functions::{Entity, Model};
use super::range::{Quantiles, Range, share};
use super::sums::{FunctionSum, Sum};
use super::{Apart, Narrow, Told};
use crate::Insight;
use crate::performance_records::seconds;

/// What functions are sorted by, the most first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FunctionOrder {
    /// Time of their own.
    #[default]
    #[serde(rename = "self")]
    Own,
    /// Time with what they called.
    Total,
    /// The time of its own that 95 of 100 calls did not exceed.
    P95,
    /// Calls.
    Count,
    /// Calls that raised.
    Errors,
}

/// Sums over the calls of a function. Times are in seconds, memory in bytes.
#[derive(Serialize, ToSchema)]
pub struct FunctionStats {
    /// When the minute, hour or day began, in a trend.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time: Option<DateTime<Utc>>,
    /// `module.Class.name`; `(other)` for all that there was no room for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<String>,
    /// The version; empty when not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    calls: i64,
    /// Calls that raised.
    errors: i64,
    error_rate: Option<f64>,
    /// Of its own, without what it called.
    self_time: f64,
    /// With what it called, without recursion.
    total_time: f64,
    avg_self_time: Option<f64>,
    /// How the times of its own are spread.
    #[serde(flatten)]
    self_times: Quantiles,
    /// Queries of databases that it made itself.
    query_count: i64,
    query_time: f64,
    /// Bytes that memory grew by, in all calls.
    memory_delta: i64,
}

impl FunctionSum {
    fn view(&self, told: Told<'_>) -> FunctionStats {
        #[expect(clippy::cast_precision_loss, reason = "an average")]
        let average = (self.calls > 0).then(|| self.self_us as f64 / self.calls as f64 / 1e6);
        FunctionStats {
            time: told.time,
            function: told.name.map(str::to_owned),
            version: told.version.map(str::to_owned),
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

impl Insight {
    /// Sums over calls of a project, by what is told apart.
    pub(crate) async fn function_sums(
        &self,
        scope: &Scope,
        (project, range): (ProjectId, Range),
        narrow: Narrow<'_>,
        apart: Apart,
    ) -> Result<Vec<FunctionStats>> {
        let mut sums: HashMap<super::Group, FunctionSum> = HashMap::new();
        let add = |row: Model| {
            let key = (
                apart.time.then_some(row.bucket),
                apart.name.then(|| row.function.clone()),
                apart.version.then(|| row.version.clone()),
            );
            sums.entry(key).or_default().join(&FunctionSum::from(&row));
            Ok(())
        };
        self.each_sum::<Entity>(scope, (project, range), narrow, add).await?;
        let there = sums.iter().filter(|(_, sum)| sum.calls > 0);
        let views = there.map(|((time, name, version), sum)| {
            sum.view(Told { time: *time, name: name.as_deref(), version: version.as_deref() })
        });
        let mut views: Vec<FunctionStats> = views.collect();
        views.sort_by(|a, b| (a.time, &a.function, &a.version).cmp(&(b.time, &b.function, &b.version)));
        Ok(views)
    }
}

impl FunctionOrder {
    /// Sorts, the most first.
    pub(crate) fn sort(self, views: &mut [FunctionStats]) {
        let key = |view: &FunctionStats| match self {
            Self::Own => view.self_time,
            Self::Total => view.total_time,
            Self::P95 => view.self_times.p95.unwrap_or_default(),
            #[expect(clippy::cast_precision_loss, reason = "to sort by")]
            Self::Count => view.calls as f64,
            #[expect(clippy::cast_precision_loss, reason = "to sort by")]
            Self::Errors => view.errors as f64,
        };
        views.sort_by(|a, b| key(b).total_cmp(&key(a)));
    }
}
