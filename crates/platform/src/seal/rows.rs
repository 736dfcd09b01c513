//! Where sealed values are, and sealing them anew under another key.

use std::collections::{BTreeMap, BTreeSet};
use std::marker::PhantomData;

use async_trait::async_trait;
use loam_db::{Db, Find, IdempotencyKeys, TenantEntity};
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, ModelTrait,
    QueryFilter, QueryOrder, QuerySelect,
};
use serde_json::Value;
use uuid::Uuid;

use super::{Keyring, key_of};
use crate::notices::{Notice, announce};

/// Rows that are looked at, and changed, in one transaction.
const BATCH: u64 = 100;

/// Where a value is kept, to which its sealing is bound.
pub type SealContext<'a> = &'a str;

/// What is done to each sealed value of a row, given its place.
pub type Visit<'a> = &'a mut dyn FnMut(SealContext<'_>, &mut String) -> Result<()>;

/// An entity with sealed values. Whatever calls [`Keyring::seal`] for a column declares it here, else a rotation of the
/// master key would leave its values behind.
pub trait SealedRows: TenantEntity {
    /// The columns with sealed values.
    const SEALED: &'static [Self::Column];

    /// Only the rows that can have any.
    fn filter(find: Find<'_, Self>) -> Find<'_, Self> {
        find
    }

    /// Calls `visit` for each sealed value of the row.
    ///
    /// # Errors
    /// When the row can't be read, or what `visit` gives.
    fn each(row: &mut Self::Model, visit: Visit<'_>) -> Result<()>;
}

/// Calls `visit` for a secret that is kept in a JSON document, `{"sealed": …}`, if it is one.
///
/// # Errors
/// What `visit` gives.
pub fn visit_json(context: SealContext<'_>, kept: &mut Value, visit: Visit<'_>) -> Result<()> {
    match kept.get_mut("sealed") {
        Some(Value::String(sealed)) => visit(context, sealed),
        _ => Ok(()),
    }
}

/// What sealing a table anew came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Values that were sealed under another key and are sealed under the current one now.
    pub values: u64,
    /// Values that can't be opened, and stay as they are.
    pub unopened: u64,
}

/// A table with sealed values.
#[async_trait]
pub trait SealedTable: Send + Sync {
    /// Its name.
    fn table(&self) -> String;
    /// The columns with sealed values.
    fn columns(&self) -> Vec<String>;
    /// How many values there are by the name of their key.
    async fn count(&self, db: &Db, scope: &Scope) -> Result<BTreeMap<String, u64>>;
    /// Seals under the current key what is sealed under another, a batch of rows in a transaction. `home` is the tenant that
    /// hears of what belongs to none. Gives notices to be published.
    async fn reseal(
        &self,
        db: &Db,
        scope: &Scope,
        with: (&Keyring, &Clock),
        home: TenantId,
    ) -> Result<(Resealed, Vec<Notice>)>;
}

/// The table of an entity with sealed values.
#[must_use]
pub fn rows<E>() -> Box<dyn SealedTable>
where
    E: SealedRows,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync + PartialEq,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    Box::new(Rows::<E>(PhantomData))
}

struct Rows<E>(PhantomData<fn() -> E>);

type Key = (TenantId, Uuid);

impl<E> Rows<E>
where
    E: SealedRows,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync + PartialEq,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    fn key(row: &E::Model) -> Result<Key> {
        let uuid = |column| match row.get(column) {
            sea_orm::Value::Uuid(Some(id)) => Ok(id),
            other => Err(Error::internal(format!("an id that is none: {other:?}"))),
        };
        Ok((TenantId(uuid(E::TENANT)?), uuid(E::ID)?))
    }

    /// The next rows behind a key, in the order of keys.
    async fn page(db: &Db, scope: &Scope, after: Option<Key>) -> Result<Vec<E::Model>> {
        let tx = db.system_read(scope).await?;
        let mut find = E::filter(tx.find_any::<E>());
        if let Some((tenant, id)) = after {
            // as one comparison, which both databases answer from the primary key
            let key = Expr::tuple([Expr::col(E::TENANT), Expr::col(E::ID)]);
            find = find.filter(key.gt(Expr::tuple([Expr::val(tenant.0), Expr::val(id)])));
        }
        find.order_by_asc(E::TENANT).order_by_asc(E::ID).limit(BATCH).all().await
    }

    /// Seals rows anew, each locked and read again: what somebody changed meanwhile is not undone.
    async fn reseal_batch(
        db: &Db,
        scope: &Scope,
        (keyring, clock): (&Keyring, &Clock),
        home: TenantId,
        keys: &[Key],
    ) -> Result<(Resealed, Vec<Notice>)> {
        let mut tx = db.system_write(scope).await?;
        let tenants_of_keys: BTreeSet<Uuid> = keys.iter().map(|(tenant, _)| tenant.0).collect();
        let ids = keys.iter().map(|(_, id)| *id);
        let found = tx.find_any::<E>().filter(E::TENANT.is_in(tenants_of_keys)).filter(E::ID.is_in(ids));
        let found = found.order_by_asc(E::TENANT).order_by_asc(E::ID);
        let mut done = Resealed::default();
        let mut tenants = BTreeSet::new();
        for before in found.locked().all().await? {
            let mut row = before.clone();
            let resealed = reseal_row::<E>(&mut row, keyring, clock)?;
            done.unopened += resealed.unopened;
            if resealed.values == 0 {
                continue;
            }
            done.values += resealed.values;
            let (tenant, _) = Self::key(&row)?;
            tenants.insert(if tenant == TenantId::NIL { home } else { tenant });
            let mut row = row.into_active_model();
            for column in E::SEALED {
                row.reset(*column);
            }
            tx.update_any(row).await?;
        }
        let mut notices = Vec::new();
        let topic = E::default().table_name().to_owned();
        for tenant in tenants {
            tx.switch_tenant(tenant);
            notices.push(announce(&tx, clock, &topic, Uuid::nil(), None).await?);
        }
        tx.commit().await?;
        Ok((done, notices))
    }
}

fn reseal_row<E: SealedRows>(row: &mut E::Model, keyring: &Keyring, clock: &Clock) -> Result<Resealed> {
    let current = keyring.key_ids().into_iter().next().unwrap_or_default();
    let mut done = Resealed::default();
    E::each(row, &mut |context, sealed| {
        if key_of(sealed) == Some(current.as_str()) {
            return Ok(());
        }
        match keyring.open_sealed(context, sealed) {
            Ok(secret) => {
                *sealed = keyring.seal(clock, context, &secret)?;
                done.values += 1;
            }
            Err(e) => {
                tracing::warn!(context, error = ?e, "a sealed value can't be opened, and stays as it is");
                done.unopened += 1;
            }
        }
        Ok(())
    })?;
    Ok(done)
}

#[async_trait]
impl<E> SealedTable for Rows<E>
where
    E: SealedRows,
    E::Model: IntoActiveModel<E::ActiveModel> + Sync + PartialEq,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    fn table(&self) -> String {
        E::default().table_name().to_owned()
    }

    fn columns(&self) -> Vec<String> {
        E::SEALED.iter().map(|column| sea_orm::IdenStatic::as_str(column).to_owned()).collect()
    }

    async fn count(&self, db: &Db, scope: &Scope) -> Result<BTreeMap<String, u64>> {
        let (mut counts, mut after) = (BTreeMap::new(), None);
        loop {
            let mut page = Self::page(db, scope, after).await?;
            let Some(last) = page.last() else { return Ok(counts) };
            after = Some(Self::key(last)?);
            for row in &mut page {
                E::each(row, &mut |_, sealed| {
                    let key = key_of(sealed).unwrap_or("unreadable").to_owned();
                    *counts.entry(key).or_default() += 1;
                    Ok(())
                })?;
            }
        }
    }

    async fn reseal(
        &self,
        db: &Db,
        scope: &Scope,
        with: (&Keyring, &Clock),
        home: TenantId,
    ) -> Result<(Resealed, Vec<Notice>)> {
        let current = with.0.key_ids().into_iter().next().unwrap_or_default();
        let (mut done, mut notices, mut after) = (Resealed::default(), Vec::new(), None);
        loop {
            let mut page = Self::page(db, scope, after).await?;
            let Some(last) = page.last() else { return Ok((done, notices)) };
            after = Some(Self::key(last)?);
            let mut old = Vec::new();
            for row in &mut page {
                let mut is_old = false;
                E::each(row, &mut |_, sealed| {
                    is_old |= key_of(sealed) != Some(current.as_str());
                    Ok(())
                })?;
                if is_old {
                    old.push(Self::key(row)?);
                }
            }
            if !old.is_empty() {
                let (batch, batch_notices) = Self::reseal_batch(db, scope, with, home, &old).await?;
                done.values += batch.values;
                done.unopened += batch.unopened;
                notices.extend(batch_notices);
            }
        }
    }
}

/// Where an answer that is kept for an `Idempotency-Key` is sealed to.
#[must_use]
pub fn response_seal_context(id: Uuid) -> String {
    format!("idempotency_keys/{id}/answer")
}

type AnswerColumn = <IdempotencyKeys as EntityTrait>::Column;

impl SealedRows for IdempotencyKeys {
    const SEALED: &'static [AnswerColumn] = &[AnswerColumn::Answer];

    fn each(row: &mut Self::Model, visit: Visit<'_>) -> Result<()> {
        match &mut row.answer {
            Some(answer) => visit(&response_seal_context(row.id), answer),
            None => Ok(()),
        }
    }
}
