//! The queue on both databases: every test body runs on SQLite in its own folder and on its own PostgreSQL
//! database.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod control;
mod fixture;
mod running;
mod scheduling;
mod sharing;
mod stopping;
