//! The queue on both databases: every test body runs on SQLite in a folder of its own and on a PostgreSQL database of
//! its own.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod running;
mod scheduling;
mod sharing;
mod steering;
mod stopping;
