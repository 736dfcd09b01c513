//! Schedules, waking, and forgetting.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use loam_jobs::{Config, Handlers, JobState, NewJob, Schedule};
use loam_kernel::TenantId;
use serde_json::{Value, json};

use crate::bed::{Bed, Do, eventually, on_both, pause};

on_both![
    a_slot_is_run_once_over_two_nodes,
    only_the_latest_missed_slot_is_made_up_for,
    a_wake_beats_the_poll,
    finished_jobs_are_forgotten_after_two_weeks,
];

fn hourly(runs: &Arc<AtomicUsize>) -> Handlers {
    let runs = runs.clone();
    let handler = Do("test", move |_, payload| {
        assert_eq!(payload, json!({"a": 1}));
        runs.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    let schedule = Schedule::new("test", Duration::from_secs(3600)).unwrap().with_payload(json!({"a": 1}));
    Handlers::new().with(handler).every(schedule)
}

async fn a_slot_is_run_once_over_two_nodes(bed: Bed) {
    let runs = Arc::new(AtomicUsize::new(0));
    let nodes = [bed.node(hourly(&runs)), bed.node(hourly(&runs))];
    for hour in 1..=3 {
        eventually("the slot has been run", || runs.load(SeqCst) >= hour).await;
        pause(150).await;
        assert_eq!(runs.load(SeqCst), hour);
        bed.advance(1800);
        pause(150).await;
        assert_eq!(runs.load(SeqCst), hour, "half an hour later it is still the same slot");
        bed.advance(1800);
    }
    for node in nodes {
        node.stop(Duration::from_secs(5)).await;
    }
    let jobs = bed.all_of("test").await;
    assert!(
        jobs.iter().all(|job| job.tenant_id == TenantId::NIL),
        "a schedule's jobs are the instance's own"
    );
    assert!(jobs.iter().any(|job| job.unique_key.as_deref() == Some("slot:1767607200")), "{jobs:?}");
}

async fn only_the_latest_missed_slot_is_made_up_for(bed: Bed) {
    let runs = Arc::new(AtomicUsize::new(0));
    let node = bed.node(hourly(&runs));
    eventually("the first slot has been run", || runs.load(SeqCst) == 1).await;
    node.stop(Duration::from_secs(5)).await;
    bed.advance(5 * 3600 + 120);
    let node = bed.node(hourly(&runs));
    eventually("the latest slot has been run", || runs.load(SeqCst) == 2).await;
    pause(150).await;
    node.stop(Duration::from_secs(5)).await;
    assert_eq!(runs.load(SeqCst), 2);
    assert_eq!(bed.all_of("test").await.len(), 2);
}

async fn a_wake_beats_the_poll(bed: Bed) {
    let config = Config { poll_ms: 60_000, ..Config::default() };
    let node = bed.node_with(Handlers::new().with(Do("test", |_, _| async { Ok(()) })), config);
    pause(200).await;
    let started = Instant::now();
    let id = bed.enqueue(NewJob::new("test", Value::Null)).await;
    node.wake();
    bed.until(id, JobState::Succeeded).await;
    assert!(started.elapsed() < Duration::from_secs(10));
    node.stop(Duration::from_secs(5)).await;
}

async fn finished_jobs_are_forgotten_after_two_weeks(bed: Bed) {
    let node = bed.node(Handlers::new().with(Do("test", |_, _| async { Ok(()) })));
    let old = bed.enqueue(NewJob::new("test", Value::Null)).await;
    let waiting = bed.enqueue(NewJob::new("test.unknown", Value::Null)).await;
    bed.until(old, JobState::Succeeded).await;
    bed.advance(13 * 86_400);
    let young = bed.enqueue(NewJob::new("test", Value::Null)).await;
    bed.until(young, JobState::Succeeded).await;
    assert_eq!(bed.all_of("test").await.len(), 2);
    bed.advance(86_400 + 3600);
    for _ in 0..500 {
        if bed.all_of("test").await.len() < 2 {
            break;
        }
        pause(10).await;
    }
    let left: Vec<_> = bed.all_of("test").await.into_iter().map(|job| job.id).collect();
    assert_eq!(left, [young]);
    assert_eq!(bed.job(waiting).await.state, JobState::Queued, "what has not ended is kept");
    node.stop(Duration::from_secs(5)).await;
}
