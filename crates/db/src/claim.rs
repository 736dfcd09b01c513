//! What a queue in a table needs: rows that nobody else is taking, and an insert that gives way.

use loam_kernel::Result;
use sea_orm::sea_query::{LockBehavior, LockType, OnConflict};
use sea_orm::{ActiveModelBehavior, ActiveModelTrait, ConnectionTrait, DbBackend, EntityTrait, QuerySelect};

use crate::error::map_err;
use crate::find::{Find, TenantEntity};
use crate::tx::{System, Tx};

#[expect(clippy::disallowed_methods, reason = "the wall itself")]
impl<R> Tx<R> {
    /// Inserts a row of the tenant unless one with the same unique values is there; says whether it did. The transaction
    /// stays usable either way, which after a failed insert PostgreSQL doesn't grant.
    pub async fn insert_if_new<A>(&self, mut model: A) -> Result<bool>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: TenantEntity,
    {
        model.set(A::Entity::TENANT, self.scope().tenant().into());
        // without a target, so that any unique index counts, not the primary key alone
        let insert = A::Entity::insert(model).on_conflict(OnConflict::new().do_nothing().to_owned());
        let rows = insert.exec_without_returning(&self.conn).await.map_err(map_err)?;
        Ok(rows > 0)
    }
}

#[expect(clippy::disallowed_methods, reason = "what the system role is for")]
impl Tx<System> {
    /// Begins a query on the rows of every tenant that locks what it finds until the transaction ends, and passes over
    /// what another transaction has locked.
    pub fn find_free<E: EntityTrait>(&self) -> Find<'_, E> {
        let mut select = E::find();
        // SQLite's one writer is lock enough, and it knows no such clause
        if self.conn.get_database_backend() == DbBackend::Postgres {
            select = select.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        }
        Find::new(select, &self.conn)
    }
}
