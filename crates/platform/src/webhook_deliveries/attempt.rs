//! One attempt of one delivery, as a job.
//!
//! The job carries nothing but the id; the row says whether, when and how often. So an attempt that died with its node is
//! made again when its time is over, and a job too many finds nothing to do.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use chrono::TimeDelta;
use loam_jobs::{Handler, JobContext, read_payload};
use loam_kernel::{Error, Result, Scope, WebhookDeliveryId};
use sea_orm::{ColumnTrait, Condition, IntoActiveModel, QueryFilter, QueryOrder, Set};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::WebhookDeliveries;
use super::entity::{Column, DeliveryState, Entity, Model};
use super::handler::Outcome;

pub(super) const ATTEMPT: &str = "webhook_deliveries.attempt";

/// What is added to the time of an attempt before another may be made: for the record of how it ended.
const MARGIN: Duration = Duration::from_secs(5);
/// How long a delivery holds up those behind it at most. Its own attempts end sooner, unless somebody takes its job away.
const MAX_LANE_BLOCK: TimeDelta = TimeDelta::hours(24);
/// How much of an error is kept, in characters.
const ERROR_LENGTH: usize = 1000;

#[derive(Serialize, Deserialize)]
pub(super) struct Attempt {
    pub(super) delivery_id: WebhookDeliveryId,
}

/// Makes attempts.
pub(super) struct Attempts(pub(super) WebhookDeliveries);

#[async_trait]
impl Handler for Attempts {
    fn kind(&self) -> &'static str {
        ATTEMPT
    }

    fn waits(&self) -> bool {
        true
    }

    async fn run(&self, job: &JobContext, payload: Value) -> Result<()> {
        let Attempt { delivery_id } = read_payload(payload)?;
        self.0.attempt(&job.scope(), delivery_id).await
    }
}

impl WebhookDeliveries {
    /// Tries a delivery, if it is due.
    async fn attempt(&self, scope: &Scope, id: WebhookDeliveryId) -> Result<()> {
        let limit = self.0.settings.of(scope.tenant()).timeout();
        let Some(delivery) = self.begin(scope, id, limit).await? else { return Ok(()) };
        let (backoff, began, timer) = (&self.0.backoff, self.0.clock.now(), Instant::now());
        let outcome = match self.handler(&delivery.kind) {
            Some(handler) => match tokio::time::timeout(limit, handler.deliver(scope, &delivery)).await {
                Ok(Ok(outcome)) => outcome,
                Ok(Err(e)) => {
                    tracing::warn!(delivery.id = %id, error = ?e, "a delivery could not be tried");
                    retry_later(e.message().to_owned())
                }
                Err(_) => retry_later(format!("no answer within {limit:?}")),
            },
            None => retry_later(format!("this server knows no deliveries of kind `{}`", delivery.kind)),
        };
        match &outcome {
            // one who refuses at once costs nothing
            Outcome::Retry { status: None, .. } if timer.elapsed() >= limit / 2 => {
                backoff.record_no_response(scope.tenant(), &delivery.target, began, self.0.clock.now());
            }
            Outcome::Retry { status: None, .. } => {}
            _ => backoff.record_response(scope.tenant(), &delivery.target),
        }
        self.finish(scope, &delivery, outcome).await
    }

    /// Takes the delivery for one attempt; none if there is nothing to do now.
    async fn begin(&self, scope: &Scope, id: WebhookDeliveryId, limit: Duration) -> Result<Option<Model>> {
        let tx = self.0.db.write(scope).await?;
        let Some(row) = tx.get_locked::<Entity>(id).await? else { return Ok(None) };
        let now = self.0.clock.now();
        let early = row.next_attempt_at.is_some_and(|at| at > now);
        if row.state != DeliveryState::Pending || early {
            return Ok(None);
        }
        if let Some(until) = row.attempt_until.filter(|until| *until > now) {
            // another attempt is under way, or died: this job sees to it that it isn't the last
            let wait = (until - now).to_std().unwrap_or_default() + Duration::from_secs(1);
            let message = "another attempt is under way";
            return Err(Error::unavailable("attempt_under_way", message, wait));
        }
        if let Some(lane) = &row.lane {
            let ahead = Condition::all()
                .add(Column::Lane.eq(lane))
                .add(Column::State.eq(DeliveryState::Pending))
                .add(Column::Id.lt(id))
                .add(Column::CreatedAt.gt(now - MAX_LANE_BLOCK));
            // locked: either its end sees this one waiting, or this one sees its end
            let ahead = tx.find::<Entity>().filter(ahead).order_by_asc(Column::Id).locked().one().await?;
            if ahead.is_some() {
                let mut row = row.into_active_model();
                row.next_attempt_at = Set(None);
                tx.update(row).await?;
                tx.commit().await?;
                return Ok(None);
            }
        }
        if let Some(rest) = self.0.backoff.wait_for(scope.tenant(), &row.target, now, limit) {
            // not an attempt: nobody was asked
            let next = now + TimeDelta::from_std(rest).unwrap_or_default();
            let mut row = row.into_active_model();
            row.next_attempt_at = Set(Some(next));
            row.error_message =
                Set(Some("its host has not answered lately, and is left alone for a while".to_owned()));
            row.updated_at = Set(now);
            tx.update(row).await?;
            self.attempt_at(&tx, id, next).await?;
            tx.commit().await?;
            return Ok(None);
        }
        let attempts = row.attempts + 1;
        let until = now + TimeDelta::from_std(limit + MARGIN).unwrap_or_default();
        let mut row = row.into_active_model();
        row.attempts = Set(attempts);
        row.attempt_until = Set(Some(until));
        row.updated_at = Set(now);
        let row = tx.update(row).await?;
        tx.commit().await?;
        Ok(Some(row))
    }

    /// Writes down how an attempt ended, and sees to what follows.
    async fn finish(&self, scope: &Scope, tried: &Model, outcome: Outcome) -> Result<()> {
        let tx = self.0.db.write(scope).await?;
        let Some(row) = tx.get_locked::<Entity>(tried.id).await? else { return Ok(()) };
        // another attempt has it, or somebody gave it up meanwhile: what was taken was taken, and the rest is theirs
        let taken = row.attempt_until != tried.attempt_until;
        if taken && !matches!(outcome, Outcome::Delivered { .. }) {
            return Ok(());
        }
        let (settings, now) = (self.0.settings.of(scope.tenant()), self.0.clock.now());
        let (state, status, error, next) = match outcome {
            Outcome::Delivered { status } => (DeliveryState::Delivered, Some(status), None, None),
            Outcome::Rejected { status, error } => (DeliveryState::Dead, status, Some(error), None),
            Outcome::Retry { status, error, .. } if row.attempts >= settings.max_attempts => {
                (DeliveryState::Dead, status, Some(error), None)
            }
            Outcome::Retry { status, error, after } => {
                let pause = settings.pause(&self.0.clock, row.attempts).max(after.unwrap_or_default());
                let next = now + TimeDelta::from_std(pause).unwrap_or_default();
                (DeliveryState::Pending, status, Some(error), Some(next))
            }
        };
        let (kind, attempts) = (row.kind.clone(), row.attempts);
        let mut row = row.into_active_model();
        row.state = Set(state);
        row.status_code = Set(status.map(i32::from));
        row.error_message =
            Set(error.map(|text| text.chars().filter(|c| *c != '\0').take(ERROR_LENGTH).collect()));
        row.next_attempt_at = Set(next);
        row.attempt_until = Set(None);
        row.delivered_at = Set((state == DeliveryState::Delivered).then_some(now));
        row.updated_at = Set(now);
        let row = tx.update(row).await?;
        match next {
            Some(next) => self.attempt_at(&tx, row.id, next).await?,
            None => self.release(&tx, &row).await?,
        }
        tx.commit().await?;
        self.wake();
        let outcome = match state {
            DeliveryState::Pending => "again",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Dead => "dead",
        };
        metrics::counter!("loam_webhook_attempts_total", "outcome" => outcome).increment(1);
        if state == DeliveryState::Dead {
            let error = row.error_message;
            tracing::warn!(delivery.id = %row.id, delivery.kind = kind, delivery.attempts = attempts, error, "a delivery was given up");
        }
        Ok(())
    }
}

fn retry_later(error: String) -> Outcome {
    Outcome::Retry { status: None, error, after: None }
}
