//! Transactions: the only way to rows.

use std::marker::PhantomData;

use loam_kernel::{FairPermit, Result, Scope, TenantId};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter,
};
use uuid::Uuid;

use crate::conn::Conn;
use crate::error::{from_sqlx, map_err};
use crate::find::{Delete, Find, TenantEntity, Update};

/// The role `loam_app`, which sees one tenant.
pub struct Tenant;
/// The role `loam_system`, which sees every tenant.
pub struct System;

/// A transaction. It is rolled back when it is dropped without [`Tx::commit`].
#[must_use]
pub struct Tx<R> {
    pub(crate) conn: Conn,
    scope: Scope,
    role: PhantomData<R>,
    /// The tenant's permit, returned after the connection.
    _share: Option<FairPermit>,
}

impl<R> Tx<R> {
    pub(crate) fn new((conn, share): (Conn, Option<FairPermit>), scope: &Scope) -> Self {
        Self { conn, scope: scope.clone(), role: PhantomData, _share: share }
    }

    /// The caller and its tenant.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// Begins a query on the tenant's rows.
    #[expect(clippy::disallowed_methods, reason = "the wall itself")]
    pub fn find<E: TenantEntity>(&self) -> Find<'_, E> {
        Find::new(E::find().filter(E::TENANT.eq(self.scope.tenant())), &self.conn)
    }

    /// The tenant's row with this id.
    pub async fn get<E: TenantEntity>(&self, id: impl Into<Uuid>) -> Result<Option<E::Model>> {
        self.find::<E>().filter(E::ID.eq(id.into())).one().await
    }

    /// The tenant's row with this id, locked until the transaction ends.
    pub async fn get_locked<E: TenantEntity>(&self, id: impl Into<Uuid>) -> Result<Option<E::Model>> {
        self.find::<E>().filter(E::ID.eq(id.into())).locked().one().await
    }

    /// Inserts a row with the scope's tenant, regardless of the model's.
    pub async fn insert<A>(&self, mut model: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: TenantEntity,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        model.set(A::Entity::TENANT, self.scope.tenant().into());
        model.insert(&self.conn).await.map_err(map_err)
    }

    /// Changes a row of the tenant by its id.
    pub async fn update<A>(&self, mut model: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        A::Entity: TenantEntity,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        model.set(A::Entity::TENANT, self.scope.tenant().into());
        model.update(&self.conn).await.map_err(map_err)
    }

    /// Begins a change of many of the tenant's rows.
    #[expect(clippy::disallowed_methods, reason = "the wall itself")]
    pub fn update_many<E: TenantEntity>(&self) -> Update<'_, E> {
        Update(E::update_many().filter(E::TENANT.eq(self.scope.tenant())), &self.conn)
    }

    /// Begins a deletion of the tenant's rows.
    #[expect(clippy::disallowed_methods, reason = "the wall itself")]
    pub fn delete<E: TenantEntity>(&self) -> Delete<'_, E> {
        Delete(E::delete_many().filter(E::TENANT.eq(self.scope.tenant())), &self.conn)
    }

    /// Commits. Success may be reported to a caller only after this.
    pub async fn commit(self) -> Result<()> {
        self.conn.commit().await.map_err(from_sqlx)
    }

    /// Rolls back.
    pub async fn rollback(self) -> Result<()> {
        self.conn.rollback().await.map_err(from_sqlx)
    }

    /// Makes the claim of a request with an `Idempotency-Key` in the transaction of its effect, so that both are atomic.
    pub(crate) async fn claim_idempotency(&self) -> Result<()> {
        match &self.scope.idempotency {
            Some(claim) if claim.claim() => self.claim(claim).await,
            _ => Ok(()),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "what the system role is for")]
impl Tx<System> {
    /// Switches to another tenant within the same transaction: creating a tenant also creates its first rows.
    pub fn switch_tenant(&mut self, tenant: TenantId) {
        self.scope = self.scope.in_tenant(tenant);
    }

    /// Begins a query on the rows of every tenant.
    pub fn find_any<E: EntityTrait>(&self) -> Find<'_, E> {
        Find::new(E::find(), &self.conn)
    }

    /// Inserts a row with the model's tenant.
    pub async fn insert_for_any_tenant<A>(&self, model: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        model.insert(&self.conn).await.map_err(map_err)
    }

    /// Changes a row of any tenant by its primary key.
    pub async fn update_any<A>(&self, model: A) -> Result<<A::Entity as EntityTrait>::Model>
    where
        A: ActiveModelTrait + ActiveModelBehavior + Send,
        <A::Entity as EntityTrait>::Model: IntoActiveModel<A>,
    {
        model.update(&self.conn).await.map_err(map_err)
    }

    /// Begins a change of rows of every tenant.
    pub fn update_all<E: EntityTrait>(&self) -> Update<'_, E> {
        Update(E::update_many(), &self.conn)
    }

    /// Begins a deletion of rows of every tenant.
    pub fn delete_any<E: EntityTrait>(&self) -> Delete<'_, E> {
        Delete(E::delete_many(), &self.conn)
    }
}
