//! The way of what applications tell: durable in the journal first, then in the database, with its sums.

mod accept;
mod row;
mod sink;

pub(crate) use accept::{append, unavailable};
pub(crate) use sink::RecordSink;
