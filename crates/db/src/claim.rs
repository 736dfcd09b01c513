//! Queries for queues in tables: unlocked rows, and inserts that skip existing rows.

use loam_kernel::{Result, TenantId};
use sea_orm::sea_query::{Condition, Expr, LockBehavior, LockType, OnConflict};
use sea_orm::sea_query::{PostgresQueryBuilder, SqliteQueryBuilder};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, IdenStatic, QueryFilter,
    QuerySelect, QueryTrait, Statement,
};

use crate::error::map_err;
use crate::find::{Find, TenantEntity};
use crate::tx::{System, Tx};

#[expect(clippy::disallowed_methods, reason = "the wall itself")]
impl<R> Tx<R> {
    /// Inserts a row of the tenant unless one with the same unique values exists; returns whether it was inserted. The
    /// transaction stays usable in both cases, unlike after a failed insert on PostgreSQL.
    pub async fn insert_if_new<A>(&self, mut model: A) -> Result<bool>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: TenantEntity,
    {
        model.set(A::Entity::TENANT, self.scope().tenant().into());
        // without a conflict target, so that any unique index applies, not only the primary key
        let insert = A::Entity::insert(model).on_conflict(OnConflict::new().do_nothing().to_owned());
        let rows = insert.exec_without_returning(&self.conn).await.map_err(map_err)?;
        Ok(rows > 0)
    }
}

#[expect(clippy::disallowed_methods, reason = "what the system role is for")]
impl Tx<System> {
    /// Begins a query on the rows of every tenant that locks the result until the transaction ends, and skips rows that
    /// another transaction has locked (`FOR UPDATE SKIP LOCKED`).
    pub fn find_unlocked<E: EntityTrait>(&self) -> Find<'_, E> {
        let mut select = E::find();
        // SQLite has one writer, so it needs no lock, and does not support the clause
        if self.conn.get_database_backend() == DbBackend::Postgres {
            select = select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        Find::new(select, &self.conn)
    }

    /// The tenants with rows that match `due`, ordered by id.
    ///
    /// It steps from tenant to tenant through a partial index on the rows that match `open`, which starts with the tenant; so
    /// it costs one index look-up per tenant, whatever their number of rows. `open` is the condition of that index.
    pub async fn tenants_with<E: TenantEntity>(
        &self,
        open: &'static str,
        due: Condition,
    ) -> Result<Vec<TenantId>> {
        let backend = self.conn.get_database_backend();
        let (table, column) = (E::default().table_name().to_owned(), E::TENANT.as_str());
        let mut exists = E::find().select_only().expr(Expr::val(1)).filter(due);
        exists = exists.filter(Expr::cust(format!("\"{table}\".\"{column}\" = steps.tenant")));
        let (exists, values) = match backend {
            DbBackend::Sqlite => exists.into_query().build(SqliteQueryBuilder),
            _ => exists.into_query().build(PostgresQueryBuilder),
        };
        let next = |from: &str| {
            format!("(SELECT {column} FROM {table} WHERE {open}{from} ORDER BY {column} LIMIT 1)")
        };
        let sql = format!(
            "WITH RECURSIVE steps (tenant) AS (SELECT {} UNION ALL SELECT {} FROM steps WHERE steps.tenant IS NOT NULL) \
             SELECT steps.tenant AS tenant FROM steps WHERE steps.tenant IS NOT NULL AND EXISTS ({exists}) ORDER BY 1",
            next(""),
            next(&format!(" AND {column} > steps.tenant")),
        );
        let statement = Statement::from_sql_and_values(backend, sql, values);
        let rows = self.conn.query_all_raw(statement).await.map_err(map_err)?;
        rows.iter()
            .map(|row| row.try_get("", "tenant").map(TenantId))
            .collect::<Result<_, _>>()
            .map_err(map_err)
    }
}
