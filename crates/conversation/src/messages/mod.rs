//! Messages: numbered without a gap in their session, each behind its parent.

pub(crate) mod append;
pub mod entity;
