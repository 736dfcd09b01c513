//! The names that sums tell apart: so many of a project, so that made-up names can't fill the sums.
//!
//! A name that was let in stays so for as long as traces with it may change, and so does one that was not: what is taken
//! out of the sums again is taken from where it was put. So the names are rows, written with the sums.

use std::collections::HashMap;

use chrono::{DateTime, Datelike, TimeDelta, Utc};
use loam_db::{Bulk, Column, Fold, OnConflict, System, Tx};
use loam_kernel::{ProjectId, Result, StatNameId, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};
use uuid::Uuid;

use super::settings::StorageSettings;
use crate::stats::names::{self, Entity, Model};
use crate::trace;

/// What is summed under where there is no room for another name.
pub(crate) const OTHER: &str = "(other)";

/// Projects whose names are held in memory.
const MAX_PROJECTS: usize = 2_000;
/// After so long a project that has no room is looked at again: another node, or retention, may have changed it.
const AGAIN: TimeDelta = TimeDelta::minutes(1);

/// A project of a tenant.
pub(super) type Owner = (TenantId, ProjectId);

/// What a name is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Endpoint,
    Function,
    Version,
}

const KINDS: [Kind; 3] = [Kind::Endpoint, Kind::Function, Kind::Version];

impl Kind {
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
pub(super) struct Names {
    projects: HashMap<Owner, Known>,
    /// Those that this batch has met for the first time, or for the first time today.
    met: Vec<(Owner, Kind, String)>,
    /// Those of the batch before, which may have come to nothing.
    unsure: Vec<(Owner, Kind, String)>,
    today: i32,
}

struct Known {
    read_at: DateTime<Utc>,
    /// Of each kind the names, each with the day on which it is known to have been met.
    days: [HashMap<String, i32>; 3],
}

impl Names {
    /// Reads what is known of the projects of a batch.
    pub(super) async fn prepare(
        &mut self,
        tx: &Tx<System>,
        owners: &[Owner],
        settings: &StorageSettings,
        now: DateTime<Utc>,
    ) -> Result<()> {
        self.today = now.num_days_from_ce();
        self.met.clear();
        self.verify(tx).await?;
        if self.projects.len() > MAX_PROJECTS {
            self.projects.clear();
        }
        for owner in owners {
            let is_current = self.projects.get(owner).is_some_and(|known| {
                let is_full = |kind: &Kind| known.days[*kind as usize].len() >= kind.limit(settings);
                now - known.read_at < AGAIN || !KINDS.iter().any(is_full)
            });
            if !is_current {
                self.projects.insert(*owner, read(tx, *owner, now).await?);
            }
        }
        Ok(())
    }

    /// What the batch before wrote is there, or its transaction came to nothing.
    async fn verify(&mut self, tx: &Tx<System>) -> Result<()> {
        let unsure = std::mem::take(&mut self.unsure);
        let keys: Vec<(TenantId, Uuid)> =
            unsure.iter().map(|(owner, kind, name)| (owner.0, id(*owner, *kind, name))).collect();
        let there: HashMap<Uuid, DateTime<Utc>> =
            tx.get_many::<Entity>(&keys).await?.into_iter().map(|row| (row.id.0, row.updated_at)).collect();
        for ((owner, kind, name), (_, id)) in unsure.into_iter().zip(keys) {
            let Some(known) = self.projects.get_mut(&owner) else { continue };
            match there.get(&id) {
                Some(met) => _ = known.days[kind as usize].insert(name, met.num_days_from_ce()),
                None => _ = known.days[kind as usize].remove(&name),
            }
        }
        Ok(())
    }

    /// The name that a name is summed under.
    pub(super) fn admit<'a>(
        &mut self,
        owner: Owner,
        kind: Kind,
        name: &'a str,
        settings: &StorageSettings,
    ) -> &'a str {
        let today = self.today;
        let Some(known) = self.projects.get_mut(&owner) else { return OTHER };
        let names = &mut known.days[kind as usize];
        let has_room = names.len() < kind.limit(settings);
        match names.get_mut(name) {
            Some(day) if *day == today => return name,
            Some(day) => *day = today,
            // what was not told is no name
            None if name.is_empty() => return name,
            None if has_room => _ = names.insert(name.to_owned(), today),
            None => {
                metrics::counter!("loam_insight_names_refused_total", "kind" => kind.name()).increment(1);
                return OTHER;
            }
        }
        self.met.push((owner, kind, name.to_owned()));
        name
    }

    /// Writes what was met.
    pub(super) async fn write(&mut self, tx: &Tx<System>, now: DateTime<Utc>) -> Result<()> {
        let met = std::mem::take(&mut self.met);
        let text = |read: fn(&(Owner, Kind, String)) -> &str| {
            Column::Text(met.iter().map(|met| Some(read(met).to_owned())).collect())
        };
        let uuid = |read: fn(&(Owner, Kind, String)) -> Uuid| {
            Column::Uuid(met.iter().map(|met| Some(read(met))).collect())
        };
        let time = || Column::Time(vec![Some(now); met.len()]);
        let columns = vec![
            ("tenant_id", uuid(|((tenant, _), _, _)| tenant.0)),
            ("id", uuid(|(owner, kind, name)| id(*owner, *kind, name))),
            ("project_id", uuid(|((_, project), _, _)| project.0)),
            ("kind", text(|(_, kind, _)| kind.name())),
            ("name", text(|(_, _, name)| name)),
            ("created_at", time()),
            ("updated_at", time()),
        ];
        let on_conflict = OnConflict::Fold(&[("created_at", Fold::Keep)]);
        tx.bulk(Bulk { table: "stat_names", columns, on_conflict }).await?;
        self.unsure = met;
        Ok(())
    }
}

async fn read(tx: &Tx<System>, (tenant, project): Owner, now: DateTime<Utc>) -> Result<Known> {
    let rows: Vec<Model> = tx
        .find_any::<Entity>()
        .filter(names::Column::TenantId.eq(tenant))
        .filter(names::Column::ProjectId.eq(project))
        .all()
        .await?;
    let mut known = Known { read_at: now, days: Default::default() };
    for row in rows {
        if let Some(kind) = KINDS.iter().find(|kind| kind.name() == row.kind) {
            known.days[*kind as usize].insert(row.name, row.updated_at.num_days_from_ce());
        }
    }
    Ok(known)
}

fn id((_, project): Owner, kind: Kind, name: &str) -> Uuid {
    let parts = [project.0.as_bytes().as_slice(), kind.name().as_bytes(), name.as_bytes()];
    StatNameId(trace::id(DateTime::UNIX_EPOCH, &parts)).0
}
