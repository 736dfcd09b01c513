//! What the server itself contributes: its limits, its maintenance, and the stored responses of idempotency keys.

use std::sync::Arc;

use loam_db::Db;
use loam_jobs::Handlers;
use loam_kernel::{Clock, Result};
use loam_platform::domain::{Declarations, Domain, Tasks};
use loam_platform::personal::PersonalDataStore;
use loam_platform::seal::Keyring;
use loam_platform::system_config::SystemConfig;

use crate::limits::{CORS, DATABASE, IDEMPOTENCY, REQUESTS};
use crate::maintenance;
use crate::memory;
use crate::personal::StoredResponses;

/// The server as a domain.
pub(crate) struct Server {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) keyring: Keyring,
    pub(crate) system_config: SystemConfig,
}

impl Domain for Server {
    fn declarations() -> Declarations {
        let config_keys = vec![CORS.declare(), REQUESTS.declare(), IDEMPOTENCY.declare(), DATABASE.declare()];
        Declarations { config_keys, ..Declarations::default() }
    }

    fn jobs(&self) -> Result<Handlers> {
        maintenance::handlers(&self.db, &self.clock, self.system_config.live(&IDEMPOTENCY)?)
    }

    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        vec![Arc::new(StoredResponses(self.keyring.clone()))]
    }

    fn start(&self, tasks: &mut Tasks) {
        tasks.spawn(memory::give_back);
    }
}
