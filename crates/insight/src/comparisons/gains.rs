//! Measures the gain of suggestions: how much faster their endpoint is in a later version.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Result, Scope, SuggestionId, TenantId};
use sea_orm::{
    ColumnTrait, Condition, FromQueryResult, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, Set,
};
use serde_json::{Value, json};

use super::interval::{self, MIN_SAMPLES};
use super::service::Pairs;
use crate::stats::Stats;
use crate::stats::{Granularity, Range, endpoints};
use crate::suggestions::entity::{Column, Entity, Model, SuggestionStatus};

/// Number of suggestions read per query.
const BATCH: u64 = 200;
/// How long after its creation a suggestion is measured.
const MEASURED_FOR: TimeDelta = TimeDelta::days(90);

/// Measures the gain of suggestions in later versions.
pub(crate) struct MeasureGains(pub(crate) Stats);

impl MeasureGains {
    pub(crate) const KIND: &'static str = "suggestions.measure_gains";
    pub(crate) const EVERY: Duration = Duration::from_mins(1);
}

#[async_trait]
impl Handler for MeasureGains {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let mut last = None;
        while !job.is_cancelled() {
            let rows = self.0.measurable_suggestions(&job.scope(), last).await?;
            let Some(row) = rows.last() else { break };
            last = Some((row.tenant_id, row.id));
            for row in rows {
                let scope = Scope::system(row.tenant_id, "suggestions");
                if let Err(e) = self.0.measure_gain(&scope, &row).await {
                    tracing::warn!(suggestion.id = %row.id, error = ?e, "cannot measure the gain of a suggestion");
                }
            }
        }
        Ok(())
    }
}

/// A version of an endpoint, and when it was first seen.
#[derive(FromQueryResult)]
struct SeenVersion {
    version: String,
    first: DateTime<Utc>,
}

impl Stats {
    /// The next batch of recent suggestions of all tenants, after `last`.
    async fn measurable_suggestions(
        &self,
        scope: &Scope,
        last: Option<(TenantId, SuggestionId)>,
    ) -> Result<Vec<Model>> {
        let tx = self.0.db.system_read(scope).await?;
        let mut find = tx
            .find_any::<Entity>()
            .filter(Column::Status.ne(SuggestionStatus::Dismissed))
            .filter(Column::CreatedAt.gt(self.0.clock.now() - MEASURED_FOR));
        if let Some((tenant, id)) = last {
            let same_tenant = Condition::all().add(Column::TenantId.eq(tenant)).add(Column::Id.gt(id));
            find = find.filter(Condition::any().add(Column::TenantId.gt(tenant)).add(same_tenant));
        }
        find.order_by_asc(Column::TenantId).order_by_asc(Column::Id).limit(BATCH).all().await
    }

    /// Measures the gain of a suggestion in the latest version with enough traffic, unless its gain is already evident or
    /// the measurement is unchanged.
    pub(super) async fn measure_gain(&self, scope: &Scope, row: &Model) -> Result<()> {
        if row.measured.as_ref().is_some_and(|measured| measured["is_evident"] == true) {
            return Ok(());
        }
        let to = self.0.clock.now();
        let granularity = Granularity::Day;
        let range = Range { from: granularity.bucket(row.created_at - MEASURED_FOR), to, granularity };
        for later in self.later_versions(scope, row, range.from).await? {
            let versions = [row.version.as_str(), later.as_str()];
            let project_range = (row.project_id, range);
            let mut pairs: Pairs =
                self.endpoint_pairs(scope, project_range, versions, Some(&row.endpoint)).await?;
            let Some((before, after)) = pairs.remove(&row.endpoint) else { continue };
            if before.distribution.count.min(after.distribution.count) < MIN_SAMPLES {
                continue;
            }
            let Some(change) = interval::mean(&before.distribution, &after.distribution) else { continue };
            let measured = json!({
                "metric": "mean", "confidence": 0.95, "low": change.high.map(|high| -high),
                "high": change.low.map(|low| -low), "is_evident": change.is_evident,
                "samples": { "before": before.distribution.count, "after": after.distribution.count },
            });
            if row.measured_version.as_deref() == Some(&later) && row.measured.as_ref() == Some(&measured) {
                return Ok(());
            }
            return self.store_gain(scope, row.id, &later, -change.change, measured).await;
        }
        Ok(())
    }

    /// Versions of a suggestion's endpoint that were first seen after the suggestion's version, latest first.
    async fn later_versions(&self, scope: &Scope, row: &Model, from: DateTime<Utc>) -> Result<Vec<String>> {
        use endpoints::{Column, Entity};
        let tx = self.0.db.read(scope).await?;
        let found = tx
            .find::<Entity>()
            .filter(Column::ProjectId.eq(row.project_id))
            .filter(Column::Endpoint.eq(row.endpoint.as_str()))
            .filter(Column::Granularity.eq(Granularity::Day))
            .filter(Column::Bucket.gte(from))
            .select_only()
            .column(Column::Version)
            // not by the daily bucket: two versions may be deployed on one day
            .column_as(Column::CreatedAt.min(), "first")
            .group_by(Column::Version);
        let mut versions: Vec<SeenVersion> = found.into().await?;
        versions.sort_by_key(|one| std::cmp::Reverse(one.first));
        let Some(own) = versions.iter().position(|one| one.version == row.version) else {
            return Ok(Vec::new());
        };
        versions.truncate(own);
        Ok(versions.into_iter().map(|one| one.version).filter(|version| !version.is_empty()).collect())
    }

    async fn store_gain(
        &self,
        scope: &Scope,
        id: SuggestionId,
        version: &str,
        gain: f64,
        measured: Value,
    ) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let Some(row) = tx.get_locked::<Entity>(id).await? else { return Ok(()) };
        let mut row = row.into_active_model();
        row.measured_gain = Set(Some(gain));
        row.measured_version = Set(Some(version.to_owned()));
        row.measured = Set(Some(measured));
        tx.update(row).await?;
        tx.commit().await
    }
}
