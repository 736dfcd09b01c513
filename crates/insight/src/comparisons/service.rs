//! Reads the sums of two versions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result, Scope, bounded};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sums::Sums;
use crate::stats::Stats;
use crate::stats::{Filter, Range, RangeQuery, endpoints, functions};

/// Maximum number of endpoints, or of functions, that are compared.
const MAX_NAMES: usize = 20_000;
const MAX_TEXT: usize = 500;
/// How far before `to` the start defaults to.
const DEFAULT_RANGE: TimeDelta = TimeDelta::days(30);

/// The versions to compare, and the time range.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ComparisonQuery {
    /// The application.
    pub project_id: ProjectId,
    /// The earlier version.
    pub base_version: String,
    /// The later version.
    pub version: String,
    /// Start, inclusive; defaults to 30 days before `to`.
    pub from: Option<DateTime<Utc>>,
    /// End, exclusive; defaults to now. Reads sums per minute for up to 3 hours, per hour for up to 8 days, per day for up
    /// to 1,100 days.
    pub to: Option<DateTime<Utc>>,
    /// Only this endpoint: `GET /users/{id}`. Functions are then omitted, as their sums are not stored per endpoint.
    pub endpoint: Option<String>,
}

/// The sums of two versions, by name: before and after.
pub(crate) type Pairs = BTreeMap<String, (Sums, Sums)>;

/// The sums of a comparison.
pub(super) struct VersionSums {
    pub(super) range: Range,
    pub(super) endpoints: Pairs,
    pub(super) functions: Pairs,
}

impl Stats {
    /// Reads the sums of two versions.
    pub(super) async fn read_version_sums(
        &self,
        scope: &Scope,
        query: &ComparisonQuery,
    ) -> Result<VersionSums> {
        bounded("base_version", &query.base_version, MAX_TEXT)?;
        bounded("version", &query.version, MAX_TEXT)?;
        if query.base_version == query.version {
            return Err(Error::invalid("version", "must differ from `base_version`"));
        }
        let now = self.0.clock.now();
        let to = query.to.unwrap_or(now);
        let range = RangeQuery {
            project_id: query.project_id,
            from: Some(query.from.unwrap_or(to - DEFAULT_RANGE)),
            to: Some(to),
            granularity: None,
        };
        let range = range.range(&self.0.storage.get(), now)?;
        match self.0.identity.get_project(scope, query.project_id).await {
            Err(e) if e.kind() == Kind::NotFound => {
                return Err(Error::invalid("project_id", "no project with this ID"));
            }
            found => found.map(drop)?,
        }
        let versions = [query.base_version.as_str(), query.version.as_str()];
        let project_range = (query.project_id, range);
        let endpoints =
            self.endpoint_pairs(scope, project_range, versions, query.endpoint.as_deref()).await?;
        let functions = match query.endpoint {
            Some(_) => Pairs::new(),
            None => self.function_pairs(scope, project_range, versions).await?,
        };
        for (param, version, is_seen) in [
            ("base_version", &query.base_version, has_samples(&endpoints, &functions, |pair| &pair.0)),
            ("version", &query.version, has_samples(&endpoints, &functions, |pair| &pair.1)),
        ] {
            if !is_seen {
                let message = format!("version `{version}` was not seen in this time range");
                return Err(Error::new(Kind::NotFound, "version_not_seen", message).with_param(param));
            }
        }
        Ok(VersionSums { range, endpoints, functions })
    }

    /// The sums of endpoints in two versions.
    pub(crate) async fn endpoint_pairs(
        &self,
        scope: &Scope,
        project_range: (ProjectId, Range),
        versions: [&str; 2],
        endpoint: Option<&str>,
    ) -> Result<Pairs> {
        let (mut pairs, filter) = (Pairs::new(), Filter { name: endpoint, versions: &versions });
        let add = |row: endpoints::Model| {
            sums_of_version(&mut pairs, row.endpoint.clone(), row.version == versions[0])?.add_endpoint(&row)
        };
        self.for_each_sum::<endpoints::Entity>(scope, project_range, filter, add).await?;
        Ok(pairs)
    }

    async fn function_pairs(
        &self,
        scope: &Scope,
        project_range: (ProjectId, Range),
        versions: [&str; 2],
    ) -> Result<Pairs> {
        let (mut pairs, filter) = (Pairs::new(), Filter { name: None, versions: &versions });
        let add = |row: functions::Model| {
            sums_of_version(&mut pairs, row.function.clone(), row.version == versions[0])?.add_function(&row)
        };
        self.for_each_sum::<functions::Entity>(scope, project_range, filter, add).await?;
        Ok(pairs)
    }
}

/// Whether one of the versions has any samples.
fn has_samples(endpoints: &Pairs, functions: &Pairs, side: fn(&(Sums, Sums)) -> &Sums) -> bool {
    endpoints.values().chain(functions.values()).any(|pair| side(pair).distribution.count > 0)
}

/// The sums of a name in the earlier or the later version.
fn sums_of_version(pairs: &mut Pairs, name: String, is_before: bool) -> Result<&mut Sums> {
    let count = pairs.len();
    let pair = match pairs.entry(name) {
        Entry::Vacant(_) if count >= MAX_NAMES => {
            let message = format!(
                "has more than {MAX_NAMES} endpoints or functions in these versions; choose a shorter time range"
            );
            return Err(Error::new(Kind::Invalid, "too_much_to_compare", message).with_param("from"));
        }
        Entry::Vacant(entry) => entry.insert(Default::default()),
        Entry::Occupied(entry) => entry.into_mut(),
    };
    Ok(if is_before { &mut pair.0 } else { &mut pair.1 })
}
