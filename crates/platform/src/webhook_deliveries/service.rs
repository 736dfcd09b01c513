//! Creating, reading and controlling deliveries.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, Utc};
use loam_db::{Db, Tx};
use loam_jobs::{Handlers, NewJob, Schedule, Wake, enqueue};
use loam_kernel::{
    ChannelId, Clock, Error, Kind, Page, PageQuery, Result, Scope, TenantId, WebhookDeliveryId,
};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::IntoParams;

use super::attempt::{ATTEMPT, Attempt, Attempts};
use super::entity::{ActiveModel, Column, DeliveryState, Entity, Model};
use super::handler::DeliveryHandler;
use super::host_backoff::HostBackoff;
use super::retention::Retention;
use super::settings::DeliverySettings;
use crate::audit_logs::{self, Change};
use crate::system_config::LiveConfig;

/// Maximum number of runs of a job that only starts attempts: they fail only if the database does.
const RUNS: u16 = 100;

/// A new delivery.
#[derive(Clone, Debug)]
pub struct NewDelivery {
    /// The channel that it is sent through.
    pub channel: Option<ChannelId>,
    /// The kind, which selects the handler.
    pub kind: &'static str,
    /// Deliveries of one lane are sent in order.
    pub lane: Option<String>,
    /// The target for display, without secrets.
    pub target: String,
    /// The payload.
    pub payload: Value,
}

/// Filters for deliveries.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WebhookDeliveryFilter {
    /// Only deliveries in this state; `dead` lists the dead letters.
    pub state: Option<DeliveryState>,
    /// Only deliveries of this channel.
    pub channel_id: Option<ChannelId>,
    /// Only deliveries of this kind.
    pub kind: Option<String>,
}

/// The deliveries. Cheap to clone.
#[derive(Clone)]
pub struct WebhookDeliveries(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) db: Db,
    pub(super) clock: Clock,
    pub(super) settings: LiveConfig<DeliverySettings>,
    pub(super) backoff: HostBackoff,
    handlers: RwLock<HashMap<&'static str, Arc<dyn DeliveryHandler>>>,
    wake: OnceLock<Wake>,
}

impl WebhookDeliveries {
    /// On a migrated database.
    pub fn new(db: Db, clock: Clock, settings: LiveConfig<DeliverySettings>) -> Self {
        let (backoff, handlers, wake) = (HostBackoff::default(), RwLock::default(), OnceLock::new());
        Self(Arc::new(Inner { db, clock, settings, backoff, handlers, wake }))
    }

    /// Registers the handler of a kind of deliveries.
    pub fn register(&self, kind: &'static str, handler: impl DeliveryHandler + 'static) {
        self.0.handlers.write().unwrap_or_else(PoisonError::into_inner).insert(kind, Arc::new(handler));
    }

    pub(super) fn handler(&self, kind: &str) -> Option<Arc<dyn DeliveryHandler>> {
        self.0.handlers.read().unwrap_or_else(PoisonError::into_inner).get(kind).cloned()
    }

    /// Adds the jobs that run deliveries and delete old ones.
    pub fn jobs(&self, handlers: Handlers) -> Result<Handlers> {
        let sweep = Schedule::new(Retention::KIND, Duration::from_hours(1))?;
        Ok(handlers.with(Attempts(self.clone())).with(Retention(self.clone())).every(sweep))
    }

    /// Connects the job runner of this process, which is woken for new deliveries.
    pub fn wake_with(&self, wake: Wake) {
        _ = self.0.wake.set(wake);
    }

    /// Wakes the job runner; called after the commit of a new delivery.
    pub fn wake(&self) {
        if let Some(wake) = self.0.wake.get() {
            wake.wake();
        }
    }

    /// Creates a delivery in the caller's transaction.
    pub async fn enqueue<R>(&self, tx: &Tx<R>, new: NewDelivery) -> Result<Model> {
        let now = self.0.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.0.clock.id()),
            channel_id: Set(new.channel),
            kind: Set(new.kind.to_owned()),
            lane: Set(new.lane),
            target: Set(new.target),
            payload: Set(new.payload),
            state: Set(DeliveryState::Pending),
            attempts: Set(0),
            status_code: Set(None),
            error_message: Set(None),
            next_attempt_at: Set(Some(now)),
            attempt_until: Set(None),
            delivered_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let row = tx.insert(row).await?;
        self.attempt_at(tx, row.id, now).await?;
        Ok(row)
    }

    /// Schedules an attempt.
    pub(super) async fn attempt_at<R>(
        &self,
        tx: &Tx<R>,
        id: WebhookDeliveryId,
        at: DateTime<Utc>,
    ) -> Result<()> {
        let job = NewJob::new(ATTEMPT, Attempt { delivery_id: id }).at(at).attempts(RUNS);
        enqueue(tx, &self.0.clock, job).await.map(drop)
    }

    /// Releases the next delivery of the lane of one that has ended.
    pub(super) async fn release<R>(&self, tx: &Tx<R>, ended: &Model) -> Result<()> {
        let Some(lane) = &ended.lane else { return Ok(()) };
        let behind = Condition::all()
            .add(Column::Lane.eq(lane))
            .add(Column::State.eq(DeliveryState::Pending))
            .add(Column::Id.ne(ended.id));
        let Some(next) = tx.find::<Entity>().filter(behind).order_by_asc(Column::Id).one().await? else {
            return Ok(());
        };
        // a delivery with a scheduled time already has its job
        if next.next_attempt_at.is_none() {
            self.attempt_at(tx, next.id, self.0.clock.now()).await?;
        }
        Ok(())
    }

    /// Gives up the pending deliveries of a deleted channel.
    pub async fn abandon<R>(&self, tx: &Tx<R>, channel: ChannelId, why: &str) -> Result<u64> {
        let now = self.0.clock.now();
        tx.update_many::<Entity>()
            .set(Column::State, DeliveryState::Dead)
            .set(Column::ErrorMessage, why)
            .set(Column::NextAttemptAt, Option::<DateTime<Utc>>::None)
            // a running attempt notices that the delivery is no longer its own
            .set(Column::AttemptUntil, Option::<DateTime<Utc>>::None)
            .set(Column::UpdatedAt, now)
            .filter(Column::ChannelId.eq(channel))
            .filter(Column::State.eq(DeliveryState::Pending))
            .exec()
            .await
    }

    /// The tenant's deliveries, newest first.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: WebhookDeliveryFilter,
        page: &PageQuery,
    ) -> Result<Page<Model>> {
        let filter = Condition::all()
            .add_option(filter.state.map(|state| Column::State.eq(state)))
            .add_option(filter.channel_id.map(|id| Column::ChannelId.eq(id)))
            .add_option(filter.kind.map(|kind| Column::Kind.eq(kind)));
        self.0.db.read(scope).await?.find::<Entity>().filter(filter).page(page, |row| row.id.0).await
    }

    /// One delivery.
    pub async fn get(&self, scope: &Scope, id: WebhookDeliveryId) -> Result<Model> {
        self.0.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(missing)
    }

    /// Retries a delivery now, with all attempts of a new one.
    pub async fn retry(&self, scope: &Scope, id: WebhookDeliveryId) -> Result<Model> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        if old.state == DeliveryState::Delivered {
            let message = "it is already delivered; sending it again would deliver it twice";
            return Err(Error::new(Kind::Conflict, "already_delivered", message));
        }
        let now = self.0.clock.now();
        let mut row = old.into_active_model();
        row.state = Set(DeliveryState::Pending);
        row.attempts = Set(0);
        row.next_attempt_at = Set(Some(now));
        row.updated_at = Set(now);
        let row = tx.update(row).await?;
        self.attempt_at(&tx, id, now).await?;
        self.record(&tx, "retry", &row).await?;
        tx.commit().await?;
        self.wake();
        Ok(row)
    }

    /// Deletes a delivery; a pending one is cancelled.
    pub async fn delete(&self, scope: &Scope, id: WebhookDeliveryId) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let old = tx.get_locked::<Entity>(id).await?.ok_or_else(missing)?;
        tx.delete::<Entity>().filter(Column::Id.eq(id)).exec().await?;
        self.release(&tx, &old).await?;
        self.record(&tx, "delete", &old).await?;
        tx.commit().await?;
        self.wake();
        Ok(())
    }

    async fn record<R>(&self, tx: &Tx<R>, action: &'static str, row: &Model) -> Result<()> {
        let changes = json!({ "kind": row.kind, "target": row.target, "state": row.state });
        let resource_id = &row.id.to_string();
        let change = Change { action, resource_type: "webhook_deliveries", resource_id, changes };
        audit_logs::record(tx, &self.0.clock, change).await
    }
}

/// Deletes all deliveries of some lanes, in the caller's transaction; returns the number.
///
/// # Errors
/// A failure of the database.
pub async fn delete_lanes<R>(tx: &Tx<R>, lanes: &[String]) -> Result<u64> {
    if lanes.is_empty() {
        return Ok(0);
    }
    tx.delete::<Entity>().filter(Column::Lane.is_in(lanes.iter().cloned())).exec().await
}

fn missing() -> Error {
    Error::not_found("delivery")
}
