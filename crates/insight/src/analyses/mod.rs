//! Analyses of slow requests by a model: its input, the schema of its response, and the validation of its claims.
//!
//! Telemetry is untrusted data to the model. Whatever text it contains, the only possible output is a response of the
//! declared schema, and claims about functions or calls that are not in the record are dropped.

mod auto_analyses;
mod enqueue;
pub mod entity;
mod evidence;
mod jobs;
mod model_call;
mod prompt;
mod response;
pub mod routes;
mod run;
pub mod service;
mod settings;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use loam_db::{Db, EntityShape};
use loam_gateway::Gateway;
use loam_identity::Identity;
use loam_kernel::Clock;
use loam_platform::changes::Changes;
use loam_platform::system_config::LiveConfig;

use crate::records::settings::StorageSettings;
use crate::rules::limits::Limits;
use crate::stats::Stats;

pub(crate) use enqueue::AnalysisTarget;
pub(crate) use jobs::{Run, SCHEDULED, Scheduled};
pub use settings::{ANALYSIS, AnalysisSettings, ProjectAnalysis};

/// Analyses by a model, and the suggestions that follow from them. Cheap to clone.
#[derive(Clone)]
pub struct Analyses(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
    pub(crate) identity: Identity,
    pub(crate) gateway: Gateway,
    pub(crate) analysis: LiveConfig<AnalysisSettings>,
    pub(crate) rules: LiveConfig<Limits>,
    pub(crate) storage: LiveConfig<StorageSettings>,
    pub(crate) stats: Stats,
}

pub(crate) fn entities() -> [EntityShape; 2] {
    [EntityShape::of::<entity::Entity>(), EntityShape::of::<auto_analyses::Entity>()]
}
