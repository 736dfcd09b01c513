//! Why requests are slow, told by a model: what it is told, what it may say, and what is made of that.
//!
//! What applications tell is data to the model. Whatever text it holds, all that can come of it is an answer of the
//! declared schema, of which every claim on a function or call that isn't in the record is dropped.

mod answer;
mod ask;
mod begin;
mod claims;
pub mod entity;
mod evidence;
mod jobs;
mod prompt;
pub mod routes;
mod run;
pub mod service;
mod settings;
#[cfg(test)]
mod tests;

use loam_db::EntityShape;

pub(crate) use begin::Wanted;
pub(crate) use jobs::{Run, SCHEDULED, Scheduled};
pub use settings::{ANALYSIS, AnalysisSettings, ProjectAnalysis};

pub(crate) fn entities() -> [EntityShape; 2] {
    [EntityShape::of::<entity::Entity>(), EntityShape::of::<claims::Entity>()]
}
