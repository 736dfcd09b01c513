//! Connections: their maximum number, and which one is closed when it is reached.
//!
//! A connection is *authenticated* once a request on it was admitted with a credential. The others are limited to a small
//! part of all connections: above it the oldest of them without a running request is closed for a new one. So a client that
//! opens thousands of connections only displaces its own, while a caller with a credential is exempt after its first
//! request. Above the total limit, an idle authenticated connection is closed.

mod budget;
mod descriptors;
mod drain_on_drop;
mod limited_body;
mod registry;
mod write_timeout;

pub(crate) use budget::{Budget, Share};
pub(crate) use descriptors::{Descriptors, raise_limit};
pub(crate) use drain_on_drop::DrainOnDrop;
pub(crate) use limited_body::LimitedBody;
pub(crate) use registry::{Connection, ConnectionGuard, Registry};
pub(crate) use write_timeout::WriteTimeout;
