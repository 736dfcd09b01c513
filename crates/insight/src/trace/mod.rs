//! What an application did, whatever it was told in: requests, and the calls in them.

mod frame;
mod ids;
mod part;
mod tree;

pub(crate) use ids::id;
pub use ids::{record_id, tree_id};
pub use part::{
    Call, Detail, Entry, Environment, Function, Measured, Part, RequestInfo, ResponseInfo, Source,
    VersionInfo, Work,
};
pub use tree::{Node, Tree};

pub(crate) use frame::{RECORDS, pack_calls, read, unpack_calls, write};
