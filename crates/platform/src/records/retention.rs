//! Records are deleted when they are old: nothing grows without bound.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use loam_db::Db;
use loam_jobs::{Handler, JobContext};
use loam_kernel::{Clock, Result, Scope, first_id_at};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::system_config::{ConfigKey, Live};
use crate::{api_logs, error_logs};

/// How long records are kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct RetentionSettings {
    /// Days that requests stay on record.
    pub api_logs_days: u32,
    /// Days that errors stay on record.
    pub error_logs_days: u32,
}

impl Default for RetentionSettings {
    fn default() -> Self {
        Self { api_logs_days: 30, error_logs_days: 90 }
    }
}

/// The key of [`RetentionSettings`].
pub const RETENTION: ConfigKey<RetentionSettings> = ConfigKey::new(
    "records.retention",
    "records",
    "how many days requests and errors stay on record",
    || {
        let days = json!({ "type": "integer", "minimum": 1, "maximum": 3650 });
        json!({
            "type": "object", "additionalProperties": false,
            "properties": { "api_logs_days": days, "error_logs_days": days }
        })
    },
);

/// The job that deletes old records.
pub struct Retention {
    db: Db,
    clock: Clock,
    settings: Live<RetentionSettings>,
}

impl Retention {
    /// Its kind.
    pub const KIND: &'static str = "records.delete_old";
    /// How often it runs.
    pub const EVERY: Duration = Duration::from_hours(1);

    /// A handler that follows the live configuration.
    pub fn new(db: Db, clock: Clock, settings: Live<RetentionSettings>) -> Self {
        Self { db, clock, settings }
    }

    /// Deletes what is old, until it is stopped; says how many requests and errors.
    async fn sweep(&self, scope: &Scope, stopped: impl Fn() -> bool + Sync) -> Result<(u64, u64)> {
        use {api_logs::entity as requests, error_logs::entity as errors};
        let settings = self.settings.get();
        let before = |days: u32| self.clock.now() - TimeDelta::days(i64::from(days));
        let old = first_id_at(before(settings.api_logs_days));
        let (is_old, by) = (requests::Column::Id.lt(old), requests::Column::Id);
        let deleted = self.db.delete_old::<requests::Entity, Uuid>(scope, is_old, by, &stopped).await?;
        let errors_before = before(settings.error_logs_days);
        let old = first_id_at(errors_before);
        let (is_old, by) = (errors::Column::Id.lt(old), errors::Column::Id);
        let deleted_errors = self.db.delete_old::<errors::Entity, Uuid>(scope, is_old, by, &stopped).await?;
        self.delete_groups(scope, errors_before).await?;
        Ok((deleted, deleted_errors))
    }

    async fn delete_groups(&self, scope: &Scope, before: DateTime<Utc>) -> Result<()> {
        let tx = self.db.system_write(scope).await?;
        let old = error_logs::group::Column::LastSeen.lt(before);
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
        let (requests, errors) = self.sweep(&job.scope(), || job.is_cancelled()).await?;
        if requests + errors > 0 {
            tracing::info!(api_logs.deleted = requests, error_logs.deleted = errors, "old records deleted");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, Method, StatusCode, Uri};
    use loam_kernel::TenantId;
    use loam_testkit::{Database, on_both};

    use super::*;
    use crate::records::bed::Bed;
    use crate::system_config::Level;

    on_both![records_are_deleted_when_they_are_as_old_as_was_set];

    async fn counts(bed: &Bed) -> (u64, u64, u64) {
        let tx = bed.database.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let requests = tx.find_any::<api_logs::entity::Entity>().count().await.unwrap();
        let errors = tx.find_any::<error_logs::entity::Entity>().count().await.unwrap();
        (requests, errors, tx.find_any::<error_logs::group::Entity>().count().await.unwrap())
    }

    async fn records_are_deleted_when_they_are_as_old_as_was_set(database: Database) {
        let bed = Bed::new(database).await;
        let logs = api_logs::ApiLogs::new(bed.records.clone(), &bed.config).unwrap();
        let (method, uri) = (Method::POST, Uri::from_static("/api/v1/things"));
        for _ in 0..3 {
            let arrival = logs.arrive(&method, &uri, &HeaderMap::new());
            let (caller, origin) = (api_logs::Caller::default(), Default::default());
            let ending = logs.leave(arrival, caller, &origin, (&method, &uri), StatusCode::CREATED);
            ending.unwrap().record(0, None, None);
        }
        let (errors, arriving) = error_logs::ErrorLogs::new(bed.records.clone(), &bed.config).unwrap();
        errors.report(error_logs::Report { message: "failed".to_owned(), ..Default::default() });
        let stop = tokio_util::sync::CancellationToken::new();
        stop.cancel();
        errors.run(arriving, stop).await;
        bed.drain().await;
        assert_eq!(counts(&bed).await, (3, 1, 1));

        bed.set(Level::Global, "records.retention", json!({ "api_logs_days": 7 })).await;
        let clock = Clock::fixed(Clock::system().now());
        let settings = bed.config.live(&RETENTION).unwrap();
        let retention = Retention::new(bed.database.db.clone(), clock.clone(), settings);
        let scope = Scope::system(TenantId::NIL, "test");
        clock.advance(TimeDelta::days(6));
        assert_eq!(retention.sweep(&scope, || false).await.unwrap(), (0, 0));
        clock.advance(TimeDelta::days(2));
        assert_eq!(retention.sweep(&scope, || true).await.unwrap(), (0, 0), "it was stopped");
        assert_eq!(retention.sweep(&scope, || false).await.unwrap(), (3, 0));
        assert_eq!(counts(&bed).await, (0, 1, 1));
        clock.advance(TimeDelta::days(90));
        assert_eq!(retention.sweep(&scope, || false).await.unwrap(), (0, 1));
        assert_eq!(counts(&bed).await, (0, 0, 0));
    }
}
