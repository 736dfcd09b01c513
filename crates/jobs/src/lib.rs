//! Durable background jobs: enqueued in the transaction that makes them necessary, run at least once, and
//! inspected and controlled through the API.
//!
//! Belongs here: the queue, the runner, schedules, and the routes over jobs. Does not belong here: the work
//! of a specific job; its handler is in the crate that owns the work.
//!
//! **Handlers must be idempotent.** A job is repeated until a run is recorded as succeeded. If a node
//! crashes, loses the database or is too slow to renew its lease, the job runs again, although its work may
//! be done already. A job never has two recorded ends: only the run that holds the lease records one.
//!
//! Leases compare the clocks of nodes, so these must agree to within a few seconds.

mod backoff;
mod config;
mod enqueue;
pub mod entity;
mod handler;
mod queries;
mod retention;
mod round_robin;
pub mod routes;
mod run;
mod runner;
mod schedule;
mod service;
mod state;

pub use config::Config;
pub use enqueue::{NewJob, enqueue};
pub use handler::{Handler, Handlers, JobContext, read_payload};
pub use retention::KEEP_FINISHED;
pub use routes::JobView;
pub use runner::{Runner, RunnerHandle, Wake};
pub use schedule::Schedule;
pub use service::{ChangeLog, InstanceQuery, JobChange, JobFilter, Jobs};
pub use state::JobState;

use loam_db::EntityShape;

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![EntityShape::of::<entity::Entity>()]
}
