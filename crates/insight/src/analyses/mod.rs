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

use loam_db::EntityShape;

pub(crate) use enqueue::AnalysisTarget;
pub(crate) use jobs::{Run, SCHEDULED, Scheduled};
pub use settings::{ANALYSIS, AnalysisSettings, ProjectAnalysis};

pub(crate) fn entities() -> [EntityShape; 2] {
    [EntityShape::of::<entity::Entity>(), EntityShape::of::<auto_analyses::Entity>()]
}
