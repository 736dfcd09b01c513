//! Deletes old records, so that no table grows without bound.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Db;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Clock, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, Condition, QueryFilter};
use serde_json::Value;
use uuid::Uuid;

use super::settings::{Policy, RetentionSettings};
use crate::system_config::LiveConfig;
use crate::{api_logs, error_logs, quarantine};

/// The job that deletes old records.
pub struct Retention {
    db: Db,
    clock: Clock,
    settings: LiveConfig<RetentionSettings>,
}

impl Retention {
    /// The job kind.
    pub const KIND: &'static str = "records.delete_old";
    /// The interval of the job.
    pub const EVERY: Duration = Duration::from_hours(1);

    /// A handler that follows the live configuration.
    pub fn new(db: Db, clock: Clock, settings: LiveConfig<RetentionSettings>) -> Self {
        Self { db, clock, settings }
    }

    /// Deletes old records until stopped; returns the numbers of requests and errors.
    async fn delete_old(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<(u64, u64)> {
        use {api_logs::entity as requests, error_logs::entity as errors, quarantine::entity as frames};
        let (mut deleted, mut deleted_errors) = (0, 0);
        for Policy { whose, days } in Policy::all(&self.settings, |s| s.api_logs_days, |p| p.api_logs_days) {
            let Some(old) = self.bound(days) else { continue };
            let is_old = whose.condition(requests::Column::TenantId, Some(requests::Column::ProjectId));
            let (is_old, by) = (is_old.add(requests::Column::Id.lt(old)), requests::Column::Id);
            deleted += self.db.delete_old::<requests::Entity, Uuid>(scope, is_old, by, &stopped).await?;
        }
        for Policy { whose, days } in
            Policy::all(&self.settings, |s| s.error_logs_days, |p| p.error_logs_days)
        {
            let Some(old) = self.bound(days) else { continue };
            let is_old = whose.condition(errors::Column::TenantId, Some(errors::Column::ProjectId));
            let (is_old, by) = (is_old.add(errors::Column::Id.lt(old)), errors::Column::Id);
            deleted_errors += self.db.delete_old::<errors::Entity, Uuid>(scope, is_old, by, &stopped).await?;
        }
        for Policy { whose, days } in Policy::all(&self.settings, |s| s.error_logs_days, |_| None) {
            let Some(days) = days else { continue };
            let before = self.clock.now() - TimeDelta::days(i64::from(days));
            let groups = error_logs::group::Column::TenantId;
            self.delete_groups(scope, whose.condition(groups, None), before).await?;
        }
        for Policy { whose, days } in Policy::all(&self.settings, |s| s.quarantine_days, |_| None) {
            let Some(old) = self.bound(days) else { continue };
            let is_old = whose.condition(frames::Column::TenantId, None).add(frames::Column::Id.lt(old));
            let by = frames::Column::Id;
            self.db.delete_old::<frames::Entity, Uuid>(scope, is_old, by, &stopped).await?;
        }
        Ok((deleted, deleted_errors))
    }

    /// The lowest id of rows that are kept for the given days; none if they are kept forever.
    fn bound(&self, days: Option<u32>) -> Option<Uuid> {
        days.map(|days| first_id_at(self.clock.now() - TimeDelta::days(i64::from(days))))
    }

    async fn delete_groups(&self, scope: &Scope, whose: Condition, before: DateTime<Utc>) -> Result<()> {
        let tx = self.db.system_write(scope).await?;
        let old = whose.add(error_logs::group::Column::LastSeen.lt(before));
        tx.delete_any::<error_logs::group::Entity>().filter(old).exec().await?;
        tx.commit().await
    }
}

#[async_trait]
impl Handler for Retention {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    async fn run(&self, job: &JobContext, _: Value) -> Result<()> {
        let (requests, errors) = self.delete_old(&job.scope(), || job.is_cancelled()).await?;
        if requests + errors > 0 {
            tracing::info!(api_logs.deleted = requests, error_logs.deleted = errors, "old records deleted");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode, Uri};
    use loam_kernel::{ProjectId, TenantId};
    use loam_testkit::{Database, on_both};
    use serde_json::json;

    use super::*;
    use crate::records::RETENTION;
    use crate::records::fixture::Fixture;
    use crate::system_config::Level;

    on_both![
        records_are_deleted_when_they_are_as_old_as_was_set,
        a_tenant_and_a_project_may_keep_records_for_another_time,
    ];

    async fn counts(fixture: &Fixture) -> (u64, u64, u64) {
        let tx = fixture.database.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let requests = tx.find_any::<api_logs::entity::Entity>().count().await.unwrap();
        let errors = tx.find_any::<error_logs::entity::Entity>().count().await.unwrap();
        (requests, errors, tx.find_any::<error_logs::group::Entity>().count().await.unwrap())
    }

    async fn records_are_deleted_when_they_are_as_old_as_was_set(database: Database) {
        let fixture = Fixture::new(database).await;
        let logs = api_logs::ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
        let (method, uri) = (Method::POST, Uri::from_static("/api/v1/things"));
        for _ in 0..3 {
            let start = logs.request_started(&method, &uri, &HeaderMap::new());
            let (caller, origin) = (api_logs::Caller::default(), Default::default());
            let pending = logs.response_started(start, caller, &origin, (&method, &uri), StatusCode::CREATED);
            pending.unwrap().record(0, None, None);
        }
        let (errors, arriving) =
            error_logs::ErrorLogs::new(fixture.records.clone(), &fixture.config).unwrap();
        errors.report(error_logs::Report { message: "failed".to_owned(), ..Default::default() });
        let stop = tokio_util::sync::CancellationToken::new();
        stop.cancel();
        errors.run(arriving, stop).await;
        fixture.drain().await;
        assert_eq!(counts(&fixture).await, (3, 1, 1));

        fixture.set(Level::Global, "records.retention", json!({ "api_logs_days": 7 })).await;
        let clock = Clock::fixed(Clock::system().now());
        let settings = fixture.config.live(&RETENTION).unwrap();
        let retention = Retention::new(fixture.database.db.clone(), clock.clone(), settings);
        let scope = Scope::system(TenantId::NIL, "test");
        clock.advance(TimeDelta::days(6));
        assert_eq!(retention.delete_old(&scope, || false).await.unwrap(), (0, 0));
        clock.advance(TimeDelta::days(2));
        assert_eq!(retention.delete_old(&scope, || true).await.unwrap(), (0, 0), "it was stopped");
        assert_eq!(retention.delete_old(&scope, || false).await.unwrap(), (3, 0));
        assert_eq!(counts(&fixture).await, (0, 1, 1));
        clock.advance(TimeDelta::days(90));
        assert_eq!(retention.delete_old(&scope, || false).await.unwrap(), (0, 1));
        assert_eq!(counts(&fixture).await, (0, 0, 0));
    }
    async fn a_tenant_and_a_project_may_keep_records_for_another_time(database: Database) {
        use crate::records::settings::PolicyTarget;
        let fixture = Fixture::new(database).await;
        let logs = api_logs::ApiLogs::new(fixture.records.clone(), &fixture.config).unwrap();
        let (method, uri) = (Method::POST, Uri::from_static("/api/v1/things"));
        let own = TenantId(Uuid::from_u128(0xac));
        let project = ProjectId(Uuid::from_u128(0x9));
        let nobody = TenantId::NIL;
        for (tenant, project) in [(nobody, None), (own, None), (own, Some(project)), (nobody, Some(project))]
        {
            let start = logs.request_started(&method, &uri, &HeaderMap::new());
            let caller = api_logs::Caller { tenant, project, ..Default::default() };
            let pending = logs.response_started(
                start,
                caller,
                &Default::default(),
                (&method, &uri),
                StatusCode::CREATED,
            );
            pending.unwrap().record(0, None, None);
        }
        fixture.drain().await;
        assert_eq!(counts(&fixture).await.0, 4);
        let instance = RetentionSettings::default();
        let tenant: RetentionSettings = serde_json::from_value(json!({
            "api_logs_days": 5, "projects": { (project.to_string()): { "api_logs_days": null } }
        }))
        .unwrap();
        assert_eq!(tenant.of_project(Some(project), |s| s.api_logs_days, |p| p.api_logs_days), None);
        assert_eq!(tenant.of_project(None, |s| s.api_logs_days, |p| p.api_logs_days), Some(5));
        let clock = Clock::fixed(Clock::system().now());
        let settings = LiveConfig::fixed_with(instance, vec![(own, tenant)]);
        assert!(matches!(
            Policy::all(&settings, |s| s.api_logs_days, |p| p.api_logs_days)[0].whose,
            PolicyTarget::Others { .. }
        ));
        let retention = Retention::new(fixture.database.db.clone(), clock.clone(), settings);
        let scope = Scope::system(TenantId::NIL, "test");
        clock.advance(TimeDelta::days(6));
        assert_eq!(
            retention.delete_old(&scope, || false).await.unwrap(),
            (1, 0),
            "the tenant's, of no project"
        );
        clock.advance(TimeDelta::days(25));
        assert_eq!(retention.delete_old(&scope, || false).await.unwrap(), (2, 0), "those of all others");
        clock.advance(TimeDelta::days(4000));
        assert_eq!(
            retention.delete_old(&scope, || false).await.unwrap(),
            (0, 0),
            "the project keeps its for ever"
        );
    }
}
