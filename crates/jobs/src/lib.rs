//! Durable background jobs: enqueued in the transaction that makes them necessary, run at least once, seen and
//! steered through the API.
//!
//! Belongs here: the queue, the runner, schedules, and the routes over jobs. Does not belong here: what any one job
//! does; a handler lives in the crate whose work it is.
//!
//! **Handlers must be idempotent.** A job runs until a run has been recorded as its success. A node that dies, loses
//! the database or is too slow to renew its lease leaves the job to another run, though its own work may be done
//! already. What can't happen is two recorded endings: an ending is written only by the run that holds the lease.
//!
//! Leases compare the clocks of nodes, which therefore have to agree to within a few seconds.

mod backoff;
mod config;
mod enqueue;
pub mod entity;
mod handler;
mod queries;
mod retention;
mod rounds;
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
pub use service::{ChangeLog, JobChange, JobFilter, Jobs, Whose};
pub use state::JobState;

use loam_db::EntityShape;

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![EntityShape::of::<entity::Entity>()]
}
