//! The description of a domain: everything that it contributes to a server. The server composes itself from a list of
//! these, so that a new domain is a new entry of that list.

use std::future::Future;
use std::sync::Arc;

use async_trait::async_trait;
use loam_db::EntityShape;
use loam_jobs::Handlers;
use loam_kernel::{NodeId, Result};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use uuid::Uuid;

use crate::drain::Sink;
use crate::personal::PersonalDataStore;
use crate::seal::SealedTable;
use crate::stored_format::StoredFormat;
use crate::system_config::Declaration;

/// What a domain declares, known without a database.
#[derive(Default)]
pub struct Declarations {
    /// Its entities, in the order of the data dictionary.
    pub entities: Vec<EntityShape>,
    /// Those of its tables that have sealed values.
    pub sealed: Vec<Box<dyn SealedTable>>,
    /// The kinds of bytes that it stores.
    pub stored_formats: Vec<StoredFormat>,
    /// Its keys of the live configuration.
    pub config_keys: Vec<Result<Declaration>>,
}

/// A part of the server with data and routes of its own. Implemented by the handle of a crate.
#[async_trait]
pub trait Domain: Send + Sync {
    /// Its tables and settings.
    fn declarations() -> Declarations
    where
        Self: Sized;

    /// Its documented routes.
    fn routes(&self) -> OpenApiRouter {
        OpenApiRouter::new()
    }

    /// The handlers of its durable jobs, with their schedules.
    ///
    /// # Errors
    /// When a schedule is invalid.
    fn jobs(&self) -> Result<Handlers> {
        Ok(Handlers::new())
    }

    /// The sinks that write its frames of the journal to the database.
    fn sinks(&self) -> Vec<Arc<dyn Sink>> {
        Vec::new()
    }

    /// The locations of its personal data. One whose rows lead to others comes after those.
    fn personal_data(&self) -> Vec<Arc<dyn PersonalDataStore>> {
        Vec::new()
    }

    /// Starts its tasks, which run until the server stops.
    fn start(&self, _tasks: &mut Tasks) {}

    /// Ends what a previous process of this node left in progress, once the journal is drained: whatever was created
    /// before `start`. It is repeated until it succeeds.
    ///
    /// # Errors
    /// When the database is unavailable.
    async fn recover(&self, _node: NodeId, _start: Uuid) -> Result<()> {
        Ok(())
    }
}

/// The tasks of a running server.
#[derive(Default)]
pub struct Tasks {
    running: JoinSet<()>,
    stop: CancellationToken,
}

impl Tasks {
    /// Spawns a task that ends soon after the token is cancelled.
    pub fn spawn<F>(&mut self, task: impl FnOnce(CancellationToken) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.running.spawn(task(self.stop.clone()));
    }

    /// Cancels all tasks and waits until they have ended.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.running.join_next().await.is_some() {}
    }
}
