//! What one process changes, every other hears of within a second.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use loam_db::Db;
use loam_kernel::{Clock, Scope, TenantId};
use loam_testkit::{Database, on_both};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Notice, Notices, delete_old};

const ACME: TenantId = TenantId(Uuid::from_u128(0xac));

on_both![
    another_process_hears_within_a_second,
    what_was_rolled_back_is_not_heard,
    a_notice_that_is_committed_late_is_still_heard,
    what_this_process_published_is_not_heard_again,
    old_notices_are_forgotten,
    who_catches_up_has_received_what_was_committed_before,
];

/// Another process: its own pools, its own subscribers.
struct Listener {
    notices: Notices,
    received: Arc<Mutex<Vec<Notice>>>,
    stop: CancellationToken,
    watching: JoinHandle<()>,
}

impl Listener {
    async fn start(fixture: &Database) -> Self {
        let (notices, received) = (Notices::default(), Arc::new(Mutex::new(Vec::new())));
        let keep = received.clone();
        notices.subscribe(move |notice| keep.lock().unwrap().push(notice.clone()));
        let stop = CancellationToken::new();
        let watch = notices.clone().watch(fixture.second_node().await, Clock::system(), stop.clone());
        #[expect(clippy::disallowed_methods, reason = "the test stops it and waits for it")]
        let watching = tokio::spawn(watch);
        Self { notices, received, stop, watching }
    }

    fn received(&self) -> Vec<Uuid> {
        self.received.lock().unwrap().iter().map(|notice| notice.subject).collect()
    }

    /// Waits until the notice is heard; says how long that took.
    async fn wait_for(&self, subject: Uuid) -> Duration {
        let began = Instant::now();
        while !self.received().contains(&subject) {
            assert!(began.elapsed() < Duration::from_secs(10), "it was never heard");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }

    async fn stop(self) -> Vec<Uuid> {
        self.stop.cancel();
        self.watching.await.unwrap();
        self.received.lock().unwrap().iter().map(|notice| notice.subject).collect()
    }
}

async fn announce(db: &Db, subject: Uuid) {
    let tx = db.write(&Scope::system(ACME, "test")).await.unwrap();
    Notices::default().announce(&tx, &Clock::system(), "things", subject).await.unwrap();
    tx.commit().await.unwrap();
}

fn subject() -> Uuid {
    Clock::system().id()
}

async fn another_process_hears_within_a_second(fixture: Database) {
    let listener = Listener::start(&fixture).await;
    let subjects = [subject(), subject(), subject()];
    for subject in subjects {
        announce(&fixture.db, subject).await;
        let took = listener.wait_for(subject).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    // some looks later it is still heard once
    tokio::time::sleep(super::POLL_INTERVAL * 3).await;
    let first = listener.received.lock().unwrap()[0].clone();
    assert_eq!(
        first,
        Notice { tenant: ACME, topic: "things".to_owned(), subject: subjects[0], owner: None, id: first.id }
    );
    assert_eq!(listener.stop().await, subjects);
}

async fn what_was_rolled_back_is_not_heard(fixture: Database) {
    let listener = Listener::start(&fixture).await;
    let (undone, done) = (subject(), subject());
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    Notices::default().announce(&tx, &Clock::system(), "things", undone).await.unwrap();
    tx.rollback().await.unwrap();
    announce(&fixture.db, done).await;
    listener.wait_for(done).await;
    assert_eq!(listener.stop().await, [done]);
}

/// Ids are given before the commit: a slow transaction's notice appears behind those of quicker ones.
async fn a_notice_that_is_committed_late_is_still_heard(fixture: Database) {
    let listener = Listener::start(&fixture).await;
    let (late, quick) = (subject(), subject());
    // its id is of three seconds ago, when its transaction began
    let clock = Clock::fixed(Clock::system().now() - TimeDelta::seconds(3));
    announce(&fixture.db, quick).await;
    listener.wait_for(quick).await;
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    Notices::default().announce(&tx, &clock, "things", late).await.unwrap();
    tx.commit().await.unwrap();
    listener.wait_for(late).await;
    assert_eq!(listener.stop().await, [quick, late]);
}

async fn what_this_process_published_is_not_heard_again(fixture: Database) {
    let listener = Listener::start(&fixture).await;
    let (published, unpublished) = (subject(), subject());
    for (subject, publishes) in [(published, true), (unpublished, false)] {
        let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
        let notice = listener.notices.announce(&tx, &Clock::system(), "things", subject).await.unwrap();
        tx.commit().await.unwrap();
        if publishes {
            listener.notices.publish(&notice);
        }
    }
    // a process that died between commit and publication, or a request given up there, leaves the row for the poll
    listener.wait_for(unpublished).await;
    assert_eq!(listener.stop().await, [published, unpublished]);
}

async fn old_notices_are_forgotten(fixture: Database) {
    let (clock, scope) = (Clock::system(), Scope::system(TenantId::NIL, "test"));
    announce(&fixture.db, subject()).await;
    assert_eq!(delete_old(&fixture.db, &clock, &scope).await.unwrap(), 0);
    let later = Clock::fixed(clock.now() + TimeDelta::minutes(61));
    assert_eq!(delete_old(&fixture.db, &later, &scope).await.unwrap(), 1);
}

async fn who_catches_up_has_received_what_was_committed_before(fixture: Database) {
    // nothing polls here, so there is nothing to wait for
    Notices::default().catch_up().await;
    let listener = Listener::start(&fixture).await;
    let first = subject();
    announce(&fixture.db, first).await;
    listener.wait_for(first).await;
    let mut subjects = vec![first];
    for _ in 0..3 {
        let began = Instant::now();
        subjects.push(subject());
        announce(&fixture.db, subjects[subjects.len() - 1]).await;
        tokio::join!(listener.notices.catch_up(), listener.notices.catch_up());
        assert_eq!(listener.received(), subjects);
        assert!(began.elapsed() < super::CATCH_UP_TIMEOUT, "{:?}", began.elapsed());
    }
    assert_eq!(listener.stop().await, subjects);
}
