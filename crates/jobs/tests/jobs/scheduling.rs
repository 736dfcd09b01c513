//! Schedules, waking, and retention.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use loam_jobs::{Config, Handlers, JobState, NewJob, Schedule};
use loam_kernel::TenantId;
use serde_json::{Value, json};

use crate::fixture::{Fixture, FnHandler, eventually, on_both, pause};

on_both![
    a_slot_is_run_once_over_two_nodes,
    only_the_latest_missed_slot_is_run,
    a_wake_beats_the_poll,
    finished_jobs_are_deleted_after_two_weeks,
];

fn hourly(runs: &Arc<AtomicUsize>) -> Handlers {
    let runs = runs.clone();
    let handler = FnHandler("test", move |_, payload| {
        assert_eq!(payload, json!({"a": 1}));
        runs.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    let schedule = Schedule::new("test", Duration::from_secs(3600)).unwrap().with_payload(json!({"a": 1}));
    Handlers::new().with(handler).every(schedule)
}

async fn a_slot_is_run_once_over_two_nodes(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let nodes = [fixture.node(hourly(&runs)), fixture.node(hourly(&runs))];
    for hour in 1..=3 {
        eventually("the slot has been run", || runs.load(SeqCst) >= hour).await;
        pause(150).await;
        assert_eq!(runs.load(SeqCst), hour);
        fixture.advance(1800);
        pause(150).await;
        assert_eq!(runs.load(SeqCst), hour, "half an hour later it is still the same slot");
        fixture.advance(1800);
    }
    for node in nodes {
        node.stop(Duration::from_secs(5)).await;
    }
    let jobs = fixture.all_of("test").await;
    assert!(
        jobs.iter().all(|job| job.tenant_id == TenantId::NIL),
        "jobs of a schedule belong to the instance"
    );
    assert!(jobs.iter().any(|job| job.unique_key.as_deref() == Some("slot:1767607200")), "{jobs:?}");
}

async fn only_the_latest_missed_slot_is_run(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let node = fixture.node(hourly(&runs));
    eventually("the first slot has been run", || runs.load(SeqCst) == 1).await;
    node.stop(Duration::from_secs(5)).await;
    fixture.advance(5 * 3600 + 120);
    let node = fixture.node(hourly(&runs));
    eventually("the latest slot has been run", || runs.load(SeqCst) == 2).await;
    pause(150).await;
    node.stop(Duration::from_secs(5)).await;
    assert_eq!(runs.load(SeqCst), 2);
    assert_eq!(fixture.all_of("test").await.len(), 2);
}

async fn a_wake_beats_the_poll(fixture: Fixture) {
    let config = Config { poll_ms: 60_000, ..Config::default() };
    let node = fixture.node_with(Handlers::new().with(FnHandler("test", |_, _| async { Ok(()) })), config);
    pause(200).await;
    let started = Instant::now();
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    node.wake();
    fixture.until(id, JobState::Succeeded).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    node.stop(Duration::from_secs(5)).await;
}

async fn finished_jobs_are_deleted_after_two_weeks(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async { Ok(()) })));
    let old = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let waiting = fixture.enqueue(NewJob::new("test.unknown", Value::Null)).await;
    fixture.until(old, JobState::Succeeded).await;
    fixture.advance(13 * 86_400);
    let young = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(young, JobState::Succeeded).await;
    assert_eq!(fixture.all_of("test").await.len(), 2);
    fixture.advance(86_400 + 3600);
    for _ in 0..500 {
        if fixture.all_of("test").await.len() < 2 {
            break;
        }
        pause(10).await;
    }
    let left: Vec<_> = fixture.all_of("test").await.into_iter().map(|job| job.id).collect();
    assert_eq!(left, [young]);
    assert_eq!(fixture.job(waiting).await.state, JobState::Queued, "an unfinished job is kept");
    node.stop(Duration::from_secs(5)).await;
}
