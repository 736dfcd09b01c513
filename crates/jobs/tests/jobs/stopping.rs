//! Leases: crashes, lost leases, shutdown.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use loam_jobs::{Config, Handler, Handlers, JobState, NewJob};
use loam_kernel::{Error, Kind};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::fixture::{Fixture, FnHandler, eventually, on_both, pause};

on_both![
    a_crashed_nodes_job_runs_again_when_its_lease_ends,
    a_heartbeat_keeps_the_lease,
    a_job_whose_last_run_crashed_its_node_fails,
    a_run_that_lost_its_lease_overwrites_nothing,
    a_run_whose_lease_cannot_be_renewed_is_dropped,
    stopping_waits_for_runs_that_end_in_time,
    stopping_releases_runs_that_do_not_end_in_time,
    a_node_that_stops_claims_no_more,
];

async fn a_crashed_nodes_job_runs_again_when_its_lease_ends(fixture: Fixture) {
    let crashing = fixture.node(Handlers::new().with(FnHandler("test", |_, _| pending())));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    drop(crashing);
    let (runs, handler) = counting();
    let node = fixture.node(Handlers::new().with(handler));
    fixture.advance(29);
    pause(200).await;
    assert_eq!(runs.load(SeqCst), 0, "the lease still holds");
    fixture.advance(1);
    let job = fixture.until(id, JobState::Succeeded).await;
    assert_eq!((job.attempts, runs.load(SeqCst)), (2, 1));
    node.stop(Duration::from_secs(5)).await;
}

async fn a_heartbeat_keeps_the_lease(fixture: Fixture) {
    let go = Arc::new(Semaphore::new(0));
    let wait = go.clone();
    let slow = fixture.node(Handlers::new().with(FnHandler("test", move |_, _| {
        let wait = wait.clone();
        async move {
            wait.acquire().await.map_err(Error::internal)?.forget();
            Ok(())
        }
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let claimed = fixture.until(id, JobState::Running).await.lease_until.unwrap();
    let (runs, handler) = counting();
    let other = fixture.node(Handlers::new().with(handler));
    for _ in 0..4 {
        let before = fixture.job(id).await.lease_until;
        fixture.advance(10);
        while fixture.job(id).await.lease_until == before {
            pause(10).await;
        }
    }
    assert!(fixture.clock.now() > claimed, "the first lease has expired");
    assert_eq!(fixture.job(id).await.attempts, 1);
    go.add_permits(1);
    assert_eq!(fixture.until(id, JobState::Succeeded).await.attempts, 1);
    assert_eq!(runs.load(SeqCst), 0);
    slow.stop(Duration::from_secs(5)).await;
    other.stop(Duration::from_secs(5)).await;
}

async fn a_job_whose_last_run_crashed_its_node_fails(fixture: Fixture) {
    let id = fixture.enqueue(NewJob::new("test", Value::Null).attempts(2)).await;
    for attempt in 1..=2 {
        let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| pending())));
        while fixture.job(id).await.attempts < attempt {
            pause(10).await;
        }
        drop(node);
        fixture.advance(31);
    }
    let (runs, handler) = counting();
    let node = fixture.node(Handlers::new().with(handler));
    let job = fixture.until(id, JobState::Failed).await;
    assert!(job.last_error.unwrap().contains("lease"));
    assert_eq!((job.attempts, runs.load(SeqCst)), (2, 0));
    node.stop(Duration::from_secs(5)).await;
}

async fn a_run_that_lost_its_lease_overwrites_nothing(fixture: Fixture) {
    let go = Arc::new(Semaphore::new(0));
    let wait = go.clone();
    // Its heartbeat comes too late to notice.
    let config = Config { poll_ms: 20, ..Config::default() };
    let slow = fixture.node_with(
        Handlers::new().with(FnHandler("test", move |_, _| {
            let wait = wait.clone();
            async move {
                wait.acquire().await.map_err(Error::internal)?.forget();
                Err(Error::new(Kind::Internal, "late", "this must not be recorded"))
            }
        })),
        config,
    );
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    fixture.advance(31);
    let (_, handler) = counting();
    let other = fixture.node(Handlers::new().with(handler));
    fixture.until(id, JobState::Succeeded).await;
    go.add_permits(1);
    slow.stop(Duration::from_secs(5)).await;
    let job = fixture.job(id).await;
    assert_eq!((job.state, job.attempts, job.last_error), (JobState::Succeeded, 2, None));
    other.stop(Duration::from_secs(5)).await;
}

async fn a_run_whose_lease_cannot_be_renewed_is_dropped(fixture: Fixture) {
    struct OnDrop(Arc<AtomicUsize>);
    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.fetch_add(1, SeqCst);
        }
    }
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    let node = fixture.node(Handlers::new().with(FnHandler("test", move |_, _| {
        let guard = OnDrop(count.clone());
        async move {
            pending::<()>().await;
            drop(guard);
            Ok(())
        }
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    fixture.advance(31);
    eventually("the next heartbeat drops the handler", || dropped.load(SeqCst) >= 1).await;
    while fixture.job(id).await.attempts < 2 {
        pause(10).await;
    }
    drop(node);
}

async fn stopping_waits_for_runs_that_end_in_time(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async {
        pause(300).await;
        Ok(())
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    node.stop(Duration::from_secs(10)).await;
    assert_eq!(fixture.job(id).await.state, JobState::Succeeded);
}

async fn stopping_releases_runs_that_do_not_end_in_time(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| pending())));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    node.stop(Duration::from_millis(100)).await;
    let job = fixture.job(id).await;
    assert_eq!((job.state, job.attempts), (JobState::Queued, 0));
    assert_eq!((job.lease_until, job.lease_owner), (None, None));
    let (runs, handler) = counting();
    let next = fixture.node(Handlers::new().with(handler));
    assert_eq!(fixture.until(id, JobState::Succeeded).await.attempts, 1);
    assert_eq!(runs.load(SeqCst), 1);
    next.stop(Duration::from_secs(5)).await;
}

async fn a_node_that_stops_claims_no_more(fixture: Fixture) {
    let (runs, handler) = counting();
    let node = fixture.node(Handlers::new().with(handler));
    let waker = node.waker();
    node.stop(Duration::from_secs(5)).await;
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    waker.wake();
    pause(150).await;
    assert_eq!((fixture.job(id).await.state, runs.load(SeqCst)), (JobState::Queued, 0));
}

fn counting() -> (Arc<AtomicUsize>, impl Handler + 'static) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let handler = FnHandler("test", move |_, _| {
        count.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    (runs, handler)
}
