//! Rules that need a database, tested on both.

mod caches;
mod deletion;
pub(crate) mod fixture;
mod histories;
mod months;
mod retention;
