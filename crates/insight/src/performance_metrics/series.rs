//! How many series a project has: each costs rows for every minute, so that there must not be one for every user.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Db;
use loam_kernel::{ProjectId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, FromQueryResult, QueryFilter, QuerySelect};

use crate::otlp::Owner;
use crate::stats::Granularity;
use crate::stats::metrics::{Column, Entity};

/// How long a series counts that nothing is told of any more.
const DAY: TimeDelta = TimeDelta::days(1);
/// How long what was read of the database holds; other nodes take series in as well.
const FRESH: TimeDelta = TimeDelta::minutes(5);
/// By then what was taken is in the database.
const DRAINED: TimeDelta = TimeDelta::minutes(10);
/// Projects that are remembered.
const MAX_PROJECTS: usize = 10_000;

/// The series of each project that sent some.
pub(crate) struct SeriesBook {
    db: Db,
    projects: Mutex<HashMap<(TenantId, ProjectId), Known>>,
}

struct Known {
    /// When it was last told of, as far as this node knows.
    series: HashMap<u128, DateTime<Utc>>,
    read: DateTime<Utc>,
}

#[derive(FromQueryResult)]
struct Row {
    series: String,
}

impl SeriesBook {
    pub(crate) fn new(db: Db) -> Self {
        Self { db, projects: Mutex::new(HashMap::new()) }
    }

    /// Which of these are more than the project may have.
    pub(super) async fn refuse(
        &self,
        owner: Owner,
        wanted: &HashSet<u128>,
        most: usize,
        now: DateTime<Utc>,
    ) -> HashSet<u128> {
        let key = (owner.tenant, owner.project);
        let is_fresh = self.with(|projects| projects.get(&key).is_some_and(|known| known.read + FRESH > now));
        if !is_fresh {
            // while the database is away, what is known holds
            let read = self.read(owner, now).await.unwrap_or_else(|e| {
                tracing::debug!(error = %e, "cannot read which series of metrics there are");
                HashSet::new()
            });
            self.with(|projects| {
                if projects.len() >= MAX_PROJECTS {
                    projects.retain(|_, known| known.read + DAY > now);
                }
                let known =
                    projects.entry(key).or_insert_with(|| Known { series: HashMap::new(), read: now });
                known.series.retain(|series, told| *told + DRAINED > now || read.contains(series));
                read.iter()
                    .for_each(|series| _ = known.series.entry(*series).or_insert(DateTime::UNIX_EPOCH));
                known.read = now;
            });
        }
        self.with(|projects| {
            let known = projects.entry(key).or_insert_with(|| Known { series: HashMap::new(), read: now });
            let mut refused = HashSet::new();
            for series in wanted {
                if known.series.len() < most || known.series.contains_key(series) {
                    known.series.insert(*series, now);
                } else {
                    refused.insert(*series);
                }
            }
            refused
        })
    }

    fn with<R>(&self, work: impl FnOnce(&mut HashMap<(TenantId, ProjectId), Known>) -> R) -> R {
        work(&mut self.projects.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The series of the last day.
    async fn read(&self, owner: Owner, now: DateTime<Utc>) -> Result<HashSet<u128>> {
        let tx = self.db.read(&Scope::system(owner.tenant, "metrics")).await?;
        let rows = tx
            .find::<Entity>()
            .select_only()
            .column(Column::Series)
            .distinct()
            .filter(Column::ProjectId.eq(owner.project))
            .filter(Column::Granularity.eq(Granularity::Hour))
            .filter(Column::Bucket.gt(now - DAY))
            .into::<Row>()
            .await?;
        Ok(rows.iter().filter_map(|row| u128::from_str_radix(&row.series, 16).ok()).collect())
    }
}
