//! What an application did, whatever it was told in: requests, and the calls in them.

mod bytes;
mod columns;
mod frame;
mod ids;
mod pack;
mod part;
mod tree;

pub use ids::{record_id, tree_id};
pub use part::{
    Call, Detail, Entry, Environment, Function, Measured, Part, RequestInfo, ResponseInfo, STACK, Source,
    VersionInfo, Work,
};
pub use tree::{Node, Tree};

pub(crate) use bytes::{Reader, put};
#[cfg(test)]
pub(crate) use frame::packed;
pub(crate) use frame::{Head, RECORDS, read, write};
pub(crate) use ids::{hash, id};
pub(crate) use pack::{Opened, open, pack};
