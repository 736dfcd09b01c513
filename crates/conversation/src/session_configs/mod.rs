//! Settings of a session: how much history a model gets, its sampling parameters, its tools.

pub mod entity;
pub(crate) mod keys;
pub mod routes;
pub(crate) mod service;

use std::sync::Arc;

use loam_db::Db;
use loam_kernel::Clock;
use loam_platform::changes::Changes;

/// Settings of sessions. Cheap to clone.
#[derive(Clone)]
pub struct SessionConfigs(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) changes: Changes,
}
