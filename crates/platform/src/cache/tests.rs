//! What a cache may give, and to whom.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_kernel::{Error, Kind, Result, TenantId};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{Cache, CacheSpec};
use crate::notices::{Notice, Notices};

const SPEC: CacheSpec =
    CacheSpec { name: "things", capacity: 100, ttl: Duration::from_mins(30), topics: &["things"] };

/// A table of one value, which counts how often it is read.
#[derive(Clone, Default)]
struct Table {
    value: Arc<Mutex<u32>>,
    reads: Arc<AtomicUsize>,
}

impl Table {
    async fn read(&self) -> Result<u32> {
        self.reads.fetch_add(1, SeqCst);
        let value = *self.value.lock().unwrap();
        tokio::task::yield_now().await;
        Ok(value)
    }

    fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }
}

fn cache(notices: &Notices, spec: CacheSpec) -> Cache<Uuid, u32> {
    Cache::new(spec, notices, |notice| Some(notice.subject).filter(|subject| !subject.is_nil()))
}

fn notice(topic: &str, subject: Uuid) -> Notice {
    Notice { tenant: TenantId::NIL, topic: topic.to_owned(), subject, owner: None, id: None }
}

const KEY: Uuid = Uuid::from_u128(7);

#[tokio::test]
async fn a_value_is_read_once_and_again_after_a_change() {
    let (notices, table) = (Notices::default(), Table::default());
    let cache = cache(&notices, SPEC);
    for _ in 0..3 {
        assert_eq!(cache.get(KEY, || table.read()).await.unwrap(), 0);
    }
    assert_eq!(table.reads(), 1);
    *table.value.lock().unwrap() = 1;
    notices.publish(&notice("others", KEY));
    assert_eq!(cache.get(KEY, || table.read()).await.unwrap(), 0, "that was a notice of something else");
    notices.publish(&notice("things", KEY));
    assert_eq!(cache.get(KEY, || table.read()).await.unwrap(), 1);
    *table.value.lock().unwrap() = 2;
    notices.publish(&notice("things", Uuid::nil()));
    assert_eq!(
        cache.get(KEY, || table.read()).await.unwrap(),
        2,
        "a notice without a key is about every value"
    );
    assert_eq!(table.reads(), 3);
}

#[tokio::test]
async fn many_who_ask_at_once_wait_for_one_reading() {
    let (notices, table) = (Notices::default(), Table::default());
    let cache = cache(&notices, SPEC);
    let all = futures_util::future::join_all((0..50).map(|_| cache.get(KEY, || table.read()))).await;
    assert!(all.into_iter().all(|value| value.unwrap() == 0));
    assert_eq!(table.reads(), 1);
}

/// The reading that began before a change neither stays, nor is given to one who asks after it.
#[tokio::test]
async fn what_was_read_before_a_change_is_not_given_after_it() {
    let (notices, gate) = (Notices::default(), Arc::new(Semaphore::new(0)));
    let cache = cache(&notices, SPEC);
    let slow = cache.get(KEY, || async {
        gate.acquire().await.unwrap().forget();
        Ok(1)
    });
    let changed = async {
        tokio::task::yield_now().await;
        notices.publish(&notice("things", KEY));
        let after = cache.get(KEY, || async { Ok(2) }).await.unwrap();
        gate.add_permits(1);
        after
    };
    let (before, after) = tokio::join!(slow, changed);
    assert_eq!((before.unwrap(), after), (1, 2));
    assert_eq!(
        cache.get(KEY, || async { Ok(3) }).await.unwrap(),
        3,
        "the slow reading put an old value over the new one"
    );
}

#[tokio::test]
async fn while_the_database_is_away_what_was_read_last_is_given() {
    let notices = Notices::default();
    let cache = cache(&notices, SPEC);
    let away = || async { Err(Error::unavailable("database_unavailable", "away", Duration::from_secs(1))) };
    assert!(cache.get(KEY, away).await.is_err(), "there is nothing to give yet");
    assert_eq!(cache.get(KEY, || async { Ok(1) }).await.unwrap(), 1);
    notices.publish(&notice("things", KEY));
    assert_eq!(cache.get(KEY, away).await.unwrap(), 1);
    let other = || async { Err(Error::internal("a fault of our own")) };
    assert_eq!(cache.get(KEY, other).await.unwrap_err().kind(), Kind::Internal);
    assert_eq!(cache.get(KEY, || async { Ok(2) }).await.unwrap(), 2);
}

#[tokio::test]
async fn a_value_is_read_again_when_its_time_is_up() {
    let (notices, table) = (Notices::default(), Table::default());
    let cache = cache(&notices, CacheSpec { ttl: Duration::ZERO, ..SPEC });
    for _ in 0..3 {
        cache.get(KEY, || table.read()).await.unwrap();
    }
    assert_eq!(table.reads(), 3);
}

#[tokio::test]
async fn a_reading_that_is_given_up_holds_nobody_up() {
    let notices = Notices::default();
    let cache = cache(&notices, SPEC);
    let never = cache.get(KEY, std::future::pending);
    assert!(tokio::time::timeout(Duration::from_millis(20), never).await.is_err());
    assert_eq!(cache.get(KEY, || async { Ok(1) }).await.unwrap(), 1);
    assert!(cache.0.pending_reads.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_cache_stays_within_its_capacity_and_counts() {
    let notices = Notices::default();
    let cache = cache(&notices, CacheSpec { capacity: 10, ..SPEC });
    for key in 0..1000 {
        cache.get(Uuid::from_u128(key), || async { Ok(0) }).await.unwrap();
    }
    cache.0.entries.run_pending_tasks();
    assert!(cache.0.entries.entry_count() <= 10);
    let stats = &cache.0.stats;
    assert_eq!((stats.misses.load(SeqCst), stats.hits.load(SeqCst)), (1000, 0));
    assert!(stats.evictions.load(SeqCst) >= 900);
    assert!(cache.0.pending_reads.lock().unwrap().is_empty());
}
