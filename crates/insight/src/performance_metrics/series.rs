//! Limits the number of series per project. Each series costs rows for every minute, so there must not be one per user.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Db;
use loam_kernel::{ProjectId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};

use crate::otlp::project_ref::ProjectRef;
use crate::stats::Granularity;
use crate::stats::metrics::{Column, Entity};

/// How long a series without new values counts.
const DAY: TimeDelta = TimeDelta::days(1);
/// How long series read from the database are cached; other nodes accept series as well.
const CACHE_TTL: TimeDelta = TimeDelta::minutes(5);
/// The time after which accepted values are in the database.
const DRAIN_TIME: TimeDelta = TimeDelta::minutes(10);
/// Maximum number of cached projects.
const MAX_PROJECTS: usize = 10_000;

/// The known series of each project.
pub(crate) struct SeriesLimiter {
    db: Db,
    projects: Mutex<HashMap<(TenantId, ProjectId), KnownSeries>>,
}

struct KnownSeries {
    /// The last value of each series, as far as this node knows.
    series: HashMap<u128, DateTime<Utc>>,
    read: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Row {
    series: String,
}

impl SeriesLimiter {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, projects: Mutex::new(HashMap::new()) }
    }

    /// Adds new series up to `max`, and returns those above it.
    pub(super) async fn refuse(
        &self,
        project_ref: ProjectRef,
        requested: &HashSet<u128>,
        max: usize,
        now: DateTime<Utc>,
    ) -> HashSet<u128> {
        let key = (project_ref.tenant, project_ref.project);
        let is_cached =
            self.with(|projects| projects.get(&key).is_some_and(|known| known.read + CACHE_TTL > now));
        if !is_cached {
            // while the database is unavailable, the cached series remain valid
            let read = self.read(project_ref, now).await.unwrap_or_else(|e| {
                tracing::debug!(error = %e, "cannot read the series of metrics");
                HashSet::new()
            });
            self.with(|projects| {
                if projects.len() >= MAX_PROJECTS {
                    projects.retain(|_, known| known.read + DAY > now);
                }
                let known =
                    projects.entry(key).or_insert_with(|| KnownSeries { series: HashMap::new(), read: now });
                known
                    .series
                    .retain(|series, last_value| *last_value + DRAIN_TIME > now || read.contains(series));
                read.iter()
                    .for_each(|series| _ = known.series.entry(*series).or_insert(DateTime::UNIX_EPOCH));
                known.read = now;
            });
        }
        self.with(|projects| {
            let known =
                projects.entry(key).or_insert_with(|| KnownSeries { series: HashMap::new(), read: now });
            let mut refused = HashSet::new();
            for series in requested {
                if known.series.len() < max || known.series.contains_key(series) {
                    known.series.insert(*series, now);
                } else {
                    refused.insert(*series);
                }
            }
            refused
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<(TenantId, ProjectId), KnownSeries>) -> R) -> R {
        work(&mut self.projects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the series of the last day.
    async fn read(&self, project_ref: ProjectRef, now: DateTime<Utc>) -> Result<HashSet<u128>> {
        let tx = self.db.read(&Scope::system(project_ref.tenant, "metrics")).await?;
        let rows = tx
            .find::<Entity>()
            .select_only()
            .column(Column::Series)
            .distinct()
            .filter(Column::ProjectId.eq(project_ref.project))
            .filter(Column::Granularity.eq(Granularity::Hour))
            .filter(Column::Bucket.gt(now - DAY))
            .into::<Row>()
            .await?;
        Ok(rows.iter().filter_map(|row| u128::from_str_radix(&row.series, 16).ok()).collect())
    }
}
