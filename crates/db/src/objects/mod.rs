//! Compares the objects beside the columns with those that the migrations make: indexes, constraints, triggers, and on
//! PostgreSQL row-level security and grants.
//!
//! What the migrations make is in `sqlite.txt` and `postgres.txt`, read from a migrated database: a test holds them.

use std::collections::BTreeSet;

use loam_kernel::Result;
use sqlx::Row;

use crate::check::Difference;
use crate::connect::{Db, Dialect, Pools};
use crate::error::from_sqlx;

const POSTGRES: &str = include_str!("postgres.sql");
const SQLITE: &str = include_str!("sqlite.sql");

/// What the migrations of a dialect make: lines of a table and a definition.
fn expected(dialect: Dialect) -> BTreeSet<(String, String)> {
    let text = match dialect {
        Dialect::Sqlite => include_str!("sqlite.txt"),
        Dialect::Postgres => include_str!("postgres.txt"),
    };
    let lines = text.lines().filter_map(|line| line.split_once(": "));
    lines.map(|(table, definition)| (table.to_owned(), definition.to_owned())).collect()
}

/// The objects of a database: table and definition.
///
/// # Errors
/// On a database error.
pub async fn objects(db: &Db) -> Result<BTreeSet<(String, String)>> {
    let rows: Vec<(String, String)> = match &db.pools {
        Pools::Sqlite { readers, .. } => {
            let rows = sqlx::raw_sql(SQLITE).fetch_all(readers).await.map_err(from_sqlx)?;
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        }
        Pools::Postgres { owner, .. } => {
            let rows = sqlx::raw_sql(POSTGRES).fetch_all(owner).await.map_err(from_sqlx)?;
            rows.iter().map(|row| (row.get(0), row.get(1))).collect()
        }
    };
    // one line each
    let one_line = |text: String| text.split_whitespace().collect::<Vec<_>>().join(" ");
    Ok(rows.into_iter().map(|(table, definition)| (table, one_line(definition))).collect())
}

/// Lists the differences between the objects of a database and those that the migrations make.
///
/// # Errors
/// On a database error.
pub async fn compare_objects(db: &Db) -> Result<Vec<Difference>> {
    let (expected, found) = (expected(db.dialect()), objects(db).await?);
    let difference = |(table, definition): &(String, String), what: &str| Difference {
        table: table.clone(),
        what: format!("{what}: {definition}"),
    };
    let missing = expected.difference(&found).map(|object| difference(object, "missing"));
    let unexpected = found.difference(&expected).map(|object| difference(object, "unexpected"));
    Ok(missing.chain(unexpected).collect())
}
