//! Bulk updates, as used by the drainer: different values for many rows in one statement.

use loam_kernel::Result;
use sqlx::postgres::PgArguments;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, Executor};
use uuid::Uuid;

use crate::bulk::{Column, each_kind};
use crate::conn::Conn;
use crate::error::from_sqlx;
use crate::tx::{System, Tx};

/// Rows per statement on SQLite.
const CHUNK: usize = 64;

impl Tx<System> {
    /// Updates the rows with these keys of a table partitioned by id; a null value keeps the old one. `columns` are
    /// `tenant_id`, `id` and those to set, of one length.
    pub async fn bulk_update(
        &self,
        table: &'static str,
        mut columns: Vec<(&'static str, Column)>,
    ) -> Result<()> {
        let ids = columns.iter().find_map(|(name, column)| match column {
            Column::Uuid(ids) if *name == "id" => {
                Some((ids.iter().flatten().min()?, ids.iter().flatten().max()?))
            }
            _ => None,
        });
        let Some((first, last)) = ids.map(|(first, last): (&Uuid, &Uuid)| (*first, *last)) else {
            return Ok(());
        };
        let rows = columns.first().map_or(0, |(_, column)| column.len());
        let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
        let set = |cast: &dyn Fn(&str) -> &'static str| {
            let names = names.iter().filter(|name| !matches!(**name, "tenant_id" | "id"));
            let set: Vec<String> =
                names.map(|n| format!("{n} = COALESCE(changes.{n}{}, {table}.{n})", cast(n))).collect();
            set.join(", ")
        };
        let condition = format!("{table}.tenant_id = changes.tenant_id AND {table}.id = changes.id");
        match &self.conn {
            Conn::Postgres(tx, _) => {
                let is_json = |name: &str| {
                    columns.iter().any(|(n, column)| *n == name && matches!(column, Column::Json(_)))
                };
                let set = set(&|name| if is_json(name) { "::jsonb" } else { "" });
                let (mut arguments, mut arrays) = (PgArguments::default(), Vec::new());
                let count = columns.len();
                for (i, (_, column)) in columns.into_iter().enumerate() {
                    arrays.push(format!("${}::{}", i + 1, column.array_type()));
                    each_kind!(column, values => arguments.add(values))
                        .map_err(|e| from_sqlx(sqlx::Error::Encode(e)))?;
                }
                for id in [first, last] {
                    arguments.add(id).map_err(|e| from_sqlx(sqlx::Error::Encode(e)))?;
                }
                // the range of ids prunes partitions
                let sql = format!(
                    "UPDATE {table} SET {set} FROM UNNEST({}) AS changes({}) \
                     WHERE {condition} AND {table}.id BETWEEN ${} AND ${}",
                    arrays.join(", "),
                    names.join(", "),
                    count + 1,
                    count + 2,
                );
                let query = sqlx::query_with(AssertSqlSafe(sql.as_str()), arguments)
                    .persistent(self.conn.keeps_statements());
                (&mut **tx.lock().await).execute(query).await.map_err(from_sqlx)?;
            }
            Conn::Sqlite(tx) => {
                let set = set(&|_| "");
                let selected = (1..).zip(&names).map(|(i, name)| format!("column{i} AS {name}"));
                let selected = selected.collect::<Vec<_>>().join(", ");
                let row = format!("({})", vec!["?"; names.len()].join(", "));
                let mut tx = tx.lock().await;
                for from in (0..rows).step_by(CHUNK) {
                    let to = (from + CHUNK).min(rows);
                    let sql = format!(
                        "UPDATE {table} SET {set} FROM (SELECT {selected} FROM (VALUES {})) AS changes WHERE {condition}",
                        vec![row.as_str(); to - from].join(", "),
                    );
                    let mut arguments = SqliteArguments::default();
                    for i in from..to {
                        for (_, column) in &mut columns {
                            each_kind!(column, values => arguments.add(values[i].take()))
                                .map_err(|e| from_sqlx(sqlx::Error::Encode(e)))?;
                        }
                    }
                    let query = sqlx::query_with(AssertSqlSafe(sql.as_str()), arguments);
                    (&mut **tx).execute(query).await.map_err(from_sqlx)?;
                }
            }
        }
        Ok(())
    }
}
