//! Converts database errors, and classifies transient ones.

use std::time::Duration;

use loam_kernel::{Error, Kind};
use sea_orm::{DbErr, RuntimeErr, SqlErr};

/// `Retry-After` while the database is unavailable or busy.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Transient SQLSTATE classes and codes: lost connections, shutdowns, conflicts between transactions.
const TRANSIENT: [&str; 9] = ["08", "57P01", "57P02", "57P03", "40001", "40P01", "53", "55P03", "25006"];

/// Converts a database error: transient ones become 503, constraint violations 409, everything else 500.
pub fn map_err(error: DbErr) -> Error {
    match &error {
        DbErr::RecordNotFound(_) | DbErr::RecordNotUpdated => Error::not_found("row").with_source(error),
        _ if is_transient(&error) => Error::unavailable(
            "database_unavailable",
            "the database is unavailable or busy; try again",
            RETRY_AFTER,
        )
        .with_source(error),
        _ => match error.sql_err() {
            Some(SqlErr::UniqueConstraintViolation(_)) => {
                Error::new(Kind::Conflict, "already_exists", "a row with these values already exists")
                    .with_source(error)
            }
            Some(SqlErr::ForeignKeyConstraintViolation(_)) => Error::new(
                Kind::Conflict,
                "in_use",
                "another resource refers to this, or the resource that it refers to does not exist",
            )
            .with_source(error),
            _ => Error::internal(error),
        },
    }
}

/// Whether the same statement may succeed a moment later.
pub fn is_transient(error: &DbErr) -> bool {
    match error {
        DbErr::ConnectionAcquire(_) => true,
        DbErr::Conn(RuntimeErr::SqlxError(e))
        | DbErr::Exec(RuntimeErr::SqlxError(e))
        | DbErr::Query(RuntimeErr::SqlxError(e)) => is_transient_sqlx(e),
        _ => false,
    }
}

pub(crate) fn is_transient_sqlx(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed
        | sqlx::Error::Protocol(_)
        | sqlx::Error::BeginFailed => true,
        sqlx::Error::Database(e) => {
            let code = e.code().unwrap_or_default();
            // SQLite: 5 busy, 6 locked, 13 full, with extended codes in the higher bits
            let sqlite =
                code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 13) && code < 10_000);
            sqlite && e.try_downcast_ref::<sqlx::sqlite::SqliteError>().is_some()
                || e.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
                    && TRANSIENT.iter().any(|prefix| code.starts_with(prefix))
        }
        _ => false,
    }
}

/// Whether the error is a violation of a unique constraint.
pub fn is_unique_violation(error: &Error) -> bool {
    error.code() == "already_exists"
}

/// Whether the error is a violation of a foreign key.
pub fn is_foreign_key_violation(error: &Error) -> bool {
    error.code() == "in_use"
}

/// Replaces a unique violation by an error for `field` with the given message.
pub fn already_exists(field: &'static str, message: impl Into<String>) -> impl FnOnce(Error) -> Error {
    move |e| match is_unique_violation(&e) {
        true => Error::already_exists(field, message).with_source(e),
        false => e,
    }
}

pub(crate) fn from_sqlx(error: sqlx::Error) -> Error {
    map_err(DbErr::Query(RuntimeErr::SqlxError(error.into())))
}
