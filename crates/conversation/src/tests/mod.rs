//! Rules that need a database, on both.

pub(crate) mod bed;
mod caches;
mod deletion;
mod histories;
mod months;
mod retention;
