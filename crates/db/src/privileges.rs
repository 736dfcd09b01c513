//! Explains privileges that the owner of a PostgreSQL database lacks for a migration.

use loam_kernel::{Error, Kind};
use sea_orm::{DbErr, RuntimeErr};
use sqlx::Row;

use crate::connect::{Db, Pools};

/// PostgreSQL's `insufficient_privilege`.
const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// Whether a statement failed for lack of a privilege.
pub(crate) fn is_lacking(error: &DbErr) -> bool {
    let (DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error))) = error
    else {
        return false;
    };
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(INSUFFICIENT_PRIVILEGE)
}

impl Db {
    /// The error of a migration's statement that lacks a privilege, with the statement that grants it.
    pub(crate) async fn explain_lacking(&self, statement: &str, error: DbErr) -> Error {
        let Pools::Postgres { owner, .. } = &self.pools else { return Error::internal(error) };
        let names =
            sqlx::raw_sql("SELECT current_user::text, current_database()::text").fetch_one(owner).await;
        let names = names.and_then(|row| Ok((row.try_get::<String, _>(0)?, row.try_get::<String, _>(1)?)));
        let Ok((login, database)) = names else { return Error::internal(error) };
        Error::new(Kind::Conflict, "missing_privilege", explanation(statement, &login, &database))
            .with_source(error)
    }
}

/// What is missing, and the statement to run.
fn explanation(statement: &str, login: &str, database: &str) -> String {
    let (user, name) = (quoted(login), quoted(database));
    let (missing, grant) = if statement.contains("CREATE ROLE") {
        ("may not create the roles `loam_app` and `loam_system`", format!("ALTER ROLE {user} CREATEROLE"))
    } else if statement.contains("TO CURRENT_USER") {
        let grant = format!("GRANT loam_app, loam_system TO {user} WITH ADMIN OPTION");
        ("may not act as the roles `loam_app` and `loam_system` of this cluster", grant)
    } else {
        ("does not own the database", format!("ALTER DATABASE {name} OWNER TO {user}"))
    };
    format!("the login `{login}` {missing}; run as a superuser of PostgreSQL: {grant};")
}

/// A name as an identifier of SQL.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_as_identifiers() {
        let text = explanation("DO $$ BEGIN CREATE ROLE loam_app NOLOGIN; END $$", "o\"hara", "loam");
        assert!(text.ends_with("ALTER ROLE \"o\"\"hara\" CREATEROLE;"), "{text}");
    }
}
