//! Reading the sums of two versions.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Error, Kind, ProjectId, Result, Scope, bounded};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect};
use serde::Deserialize;
use utoipa::IntoParams;

use super::sums::Sums;
use crate::Insight;
use crate::stats::{Granularity, endpoints, functions};

/// Rows read at a time.
const BATCH: u64 = 2_000;
/// Endpoints, or functions, that are told apart at most.
const MAX_NAMES: usize = 20_000;
const MAX_TEXT: usize = 500;
const USUAL: TimeDelta = TimeDelta::days(30);
const LONGEST: TimeDelta = TimeDelta::days(93);
/// Up to this long, minutes are summed; beyond, hours are.
const MINUTES_UP_TO: TimeDelta = TimeDelta::hours(6);

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
    /// Before then; now unless given. Up to six hours are summed by the minute, more by the hour, at most 93 days.
    pub to: Option<DateTime<Utc>>,
    /// Only this endpoint, `GET /users/{id}`; then functions, which are not told apart by endpoint, are left out.
    pub endpoint: Option<String>,
}

/// The sums of two versions, by name: before and after.
pub(crate) type Pairs = BTreeMap<String, (Sums, Sums)>;

/// What was read for a comparison.
pub(super) struct Compared {
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
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
        let to = query.to.unwrap_or_else(|| self.0.clock.now());
        let from = query.from.unwrap_or(to - USUAL);
        if from >= to || to - from > LONGEST {
            return Err(Error::invalid("from", "must be before `to`, by at most 93 days"));
        }
        match self.0.identity.get_project(scope, query.project_id).await {
            Err(e) if e.kind() == Kind::NotFound => {
                return Err(Error::invalid("project_id", "there is no such project"));
            }
            found => found.map(drop)?,
        }
        let granularity = if to - from <= MINUTES_UP_TO { Granularity::Minute } else { Granularity::Hour };
        let span = (granularity, granularity.bucket(from), to);
        let versions = (query.base_version.as_str(), query.version.as_str());
        let endpoints =
            self.endpoint_pairs(scope, query.project_id, span, versions, query.endpoint.as_deref()).await?;
        let functions = match query.endpoint {
            Some(_) => Pairs::new(),
            None => self.function_pairs(scope, query.project_id, span, versions).await?,
        };
        Ok(Compared { from: span.1, to, endpoints, functions })
    }

    /// The sums of endpoints in two versions.
    pub(crate) async fn endpoint_pairs(
        &self,
        scope: &Scope,
        project: ProjectId,
        (granularity, from, to): (Granularity, DateTime<Utc>, DateTime<Utc>),
        (base, version): (&str, &str),
        endpoint: Option<&str>,
    ) -> Result<Pairs> {
        use endpoints::{Column, Entity};
        let tx = self.0.db.read(scope).await?;
        let mut pairs = Pairs::new();
        let mut last = None;
        loop {
            let mut find = tx
                .find::<Entity>()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::Granularity.eq(granularity))
                .filter(Column::Bucket.gte(from))
                .filter(Column::Bucket.lt(to))
                .filter(Column::Version.is_in([base, version]));
            if let Some(endpoint) = endpoint {
                find = find.filter(Column::Endpoint.eq(endpoint));
            }
            if let Some(last) = last {
                find = find.filter(Column::Id.gt(last));
            }
            let rows = find.order_by_asc(Column::Id).limit(BATCH).all().await?;
            for row in &rows {
                let pair = pairs.entry(row.endpoint.clone()).or_default();
                if row.version == base { &mut pair.0 } else { &mut pair.1 }.add_endpoint(row);
            }
            few(&pairs)?;
            match rows.last() {
                Some(row) if rows.len() as u64 == BATCH => last = Some(row.id),
                _ => return Ok(pairs),
            }
        }
    }

    async fn function_pairs(
        &self,
        scope: &Scope,
        project: ProjectId,
        (granularity, from, to): (Granularity, DateTime<Utc>, DateTime<Utc>),
        (base, version): (&str, &str),
    ) -> Result<Pairs> {
        use functions::{Column, Entity};
        let tx = self.0.db.read(scope).await?;
        let mut pairs = Pairs::new();
        let mut last = None;
        loop {
            let mut find = tx
                .find::<Entity>()
                .filter(Column::ProjectId.eq(project))
                .filter(Column::Granularity.eq(granularity))
                .filter(Column::Bucket.gte(from))
                .filter(Column::Bucket.lt(to))
                .filter(Column::Version.is_in([base, version]));
            if let Some(last) = last {
                find = find.filter(Column::Id.gt(last));
            }
            let rows = find.order_by_asc(Column::Id).limit(BATCH).all().await?;
            for row in &rows {
                let pair = pairs.entry(row.function.clone()).or_default();
                if row.version == base { &mut pair.0 } else { &mut pair.1 }.add_function(row);
            }
            few(&pairs)?;
            match rows.last() {
                Some(row) if rows.len() as u64 == BATCH => last = Some(row.id),
                _ => return Ok(pairs),
            }
        }
    }
}

fn few(pairs: &Pairs) -> Result<()> {
    if pairs.len() <= MAX_NAMES {
        return Ok(());
    }
    let message =
        format!("has more than {MAX_NAMES} endpoints or functions in these versions; take a shorter time");
    Err(Error::new(Kind::Invalid, "too_much_to_compare", message).with_param("from"))
}
