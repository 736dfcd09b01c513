//! Many rows by their keys, each by a look-up in the primary key: the cost does not depend on how large the table is, nor
//! on what the database believes of it.

use loam_kernel::{Result, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, FromQueryResult, Statement, Value};
use uuid::Uuid;

use crate::error::map_err;
use crate::find::TenantEntity;
use crate::tx::{System, Tx};

/// Keys in one statement.
const CHUNK: usize = 500;

impl Tx<System> {
    /// The rows of these keys that are there, in no order.
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
}

/// With `= ANY` PostgreSQL may go through all rows of an index of another column, as it does while a table that grows
/// fast has no statistics. `LIMIT` keeps it from making a join of the look-ups.
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
