//! Limits the number of distinct names (endpoints, functions, versions) in the statistics of a project, so that
//! generated names can't exhaust the storage.
//!
//! Whether a name is admitted must not change while traces with it can change, since a trace is subtracted from the
//! same sums that it was added to. So the names are stored as rows, written with the sums.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use loam_db::{Bulk, Column, Fold, OnConflict, System, Tx};
use loam_kernel::{ProjectId, Result, StatNameId, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::settings::StorageSettings;
use crate::stats::names::{self, Entity, Model};
use crate::trace;

/// The name that others are summed under when the limit is reached.
pub(crate) const OTHER: &str = "(other)";

/// Maximum number of projects whose names are cached.
const MAX_PROJECTS: usize = 2_000;
/// A project at its limit is reloaded after this time: another node, or retention, may have changed its names.
const REFRESH_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// A tenant and its project.
pub(super) type ProjectKey = (TenantId, ProjectId);

/// The kind of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameKind {
    Endpoint,
    Function,
    Version,
}

const KINDS: [NameKind; 3] = [NameKind::Endpoint, NameKind::Function, NameKind::Version];

impl NameKind {
    fn name(self) -> &'static str {
        match self {
            Self::Endpoint => "endpoint",
            Self::Function => "function",
            Self::Version => "version",
        }
    }

    fn limit(self, settings: &StorageSettings) -> usize {
        match self {
            Self::Endpoint => settings.max_endpoints,
            Self::Function => settings.max_functions,
            Self::Version => settings.max_versions,
        }
    }
}

#[derive(Default)]
pub(super) struct NameLimiter {
    projects: HashMap<ProjectKey, KnownNames>,
    /// Names that this batch contains for the first time, or for the first time today.
    seen: Vec<(ProjectKey, NameKind, String)>,
    /// Names of the previous batch, whose transaction may have failed.
    unconfirmed: Vec<(ProjectKey, NameKind, String)>,
    today: i32,
}

struct KnownNames {
    read_at: DateTime<Utc>,
    /// For each kind, the names with the day they were last seen.
    days: [HashMap<String, i32>; 3],
}

impl NameLimiter {
    /// Loads the names of the projects of a batch.
    pub(super) async fn prepare(
        &mut self,
        tx: &Tx<System>,
        project_keys: &[ProjectKey],
        settings: &StorageSettings,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.today = now.num_days_from_ce();
        self.seen.clear();
        self.verify(tx).await?;
        if self.projects.len() > MAX_PROJECTS {
            self.projects.clear();
        }
        for project_key in project_keys {
            let is_current = self.projects.get(project_key).is_some_and(|known| {
                let is_full = |kind: &NameKind| known.days[*kind as usize].len() >= kind.limit(settings);
                now - known.read_at < REFRESH_INTERVAL || !KINDS.iter().any(is_full)
            });
            if !is_current {
                self.projects.insert(*project_key, read(tx, *project_key, now).await?);
            }
        }
        Ok(())
    }

    /// Checks whether the transaction of the previous batch was committed.
    async fn verify(&mut self, tx: &Tx<System>) -> Result<()> {
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        let keys: Vec<(TenantId, Uuid)> = unconfirmed
            .iter()
            .map(|(project_key, kind, name)| (project_key.0, id(*project_key, *kind, name)))
            .collect();
        let stored: HashMap<Uuid, DateTime<Utc>> =
            tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.id.0, row.updated_at)).collect();
        for ((project_key, kind, name), (_, id)) in unconfirmed.into_iter().zip(keys) {
            let Some(known) = self.projects.get_mut(&project_key) else { continue };
            match stored.get(&id) {
                Some(seen) => _ = known.days[kind as usize].insert(name, seen.num_days_from_ce()),
                None => _ = known.days[kind as usize].remove(&name),
            }
        }
        Ok(())
    }

    /// The name to sum under: the name itself, or [`OTHER`].
    pub(super) fn admit<'a>(
        &mut self,
        project_key: ProjectKey,
        kind: NameKind,
        name: &'a str,
        settings: &StorageSettings,
    ) -> &'a str {
        let today = self.today;
        let Some(known) = self.projects.get_mut(&project_key) else { return OTHER };
        let names = &mut known.days[kind as usize];
        let has_room = names.len() < kind.limit(settings);
        match names.get_mut(name) {
            Some(day) if *day == today => return name,
            Some(day) => *day = today,
            // a missing value needs no name
            None if name.is_empty() => return name,
            None if has_room => _ = names.insert(name.to_owned(), today),
            None => {
                metrics::counter!("loam_insight_names_refused_total", "kind" => kind.name()).increment(1);
                return OTHER;
            }
        }
        self.seen.push((project_key, kind, name.to_owned()));
        name
    }

    /// Writes the names that were seen.
    pub(super) async fn write(&mut self, tx: &Tx<System>, now: DateTime<Utc>) -> Result<()> {
        let seen = std::mem::take(&mut self.seen);
        let text = |read: fn(&(ProjectKey, NameKind, String)) -> &str| {
            Column::Text(seen.iter().map(|seen| Some(read(seen).to_owned())).collect())
        };
        let uuid = |read: fn(&(ProjectKey, NameKind, String)) -> Uuid| {
            Column::Uuid(seen.iter().map(|seen| Some(read(seen))).collect())
        };
        let time = || Column::Time(vec![Some(now); seen.len()]);
        let columns = vec![
            ("tenant_id", uuid(|((tenant, _), _, _)| tenant.0)),
            ("id", uuid(|(project_key, kind, name)| id(*project_key, *kind, name))),
            ("project_id", uuid(|((_, project), _, _)| project.0)),
            ("kind", text(|(_, kind, _)| kind.name())),
            ("name", text(|(_, _, name)| name)),
            ("created_at", time()),
            ("updated_at", time()),
        ];
        let on_conflict = OnConflict::Fold(&[("created_at", Fold::Keep)]);
        tx.bulk(Bulk::of::<crate::stats::names::Entity>(columns, on_conflict)).await?;
        self.unconfirmed = seen;
        Ok(())
    }
}

async fn read(tx: &Tx<System>, (tenant, project): ProjectKey, now: DateTime<Utc>) -> Result<KnownNames> {
    let rows: Vec<Model> = tx
        .find_any::<Entity>()
        .filter(names::Column::TenantId.eq(tenant))
        .filter(names::Column::ProjectId.eq(project))
        .all()
        .await?;
    let mut known = KnownNames { read_at: now, days: Default::default() };
    for row in rows {
        if let Some(kind) = KINDS.iter().find(|kind| kind.name() == row.kind) {
            known.days[*kind as usize].insert(row.name, row.updated_at.num_days_from_ce());
        }
    }
    Ok(known)
}

fn id((_, project): ProjectKey, kind: NameKind, name: &str) -> Uuid {
    let parts = [project.0.as_bytes().as_slice(), kind.name().as_bytes(), name.as_bytes()];
    StatNameId(trace::id(DateTime::UNIX_EPOCH, &parts)).0
}
