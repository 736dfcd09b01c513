//! The handle of this crate: the resources of the instance that belong to no other domain.

use std::sync::Arc;
use std::time::Duration;

use loam_db::{Db, EntityShape, IdempotencyKeys};
use loam_jobs::{Handlers, Jobs, Schedule};
use loam_journal::Journal;
use loam_kernel::{Clock, Result, TenantId};
use utoipa_axum::router::OpenApiRouter;

use crate::api_logs::{self, ApiLogSink};
use crate::audit_logs::{self, AuditTrail, JobChanges};
use crate::database;
use crate::deleted;
use crate::domain::{Declarations, Domain, Tasks};
use crate::drain::{Sink, checkpoint};
use crate::error_logs::{self, ErrorLogSink};
use crate::notices::{self, Notices};
use crate::pack;
use crate::personal::{self, Guard, PersonalDataStore};
use crate::quarantine;
use crate::records::{RETENTION, Retention};
use crate::seal::{Keyring, rows};
use crate::sketch;
use crate::system_config::{self, SystemConfig};
use crate::webhook_deliveries::{self, WebhookDeliveries};

/// Audit trail, live configuration, jobs, records, deliveries and the state of the database.
pub struct Platform {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Change notices.
    pub notices: Notices,
    /// The master keys.
    pub keyring: Keyring,
    /// The journal; none on the command line.
    pub journal: Option<Journal>,
    /// How often drained frames are overwritten in the journal.
    pub overwrite_interval: Duration,
    /// The live configuration.
    pub system_config: SystemConfig,
    /// Deliveries to other servers.
    pub deliveries: WebhookDeliveries,
    /// The tenant whose operators may access the jobs of the instance.
    pub operators: TenantId,
}

impl Domain for Platform {
    fn declarations() -> Declarations {
        let mut entities = loam_jobs::entities();
        entities.extend([
            EntityShape::of::<audit_logs::entity::Entity>(),
            EntityShape::of::<audit_logs::head::Entity>(),
            EntityShape::of::<checkpoint::Entity>(),
            EntityShape::of::<quarantine::entity::Entity>(),
            EntityShape::of::<notices::entity::Entity>(),
            EntityShape::of::<api_logs::entity::Entity>(),
            EntityShape::of::<error_logs::entity::Entity>(),
            EntityShape::of::<error_logs::group::Entity>(),
            EntityShape::of::<system_config::entity::Entity>(),
            EntityShape::of::<system_config::versions::Entity>(),
            EntityShape::of::<webhook_deliveries::entity::Entity>(),
            EntityShape::of::<personal::erasure::Entity>(),
            EntityShape::of::<personal::erased::Entity>(),
            EntityShape::of::<IdempotencyKeys>(),
        ]);
        Declarations {
            entities,
            // the crate of these knows nothing of sealing
            sealed: vec![rows::<IdempotencyKeys>()],
            stored_formats: vec![
                api_logs::API_LOG_FRAME,
                error_logs::ERROR_LOG_FRAME,
                pack::PACKED_BODY,
                sketch::SKETCH,
            ],
            config_keys: vec![
                api_logs::SETTINGS.declare(),
                error_logs::SETTINGS.declare(),
                RETENTION.declare(),
                webhook_deliveries::DELIVERIES.declare(),
            ],
        }
    }

    fn routes(&self) -> OpenApiRouter {
        let changes = Arc::new(JobChanges(self.clock.clone()));
        let jobs = Jobs::new(self.db.clone(), self.clock.clone(), changes, self.operators);
        OpenApiRouter::new()
            .merge(self.deliveries.router())
            .merge(jobs.router())
            .merge(audit_logs::routes::router(self.db.clone()))
            .merge(quarantine::routes::router(self.db.clone()))
            .merge(system_config::routes::router(self.system_config.clone()))
            .merge(api_logs::routes::router(self.db.clone()))
            .merge(error_logs::routes::router(self.db.clone()))
            .merge(database::routes::router(self.db.clone(), self.journal.clone(), &self.notices))
    }

    fn jobs(&self) -> Result<Handlers> {
        let settings = self.system_config.live(&RETENTION)?;
        let retention = Retention::new(self.db.clone(), self.clock.clone(), settings);
        let handlers =
            Handlers::new().with(retention).every(Schedule::new(Retention::KIND, Retention::EVERY)?);
        self.deliveries.jobs(handlers)
    }

    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        let guard = Guard::new(self.keyring.clone());
        vec![
            Arc::new(ApiLogSink(guard.clone(), self.clock.clone())),
            Arc::new(ErrorLogSink(guard, self.clock.clone())),
        ]
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        let mut stores = personal::stores();
        stores.push(Arc::new(AuditTrail(self.clock.clone())));
        stores
    }

    fn start(&self, tasks: &mut Tasks) {
        tasks.spawn(|stop| self.notices.clone().watch(self.db.clone(), self.clock.clone(), stop));
        tasks.spawn(|stop| self.system_config.clone().watch(stop));
        if let Some(journal) = self.journal.clone() {
            tasks.spawn(|stop| deleted::overwrite_periodically(journal, self.overwrite_interval, stop));
        }
    }
}
