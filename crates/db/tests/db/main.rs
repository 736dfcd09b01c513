//! The data layer's promises on both databases. What PostgreSQL alone can show, and what must not be shown through the
//! layer itself, is asked in raw SQL.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bulk;
mod containment;
mod idempotency;
mod isolation;
mod kit;
mod overwrite;
mod partitions;
mod pgbouncer;
mod rls;
mod schema;
mod sharing;
