//! Connections: how many there may be, and which one has to go when there are too many.
//!
//! A connection is *known* once a request on it was let in with a credential. The others are anybody's, and are a small
//! part of all: past that part the oldest of them that the server isn't working for is closed for a new one. So whoever
//! opens thousands and does nothing with them pushes out its own, while a caller with a credential needs no longer than
//! its first request to be out of the way. Past the number of all, a known one that is idle is closed.

mod budget;
mod descriptors;
mod metered;
mod patient;
mod registry;
mod unread;

pub(crate) use budget::{Budget, Share};
pub(crate) use descriptors::{Descriptors, raise_limit};
pub(crate) use metered::Metered;
pub(crate) use patient::Patient;
pub(crate) use registry::{Connection, Place, Registry};
pub(crate) use unread::Unread;
