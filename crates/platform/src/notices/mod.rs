//! Change notices, by which every process invalidates cached values within a second.
//!
//! A notice is a row written in the transaction of the change. The process that made the change notifies its own
//! subscribers immediately; every other one, on any machine, finds the row at its next poll. Notices are polled, as
//! `LISTEN` does not work through PgBouncer in transaction mode.

pub mod entity;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use chrono::TimeDelta;
use loam_db::{Db, Tx};
use loam_kernel::{Clock, Result, Scope, TenantId, UserId};
use sea_orm::{ColumnTrait, QueryFilter, Set};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::cache::Caches;

/// Interval of polling for other processes' notices; with the time of a poll it stays well below a second.
const POLL_INTERVAL: Duration = Duration::from_millis(300);

/// Interval of polls that are requested by [`Notices::catch_up`], so that they don't occupy the database.
const MIN_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// How long [`Notices::catch_up`] waits at most.
const CATCH_UP_TIMEOUT: Duration = Duration::from_secs(1);

/// How far back each poll looks: a transaction may commit after one that began later, and clocks differ.
const OVERLAP: TimeDelta = TimeDelta::seconds(10);

/// How long notices are stored.
const RETENTION: TimeDelta = TimeDelta::hours(1);

/// Something has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// In which tenant.
    pub tenant: TenantId,
    /// In which table.
    pub topic: String,
    /// Which row; nil: many.
    pub subject: Uuid,
    /// Whose it is, where something is kept by user.
    pub owner: Option<UserId>,
    /// The row that tells other processes, where the publisher knows it: this process then ignores the row.
    pub id: Option<Uuid>,
}

/// Writes a notice for other processes, in the transaction of the change; `owner` is the user whose row it is, where
/// something is kept by user. To be published after the commit.
pub async fn announce<R>(
    tx: &Tx<R>,
    clock: &Clock,
    topic: &str,
    subject: Uuid,
    owner: Option<UserId>,
) -> Result<Notice> {
    let tenant = tx.scope().tenant();
    let id: Uuid = clock.id();
    let row = entity::ActiveModel {
        tenant_id: Set(tenant),
        id: Set(id),
        topic: Set(topic.to_owned()),
        subject_id: Set(subject),
        owner_id: Set(owner),
        created_at: Set(clock.now()),
    };
    tx.insert(row).await?;
    Ok(Notice { tenant, topic: topic.to_owned(), subject, owner, id: Some(id) })
}

type Subscriber = Arc<dyn Fn(&Notice) + Send + Sync>;

/// The notices of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Notices {
    subscribers: Arc<RwLock<Vec<Subscriber>>>,
    /// The rows of recent notices that the subscribers have received.
    received: Arc<Mutex<HashSet<Uuid>>>,
    caches: Caches,
    poll_now: Arc<Notify>,
    polls: Arc<watch::Sender<Polls>>,
}

/// The polls of this process so far, counted from 1; 0 where nothing polls.
#[derive(Clone, Copy, Default)]
struct Polls {
    begun: u64,
    done: u64,
}

impl Notices {
    /// The caches that listen here.
    pub fn caches(&self) -> &Caches {
        &self.caches
    }

    /// Calls `subscriber` for every notice from now on; it must not block.
    pub fn subscribe(&self, subscriber: impl Fn(&Notice) + Send + Sync + 'static) {
        self.subscribers.write().unwrap_or_else(PoisonError::into_inner).push(Arc::new(subscriber));
    }

    /// Notifies the subscribers of this process. Called after the commit. A poll does not notify them again: what they
    /// have read since is not older than the change.
    pub fn publish(&self, notice: &Notice) {
        if let Some(id) = notice.id {
            self.received().insert(id);
        }
        let subscribers = self.subscribers.read().unwrap_or_else(PoisonError::into_inner).clone();
        for subscriber in subscribers {
            subscriber(notice);
        }
    }

    /// Writes the notice for other processes, in the transaction of the change.
    pub async fn announce<R>(
        &self,
        tx: &Tx<R>,
        clock: &Clock,
        topic: &str,
        subject: impl Into<Uuid>,
    ) -> Result<Notice> {
        announce(tx, clock, topic, subject.into(), None).await
    }

    /// Waits until this process has received every notice that was committed before the call, for at most a second. For
    /// what is looked up by a name and not found: another process may just have created it. Returns at once where nothing
    /// polls.
    pub async fn catch_up(&self) {
        let begun = self.polls.borrow().begun;
        if begun == 0 {
            return;
        }
        self.poll_now.notify_one();
        let mut polls = self.polls.subscribe();
        // a poll that has begun already may have missed it
        let next = polls.wait_for(|polls| polls.done > begun);
        _ = tokio::time::timeout(CATCH_UP_TIMEOUT, next).await;
    }

    /// Polls for other processes' notices until stopped. While the database is unavailable, cached values stay in use, and the
    /// notices are found when it is back.
    pub async fn watch(self, db: Db, clock: Clock, stop: CancellationToken) {
        let scope = Scope::system(TenantId::NIL, "notices");
        let mut since = clock.id_at(clock.now() - OVERLAP);
        self.polls.send_replace(Polls { begun: 1, done: 1 });
        while stop.run_until_cancelled(self.next_poll()).await.is_some() {
            self.polls.send_modify(|polls| polls.begun += 1);
            match self.poll(&db, &clock, &scope, since).await {
                Ok(next) => since = next,
                Err(e) => tracing::debug!(error = %e, "cannot poll for change notices"),
            }
            self.polls.send_modify(|polls| polls.done = polls.begun);
        }
    }

    /// Waits for the time of the next poll: sooner, if one is requested.
    async fn next_poll(&self) {
        tokio::time::sleep(MIN_POLL_INTERVAL).await;
        _ = tokio::time::timeout(POLL_INTERVAL - MIN_POLL_INTERVAL, self.poll_now.notified()).await;
    }

    async fn poll(&self, db: &Db, clock: &Clock, scope: &Scope, since: Uuid) -> Result<Uuid> {
        let next = clock.id_at(clock.now() - OVERLAP);
        let tx = db.system_read(scope).await?;
        let rows = tx.find_any::<entity::Entity>().filter(entity::Column::Id.gt(since)).all().await?;
        self.received().retain(|id| *id > since);
        for row in rows {
            let received = self.received().contains(&row.id);
            if !received {
                let (tenant, subject, owner) = (row.tenant_id, row.subject_id, row.owner_id);
                self.publish(&Notice { tenant, topic: row.topic, subject, owner, id: Some(row.id) });
            }
        }
        Ok(next)
    }

    fn received(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.received.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Deletes notices that every process has received; returns the number.
pub async fn delete_old(db: &Db, clock: &Clock, scope: &Scope) -> Result<u64> {
    let before = clock.now() - RETENTION;
    let tx = db.system_write(scope).await?;
    let deleted =
        tx.delete_any::<entity::Entity>().filter(entity::Column::CreatedAt.lt(before)).exec().await?;
    tx.commit().await?;
    Ok(deleted)
}
