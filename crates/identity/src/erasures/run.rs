//! The erasure job. It can be repeated at any point: rows are removed and counted once.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_db::Tx;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{ErasureId, Error, Kind, NodeId, Result, Scope, TenantId};
use loam_platform::drain::checkpoint;
use loam_platform::personal::erasure::{Column, Entity, ErasureState, Model, SubjectType};
use loam_platform::personal::{
    Cursor, PersonQuery, PersonalDataStore, RecordedBetween, Removed, Step, Subject, erased,
};
use sea_orm::{ColumnTrait, QueryFilter};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::Identity;

/// How long an erasure waits for the journals of other nodes: each drains within a second while it runs. A node that is
/// down applies the erasure when it comes back.
const OTHER_NODES_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum delay between a response and its request record.
const RECORD_DELAY: TimeDelta = TimeDelta::seconds(2);
/// A node that drained within this time counts as running.
const ACTIVE_NODE_AGE: TimeDelta = TimeDelta::hours(1);

#[derive(Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) erasure_id: ErasureId,
}

/// Runs erasures.
pub struct RunErasure(pub Identity);

impl RunErasure {
    pub(crate) const KIND: &'static str = "erasures.run";
}

/// Removed rows so far, by location; stored in the erasure's row, in the transaction of the removal.
pub(super) struct RemovalCounts {
    erasure: ErasureId,
    tenant: TenantId,
    removed: BTreeMap<String, Removed>,
    changed: bool,
}

impl RemovalCounts {
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

    /// Writes the counts into the erasure's row, in the transaction of the removal.
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
        let mut counts = RemovalCounts::of(&row)?;
        self.0.wait_for_journals().await?;
        match (row.subject_type, &row.searched) {
            (SubjectType::Tenant, _) => {
                let tenant = row.subject_id.as_deref().and_then(|id| id.parse().ok());
                let tenant = tenant.ok_or_else(|| Error::internal("an erasure of a tenant names none"))?;
                self.0.remove_tenant(job, tenant, &mut counts).await?;
            }
            (_, Some(searched)) => {
                let who: PersonQuery = serde_json::from_value(searched.clone()).map_err(Error::internal)?;
                self.0.remove_person(job, &scope, &row, who, &mut counts).await?;
            }
            // an earlier run removed everything
            (_, None) => {}
        }
        self.0.complete(&scope, row, &counts).await
    }
}

impl Identity {
    /// Waits until all data that was in a journal when the erasure began is in the database.
    async fn wait_for_journals(&self) -> Result<()> {
        let Some(drain_progress) = self.drain_progress.get() else { return Ok(()) };
        drain_progress.wait_until_drained().await?;
        let own = NodeId(Uuid::from_bytes(drain_progress.journal.id()));
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "erasures")).await?;
        let others = tx.find_any::<checkpoint::Entity>().filter(checkpoint::Column::NodeId.ne(own));
        let lately = checkpoint::Column::UpdatedAt.gt(self.clock.now() - ACTIVE_NODE_AGE);
        let others = others.filter(lately).count().await?;
        drop(tx);
        if others > 0 {
            tokio::time::sleep(OTHER_NODES_TIMEOUT).await;
        }
        Ok(())
    }

    /// Processes every location, page by page.
    async fn remove_person(
        &self,
        job: &JobContext,
        scope: &Scope,
        erasure: &Model,
        mut who: PersonQuery,
        counts: &mut RemovalCounts,
    ) -> Result<()> {
        self.find_more(scope, erasure, &mut who).await?;
        for store in &self.data_locations()?.stores {
            self.remove_from(job, scope, &**store, &who, counts).await?;
        }
        // the request for this erasure names the person, and is recorded after its response
        let left = (erasure.created_at + RECORD_DELAY - self.clock.now()).to_std().unwrap_or_default();
        tokio::time::sleep(left.min(OTHER_NODES_TIMEOUT)).await;
        self.wait_for_journals().await?;
        let asked = RecordedBetween::all(erasure.created_at, self.clock.now());
        self.remove_from(job, scope, &asked, &who, counts).await?;
        self.delete_request_records(scope, &who, counts).await
    }

    async fn remove_from(
        &self,
        job: &JobContext,
        scope: &Scope,
        store: &dyn PersonalDataStore,
        who: &PersonQuery,
        counts: &mut RemovalCounts,
    ) -> Result<()> {
        let mut at = Some(Cursor::default());
        while let Some(from) = at {
            if job.is_cancelled() {
                return Err(cancelled());
            }
            let tx = self.db.write(scope).await?;
            let Step { removed, next } = store.remove(&tx, who, from).await?;
            removed.into_iter().for_each(|(seal_context, removed)| counts.add(seal_context, removed));
            counts.write_here(&tx).await?;
            tx.commit().await?;
            at = next;
        }
        Ok(())
    }

    /// Adds what else identifies the person, and stores its digests.
    async fn find_more(&self, scope: &Scope, erasure: &Model, who: &mut PersonQuery) -> Result<()> {
        let tx = self.db.write(scope).await?;
        for store in &self.data_locations()?.stores {
            store.resolve(&tx, who).await?;
        }
        let known =
            tx.find::<erased::Entity>().filter(erased::Column::ErasureId.eq(erasure.id)).all().await?;
        let known: HashSet<Vec<u8>> = known.into_iter().map(|row| row.digest).collect();
        let digest = |id: String| self.guard.digest(scope.tenant(), Subject::Session(&id));
        let new =
            who.sessions.iter().map(|id| digest(id.to_string())).filter(|digest| !known.contains(digest));
        self.insert_digests(&tx, erasure.id, new.collect()).await?;
        tx.commit().await
    }

    /// Overwrites what the files of the database and the journal still hold of deleted rows, and writes the receipt.
    async fn complete(&self, scope: &Scope, erasure: Model, counts: &RemovalCounts) -> Result<()> {
        if erasure.searched.is_some() {
            let tx = self.db.write(scope).await?;
            let mut row = tx.update_many::<Entity>().set(Column::Searched, json_null());
            if erasure.subject_type == SubjectType::EndUser {
                row = row.set(Column::SubjectId, Option::<String>::None);
            }
            row.filter(Column::Id.eq(erasure.id)).exec().await?;
            // all nodes have received the notices by now, so no cached value from before is used
            self.notices.announce(&tx, &self.clock, "erasures", erasure.id).await?;
            tx.commit().await?;
        }
        let overwritten = self.overwrite().await?;
        let now = self.clock.now();
        let receipt = self.receipt(&erasure, counts, overwritten, now)?;
        let tx = self.db.write(scope).await?;
        tx.update_many::<erased::Entity>()
            .set(erased::Column::Before, now)
            .filter(erased::Column::ErasureId.eq(erasure.id))
            .exec()
            .await?;
        let row = tx.update_many::<Entity>().set(Column::State, ErasureState::Completed);
        let row = row.set(Column::Receipt, json_value(receipt)).set(Column::CompletedAt, now);
        row.set(Column::UpdatedAt, now).filter(Column::Id.eq(erasure.id)).exec().await?;
        let changes = json!({ "removed": counts.value()? });
        let notice = self.changes.record(&tx, "complete", "erasures", erasure.id, changes).await?;
        self.changes.commit(tx, notice).await
    }
}

fn json_null() -> sea_orm::sea_query::SimpleExpr {
    sea_orm::sea_query::Expr::val(Option::<Value>::None)
}

/// The job was cancelled or the server stops: the next run continues it.
pub(super) fn cancelled() -> Error {
    Error::new(Kind::Unavailable, "cancelled", "the erasure was interrupted; the next run continues it")
}
