//! Look-ups of many rows by their keys through the primary key, independent of the table's size and statistics.

use loam_kernel::{Result, TenantId};
use sea_orm::{
    ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, IdenStatic, PartialModelTrait, QuerySelect,
    QueryTrait, Statement, Value,
};
use serde_json::json;
use uuid::Uuid;

use crate::error::map_err;
use crate::find::TenantEntity;
use crate::tx::{System, Tx};

/// Keys per statement.
const CHUNK: usize = 500;

impl Tx<System> {
    /// The existing rows of these keys, in any order.
    pub async fn get_many<E: TenantEntity>(&self, keys: &[(TenantId, Uuid)]) -> Result<Vec<E::Model>> {
        let mut rows = Vec::with_capacity(keys.len());
        for chunk in keys.chunks(CHUNK) {
            let statement = match self.conn.get_database_backend() {
                DbBackend::Postgres => postgres::<E>(chunk),
                _ => sqlite::<E>(chunk),
            };
            for row in self.conn.query_all_raw(statement).await.map_err(map_err)? {
                rows.push(E::Model::from_query_result(&row, "").map_err(map_err)?);
            }
        }
        Ok(rows)
    }

    /// The rows of these tenants whose column has the given text and whose id is in a range, in any order: each by a look-up
    /// in an index on that column and the tenant. The columns are the fields of `M`.
    #[expect(clippy::disallowed_methods, reason = "each statement names its tenants")]
    pub async fn find_many<E: TenantEntity, M: PartialModelTrait>(
        &self,
        by: E::Column,
        texts: &[(TenantId, &str)],
        ids: std::ops::Range<Uuid>,
    ) -> Result<Vec<M>> {
        let backend = self.conn.get_database_backend();
        let select = M::select_cols(E::find().select_only()).build(backend).sql;
        let by = by.as_str();
        let mut rows = Vec::new();
        for chunk in texts.chunks(CHUNK) {
            let statement = match backend {
                DbBackend::Postgres => {
                    let texts: Vec<_> = chunk.iter().map(|(tenant, text)| json!([tenant, text])).collect();
                    // tenants are compared as text so that the planner can't choose the primary key, as it may in a table without
                    // statistics; the range of ids prunes partitions
                    let sql = format!(
                        "SELECT found.* FROM jsonb_array_elements($1::text::jsonb) AS key, LATERAL ({select} \
                         WHERE tenant_id::text = key->>0 AND {by} = key->>1 AND id >= $2 AND id < $3 \
                         OFFSET 0) AS found"
                    );
                    let values = [json!(texts).to_string().into(), ids.start.into(), ids.end.into()];
                    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
                }
                _ => {
                    // the unary plus keeps the planner from choosing the primary key
                    let places = vec!["(?, ?)"; chunk.len()].join(", ");
                    let sql = format!(
                        "{select} WHERE (tenant_id, {by}) IN (VALUES {places}) \
                         AND +id >= ? AND +id < ?"
                    );
                    let texts =
                        chunk.iter().flat_map(|(tenant, text)| [Value::from(tenant.0), Value::from(*text)]);
                    let values = texts.chain([ids.start.into(), ids.end.into()]);
                    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
                }
            };
            for row in self.conn.query_all_raw(statement).await.map_err(map_err)? {
                rows.push(M::from_query_result(&row, "").map_err(map_err)?);
            }
        }
        Ok(rows)
    }

    /// Locks these keys exclusively until the transaction ends (advisory locks). Several keys must be locked in one call, which
    /// prevents deadlocks.
    pub async fn exclude(&self, things: impl IntoIterator<Item = Uuid>) -> Result<()> {
        // SQLite has one writer, so it needs no lock
        if self.conn.get_database_backend() == DbBackend::Sqlite {
            return Ok(());
        }
        let mut keys: Vec<i64> =
            things.into_iter().map(|id| (id.as_u128() ^ (id.as_u128() >> 64)) as u64 as i64).collect();
        keys.sort_unstable();
        keys.dedup();
        for key in keys {
            let sql = "SELECT pg_advisory_xact_lock($1)";
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, [key.into()]);
            self.conn.query_one_raw(statement).await.map_err(map_err)?;
        }
        Ok(())
    }
}

/// With `= ANY` PostgreSQL may scan a whole index on another column, while a fast-growing table has no statistics. `LIMIT`
/// keeps it from converting the look-ups into a join.
fn postgres<E: EntityTrait>(keys: &[(TenantId, Uuid)]) -> Statement {
    let table = E::default().table_name().to_owned();
    let sql = format!(
        "SELECT found.* FROM UNNEST($1::text::uuid[], $2::text::uuid[]) AS key(tenant_id, id), LATERAL \
         (SELECT * FROM {table} WHERE tenant_id = key.tenant_id AND id = key.id LIMIT 1) AS found"
    );
    let array = |ids: &mut dyn Iterator<Item = Uuid>| {
        Value::from(format!("{{{}}}", ids.map(|id| id.to_string()).collect::<Vec<_>>().join(",")))
    };
    let values =
        [array(&mut keys.iter().map(|(tenant, _)| tenant.0)), array(&mut keys.iter().map(|(_, id)| *id))];
    Statement::from_sql_and_values(DbBackend::Postgres, sql, values)
}

fn sqlite<E: EntityTrait>(keys: &[(TenantId, Uuid)]) -> Statement {
    let table = E::default().table_name().to_owned();
    let places = vec!["(?, ?)"; keys.len()].join(", ");
    let sql = format!("SELECT * FROM {table} WHERE (tenant_id, id) IN (VALUES {places})");
    let values = keys.iter().flat_map(|(tenant, id)| [Value::from(tenant.0), Value::from(*id)]);
    Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)
}
