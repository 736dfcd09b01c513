//! Erasing a whole tenant, table by table.

use loam_kernel::{Result, TenantId};
use sea_orm::{ConnectionTrait, DbBackend, Statement};

use crate::error::map_err;
use crate::tx::{System, Tx};

impl Tx<System> {
    /// Deletes at most `max` rows of a tenant in a table with `tenant_id` and `id`; returns the number.
    ///
    /// # Errors
    /// `in_use` if other rows refer to them, and other database errors.
    pub async fn delete_tenant_rows(&self, table: &str, tenant: TenantId, max: u64) -> Result<u64> {
        let (table, dialect) = (table.replace('"', "\"\""), self.conn.get_database_backend());
        let place = |n: u8| match dialect {
            DbBackend::Sqlite => "?".to_owned(),
            _ => format!("${n}"),
        };
        let sql = format!(
            "DELETE FROM \"{table}\" WHERE tenant_id = {} AND id IN \
             (SELECT id FROM \"{table}\" WHERE tenant_id = {} ORDER BY id LIMIT {max})",
            place(1),
            place(2),
        );
        let values = [tenant.0.into(), tenant.0.into()];
        let done = self.conn.execute_raw(Statement::from_sql_and_values(dialect, sql, values)).await;
        done.map(|done| done.rows_affected()).map_err(map_err)
    }

    /// Deletes a tenant without rows.
    ///
    /// # Errors
    /// `in_use` if it has rows, and other database errors.
    pub async fn delete_tenant(&self, tenant: TenantId) -> Result<()> {
        let dialect = self.conn.get_database_backend();
        let sql = match dialect {
            DbBackend::Sqlite => "DELETE FROM tenants WHERE id = ?",
            _ => "DELETE FROM tenants WHERE id = $1",
        };
        let statement = Statement::from_sql_and_values(dialect, sql, [tenant.0.into()]);
        self.conn.execute_raw(statement).await.map(drop).map_err(map_err)
    }
}
