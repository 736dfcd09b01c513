//! Reading the sums of two versions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result, Scope, bounded};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sums::Sums;
use crate::Insight;
use crate::stats::{Narrow, Range, RangeQuery, endpoints, functions};

/// Endpoints, or functions, that are told apart at most.
const MAX_NAMES: usize = 20_000;
const MAX_TEXT: usize = 500;
const USUAL: TimeDelta = TimeDelta::days(30);

/// Which versions to compare.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ComparisonQuery {
    /// The application.
    pub project_id: ProjectId,
    /// The version before.
    pub base_version: String,
    /// The version after.
    pub version: String,
    /// From then on; 30 days before `to` unless given.
    pub from: Option<DateTime<Utc>>,
    /// Before then; now unless given. Sums by minute are read for up to 3 hours, by hour for up to 8 days, by day for up
    /// to 1,100.
    pub to: Option<DateTime<Utc>>,
    /// Only this endpoint, `GET /users/{id}`; then functions, which are not told apart by endpoint, are left out.
    pub endpoint: Option<String>,
}

/// The sums of two versions, by name: before and after.
pub(crate) type Pairs = BTreeMap<String, (Sums, Sums)>;

/// What was read for a comparison.
pub(super) struct Compared {
    pub(super) range: Range,
    pub(super) endpoints: Pairs,
    pub(super) functions: Pairs,
}

impl Insight {
    /// The sums of two versions.
    pub(super) async fn compared(&self, scope: &Scope, query: &ComparisonQuery) -> Result<Compared> {
        bounded("base_version", &query.base_version, MAX_TEXT)?;
        bounded("version", &query.version, MAX_TEXT)?;
        if query.base_version == query.version {
            return Err(Error::invalid("version", "must be another than `base_version`"));
        }
        let now = self.0.clock.now();
        let to = query.to.unwrap_or(now);
        let range = RangeQuery {
            project_id: query.project_id,
            from: Some(query.from.unwrap_or(to - USUAL)),
            to: Some(to),
            granularity: None,
        };
        let range = range.range(&self.0.storage.get(), now)?;
        match self.0.identity.get_project(scope, query.project_id).await {
            Err(e) if e.kind() == Kind::NotFound => {
                return Err(Error::invalid("project_id", "there is no such project"));
            }
            found => found.map(drop)?,
        }
        let versions = [query.base_version.as_str(), query.version.as_str()];
        let of = (query.project_id, range);
        let endpoints = self.endpoint_pairs(scope, of, versions, query.endpoint.as_deref()).await?;
        let functions = match query.endpoint {
            Some(_) => Pairs::new(),
            None => self.function_pairs(scope, of, versions).await?,
        };
        for (param, version, seen) in [
            ("base_version", &query.base_version, is_seen(&endpoints, &functions, |pair| &pair.0)),
            ("version", &query.version, is_seen(&endpoints, &functions, |pair| &pair.1)),
        ] {
            if !seen {
                let message = format!("nothing was told of version `{version}` in this time");
                return Err(Error::new(Kind::NotFound, "version_not_seen", message).with_param(param));
            }
        }
        Ok(Compared { range, endpoints, functions })
    }

    /// The sums of endpoints in two versions.
    pub(crate) async fn endpoint_pairs(
        &self,
        scope: &Scope,
        of: (ProjectId, Range),
        versions: [&str; 2],
        endpoint: Option<&str>,
    ) -> Result<Pairs> {
        let (mut pairs, narrow) = (Pairs::new(), Narrow { name: endpoint, versions: &versions });
        let add = |row: endpoints::Model| {
            of_version(&mut pairs, row.endpoint.clone(), row.version == versions[0])?.add_endpoint(&row);
            Ok(())
        };
        self.each_sum::<endpoints::Entity>(scope, of, narrow, add).await?;
        Ok(pairs)
    }

    async fn function_pairs(
        &self,
        scope: &Scope,
        of: (ProjectId, Range),
        versions: [&str; 2],
    ) -> Result<Pairs> {
        let (mut pairs, narrow) = (Pairs::new(), Narrow { name: None, versions: &versions });
        let add = |row: functions::Model| {
            of_version(&mut pairs, row.function.clone(), row.version == versions[0])?.add_function(&row);
            Ok(())
        };
        self.each_sum::<functions::Entity>(scope, of, narrow, add).await?;
        Ok(pairs)
    }
}

/// Whether anything is known of one of the versions.
fn is_seen(endpoints: &Pairs, functions: &Pairs, of: fn(&(Sums, Sums)) -> &Sums) -> bool {
    endpoints.values().chain(functions.values()).any(|pair| of(pair).spread.count > 0)
}

/// What is known of a name in the version before, or after.
fn of_version(pairs: &mut Pairs, name: String, is_before: bool) -> Result<&mut Sums> {
    let count = pairs.len();
    let pair = match pairs.entry(name) {
        Entry::Vacant(_) if count >= MAX_NAMES => {
            let message = format!(
                "has more than {MAX_NAMES} endpoints or functions in these versions; take a shorter time"
            );
            return Err(Error::new(Kind::Invalid, "too_much_to_compare", message).with_param("from"));
        }
        Entry::Vacant(free) => free.insert(Default::default()),
        Entry::Occupied(there) => there.into_mut(),
    };
    Ok(if is_before { &mut pair.0 } else { &mut pair.1 })
}
