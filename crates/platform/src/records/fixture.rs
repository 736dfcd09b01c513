//! A fixture for tests of records: a journal, its drainer, and the live configuration.

use std::sync::Arc;
use std::time::Duration;

use loam_journal::{Config, DiskStorage, Journal};
use loam_kernel::{Clock, Scope, TenantId};
use loam_testkit::Database;
use sea_orm::Set;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Records;
use crate::api_logs::ApiLogSink;
use crate::domain::Domain;
use crate::drain::Drainer;
use crate::error_logs::ErrorLogSink;
use crate::notices::Notices;
use crate::personal::{Guard, Subject, erased, erasure};
use crate::system_config::{Change, Level, SystemConfig};

pub(crate) const ACME: TenantId = TenantId(Uuid::from_u128(0xac));

pub(crate) struct Fixture {
    pub(crate) database: Database,
    pub(crate) journal: Journal,
    pub(crate) records: Records,
    pub(crate) config: SystemConfig,
    pub(crate) guard: Guard,
    /// Stopped at the end of the test.
    _draining: JoinSet<()>,
}

impl Fixture {
    pub(crate) async fn new(database: Database) -> Self {
        let clock = Clock::system();
        database.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
        let at = "'2026-01-01T00:00:00+00:00'";
        let id = match database.db.dialect() {
            loam_db::Dialect::Sqlite => format!("x'{}'", ACME.0.simple()),
            loam_db::Dialect::Postgres => format!("'{ACME}'"),
        };
        let sql = format!(
            "INSERT INTO tenants (id, slug, name, status, quotas, settings, metadata, created_at, updated_at) \
             VALUES ({id}, 'acme', 'n', 'active', '{{}}', '{{}}', '{{}}', {at}, {at})"
        );
        database.raw().await.run(sql).await;
        let budget = 4 << 20;
        let settings = Config {
            segment_bytes: 64 << 10,
            disk_budget_bytes: budget,
            max_frame_bytes: 16 << 10,
            ..Config::new(database.folder().join("journal"))
        };
        let journal =
            Journal::open(settings, Arc::new(DiskStorage), || Clock::system().id::<Uuid>().into_bytes())
                .unwrap();
        let records = Records::new(journal.clone(), budget, clock.clone());
        let declared = crate::Platform::declarations().config_keys.into_iter().map(Result::unwrap).collect();
        let config = SystemConfig::new(database.db.clone(), clock, Notices::default(), declared).unwrap();
        config.reload().await.unwrap();
        let keyring = crate::seal::Keyring::parse(&"A".repeat(43)).unwrap();
        let guard = Guard::new(keyring);
        let logs = ApiLogSink(guard.clone(), Clock::system());
        let errors = ErrorLogSink(guard.clone(), Clock::system());
        let sinks: Vec<Arc<dyn crate::drain::Sink>> = vec![Arc::new(logs), Arc::new(errors)];
        let drainer =
            Drainer::open(database.db.clone(), journal.clone(), Clock::system(), sinks).await.unwrap();
        let mut draining = JoinSet::new();
        draining.spawn(drainer.run(CancellationToken::new()));
        Self { database, journal, records, config, guard, _draining: draining }
    }

    /// Remembers that somebody of the tenant is being erased.
    pub(crate) async fn erase(&self, subject: Subject<'_>) {
        let clock = self.records.clock();
        let now = clock.now();
        let tx = self.database.db.write(&Scope::system(ACME, "test")).await.unwrap();
        let id: loam_kernel::ErasureId = clock.id();
        let erasure = erasure::ActiveModel {
            tenant_id: Set(ACME),
            id: Set(id),
            subject_type: Set(erasure::SubjectType::EndUser),
            subject_digest: Set("sha256:00".to_owned()),
            subject_id: Set(None),
            searched: Set(None),
            state: Set(erasure::ErasureState::Running),
            actor: Set("command_line".to_owned()),
            removed: Set(serde_json::json!({})),
            receipt: Set(None),
            guarded_until: Set(now + Guard::RETENTION),
            completed_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        tx.insert(erasure).await.unwrap();
        let digest = erased::ActiveModel {
            tenant_id: Set(ACME),
            id: Set(clock.id()),
            erasure_id: Set(id),
            digest: Set(self.guard.digest(ACME, subject)),
            before: Set(None),
            created_at: Set(now),
        };
        tx.insert(digest).await.unwrap();
        tx.commit().await.unwrap();
    }

    /// Sets a value, for the instance or for the tenant.
    pub(crate) async fn set(&self, level: Level, key: &str, value: Value) {
        let scope = Scope::system(ACME, "test");
        let any = loam_kernel::ExpectedVersion::any();
        self.config.change(&scope, level, key, &any, Change::Set(value)).await.unwrap();
    }

    /// Waits until what was recorded is in the database.
    pub(crate) async fn drain(&self) {
        let began = std::time::Instant::now();
        loop {
            let stats = self.journal.stats();
            if stats.queued_bytes + stats.undrained_bytes == 0 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "it drains in time: {stats:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let tx = self.database.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
        let refused = tx.find_any::<crate::quarantine::entity::Entity>().all().await.unwrap();
        assert!(refused.is_empty(), "{refused:?}");
    }
}
