//! The job that erases. It may be run again at any point: what is removed stays removed, and what was counted is counted.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_db::Tx;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ErasureId, Error, Kind, NodeId, Result, Scope, TenantId};
use loam_platform::drain::checkpoint;
use loam_platform::personal::erasure::{Column, Entity, ErasureState, Model, SubjectType};
use loam_platform::personal::{Cursor, RecordedBetween, Removed, Step, Store, Subject, Who, erased};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Identity;

/// What an erasure waits for nodes whose journals it doesn't see: each drains within a second while it is up. One that
/// is not finds out when it comes back.
const OTHERS: Duration = Duration::from_secs(3);
/// A request is on record so long after its answer at most.
const ANSWERED: TimeDelta = TimeDelta::seconds(2);
/// A node that drained something so lately is up.
const LATELY: TimeDelta = TimeDelta::hours(1);

#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) erasure_id: ErasureId,
}

/// Runs erasures.
pub struct RunErasure(pub Identity);

impl RunErasure {
    pub(crate) const KIND: &'static str = "erasures.run";
}

/// What was removed so far, by place; in the erasure's row, written with what it counts.
pub(super) struct Tally {
    erasure: ErasureId,
    tenant: TenantId,
    removed: BTreeMap<String, Removed>,
    changed: bool,
}

impl Tally {
    fn of(row: &Model) -> Result<Self> {
        let removed = serde_json::from_value(row.removed.clone()).map_err(Error::internal)?;
        Ok(Self { erasure: row.id, tenant: row.tenant_id, removed, changed: false })
    }

    pub(super) fn add(&mut self, place: &str, removed: Removed) {
        if !removed.is_nothing() {
            self.removed.entry(place.to_owned()).or_default().add(removed);
            self.changed = true;
        }
    }

    pub(super) fn value(&self) -> Result<Value> {
        serde_json::to_value(&self.removed).map_err(Error::internal)
    }

    /// Writes it into the erasure's row, in the transaction of what it counts.
    pub(super) async fn write(&mut self, tx: &Tx<loam_db::System>) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            let row = tx.update_all::<Entity>().set(Column::Removed, json_value(self.value()?));
            row.filter(Column::TenantId.eq(self.tenant)).filter(Column::Id.eq(self.erasure)).exec().await?;
        }
        Ok(())
    }

    pub(super) async fn write_here(&mut self, tx: &Tx<loam_db::Tenant>) -> Result<()> {
        if std::mem::take(&mut self.changed) {
            let row = tx.update_many::<Entity>().set(Column::Removed, json_value(self.value()?));
            row.filter(Column::Id.eq(self.erasure)).exec().await?;
        }
        Ok(())
    }
}

pub(super) fn json_value(value: Value) -> sea_orm::sea_query::SimpleExpr {
    sea_orm::sea_query::Expr::val(value)
}

#[async_trait]
impl Handler for RunErasure {
    fn kind(&self) -> &'static str {
        Self::KIND
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Run { erasure_id } = read_payload(payload)?;
        let scope = Scope::system(job.tenant, "erasures");
        let row = self.0.db.read(&scope).await?.get::<Entity>(erasure_id).await?;
        let Some(row) = row.filter(|row| row.state == ErasureState::Running) else { return Ok(()) };
        let mut tally = Tally::of(&row)?;
        self.0.wait_for_journals().await?;
        match (row.subject_type, &row.searched) {
            (SubjectType::Tenant, _) => {
                let tenant = row.subject_id.as_deref().and_then(|id| id.parse().ok());
                let tenant = tenant.ok_or_else(|| Error::internal("an erasure of a tenant names none"))?;
                self.0.remove_tenant(job, tenant, &mut tally).await?;
            }
            (_, Some(searched)) => {
                let who: Who = serde_json::from_value(searched.clone()).map_err(Error::internal)?;
                self.0.remove_person(job, &scope, &row, who, &mut tally).await?;
            }
            // all was removed by an earlier run
            (_, None) => {}
        }
        self.0.complete(&scope, row, &tally).await
    }
}

impl Identity {
    /// Waits until what was on its way when the erasure began is in the database.
    async fn wait_for_journals(&self) -> Result<()> {
        let Some(draining) = self.draining.get() else { return Ok(()) };
        draining.caught_up().await?;
        let own = NodeId(Uuid::from_bytes(draining.journal.id()));
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "erasures")).await?;
        let others = tx.find_any::<checkpoint::Entity>().filter(checkpoint::Column::NodeId.ne(own));
        let lately = checkpoint::Column::UpdatedAt.gt(self.clock.now() - LATELY);
        let others = others.filter(lately).count().await?;
        drop(tx);
        if others > 0 {
            tokio::time::sleep(OTHERS).await;
        }
        Ok(())
    }

    /// Goes through every place, page by page.
    async fn remove_person(
        &self,
        job: &JobContext,
        scope: &Scope,
        erasure: &Model,
        mut who: Who,
        tally: &mut Tally,
    ) -> Result<()> {
        self.find_more(scope, erasure, &mut who).await?;
        for store in &self.places()?.stores {
            self.remove_from(job, scope, &**store, &who, tally).await?;
        }
        // the request that asked for this names who it is for, and is on record when it has been answered
        let left = (erasure.created_at + ANSWERED - self.clock.now()).to_std().unwrap_or_default();
        tokio::time::sleep(left.min(OTHERS)).await;
        self.wait_for_journals().await?;
        let asked = RecordedBetween::all(erasure.created_at, self.clock.now());
        self.remove_from(job, scope, &asked, &who, tally).await?;
        self.forget_changes(scope, &who, tally).await
    }

    async fn remove_from(
        &self,
        job: &JobContext,
        scope: &Scope,
        store: &dyn Store,
        who: &Who,
        tally: &mut Tally,
    ) -> Result<()> {
        let mut at = Some(Cursor::default());
        while let Some(from) = at {
            if job.is_cancelled() {
                return Err(cancelled());
            }
            let tx = self.db.write(scope).await?;
            let Step { removed, next } = store.remove(&tx, who, from).await?;
            removed.into_iter().for_each(|(place, removed)| tally.add(place, removed));
            tally.write_here(&tx).await?;
            tx.commit().await?;
            at = next;
        }
        Ok(())
    }

    /// What else belongs to the person, and is remembered as they are.
    async fn find_more(&self, scope: &Scope, erasure: &Model, who: &mut Who) -> Result<()> {
        let tx = self.db.write(scope).await?;
        for store in &self.places()?.stores {
            store.resolve(&tx, who).await?;
        }
        let known =
            tx.find::<erased::Entity>().filter(erased::Column::ErasureId.eq(erasure.id)).all().await?;
        let known: HashSet<Vec<u8>> = known.into_iter().map(|row| row.digest).collect();
        let digest = |id: String| self.guard.digest(scope.tenant(), Subject::Session(&id));
        let new =
            who.sessions.iter().map(|id| digest(id.to_string())).filter(|digest| !known.contains(digest));
        self.remember(&tx, erasure.id, new.collect()).await?;
        tx.commit().await
    }

    /// Removes from what the database and the journal have left of deleted rows, and writes the receipt.
    async fn complete(&self, scope: &Scope, erasure: Model, tally: &Tally) -> Result<()> {
        if erasure.searched.is_some() {
            let tx = self.db.write(scope).await?;
            let mut row = tx.update_many::<Entity>().set(Column::Searched, json_null());
            if erasure.subject_type == SubjectType::EndUser {
                row = row.set(Column::SubjectId, Option::<String>::None);
            }
            row.filter(Column::Id.eq(erasure.id)).exec().await?;
            // what is under way has its notice by now, and nobody gives out what was read before
            self.notices.announce(&tx, &self.clock, "erasures", erasure.id).await?;
            tx.commit().await?;
        }
        let overwritten = self.overwrite().await?;
        let now = self.clock.now();
        let receipt = self.receipt(&erasure, tally, overwritten, now)?;
        let tx = self.db.write(scope).await?;
        tx.update_many::<erased::Entity>()
            .set(erased::Column::Before, now)
            .filter(erased::Column::ErasureId.eq(erasure.id))
            .exec()
            .await?;
        let row = tx.update_many::<Entity>().set(Column::State, ErasureState::Completed);
        let row = row.set(Column::Receipt, json_value(receipt)).set(Column::CompletedAt, now);
        row.set(Column::UpdatedAt, now).filter(Column::Id.eq(erasure.id)).exec().await?;
        let changes = json!({ "removed": tally.value()? });
        let notice = self.changes.record(&tx, "complete", "erasures", erasure.id, changes).await?;
        self.changes.commit(tx, notice).await
    }
}

fn json_null() -> sea_orm::sea_query::SimpleExpr {
    sea_orm::sea_query::Expr::val(Option::<Value>::None)
}

/// Somebody cancelled the job, or the server stops: it goes on in another run.
pub(super) fn cancelled() -> Error {
    Error::new(Kind::Unavailable, "cancelled", "the erasure was interrupted; it goes on in the next run")
}
