//! Fairness among tenants.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_jobs::{Config, Handlers, JobContext, JobState, NewJob};
use loam_kernel::TenantId;
use serde_json::json;
use uuid::Uuid;

use crate::fixture::{ACME, Fixture, FnHandler, WaitingHandler, eventually, on_both, pause};

const OTHER: TenantId = TenantId(Uuid::from_u128(0xbc));
const THIRD: TenantId = TenantId(Uuid::from_u128(0x0c));

on_both![
    tenants_are_served_round_robin,
    a_tenant_whose_runs_never_end_leaves_slots_to_others,
    jobs_that_are_not_due_are_not_run,
];

fn config() -> Config {
    Config { concurrency: 1, waiting: 8, poll_ms: 20, heartbeat_ms: 50, ..Config::default() }
}

async fn tenants_are_served_round_robin(fixture: Fixture) {
    let order: Arc<Mutex<Vec<TenantId>>> = Arc::default();
    let seen = order.clone();
    let job = FnHandler("test", move |context: JobContext, _| {
        seen.lock().unwrap().push(context.tenant);
        async { Ok(()) }
    });
    for _ in 0..20 {
        fixture.enqueue(NewJob::new("test", json!(null))).await;
    }
    for tenant in [OTHER, OTHER, THIRD] {
        fixture.enqueue_for(tenant, NewJob::new("test", json!(null))).await;
    }
    let node = fixture.node_with(Handlers::new().with(job), config());
    eventually("all have run", || order.lock().unwrap().len() == 23).await;
    node.stop(Duration::from_secs(5)).await;
    let order = order.lock().unwrap();
    // The twenty jobs queued before delay the other tenants by one round, not by twenty runs.
    let place = |tenant| order.iter().rposition(|one| *one == tenant).unwrap();
    assert!(place(OTHER) <= 6 && place(THIRD) <= 3, "{order:?}");
}

async fn a_tenant_whose_runs_never_end_leaves_slots_to_others(fixture: Fixture) {
    let (running, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, gate) = (running.clone(), open.clone());
    let slow = WaitingHandler(FnHandler("slow", move |context: JobContext, _| {
        let (count, gate) = (count.clone(), gate.clone());
        async move {
            if context.tenant == ACME {
                count.fetch_add(1, SeqCst);
                while !gate.load(SeqCst) {
                    pause(10).await;
                }
            }
            Ok(())
        }
    }));
    for _ in 0..40 {
        fixture.enqueue(NewJob::new("slow", json!(null))).await;
    }
    let node = fixture.node_with(Handlers::new().with(slow), config());
    eventually("the tenant has its share", || running.load(SeqCst) == 2).await;
    for _ in 0..5 {
        let job = fixture.enqueue_for(OTHER, NewJob::new("slow", json!(null))).await;
        for _ in 0..1000 {
            if fixture.job_of(OTHER, job).await.state == JobState::Succeeded {
                break;
            }
            pause(10).await;
        }
        assert_eq!(fixture.job_of(OTHER, job).await.state, JobState::Succeeded);
    }
    assert_eq!(running.load(SeqCst), 2, "a tenant gets at most a quarter of the slots");
    open.store(true, SeqCst);
    node.stop(Duration::from_secs(10)).await;
}

async fn jobs_that_are_not_due_are_not_run(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let job = FnHandler("test", move |_: JobContext, _| {
        count.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    let later = fixture.clock.now() + chrono::TimeDelta::hours(1);
    for _ in 0..10 {
        fixture.enqueue_for(THIRD, NewJob::new("test", json!(null)).at(later)).await;
        fixture.enqueue_for(THIRD, NewJob::new("unknown", json!(null))).await;
    }
    let job_id = fixture.enqueue(NewJob::new("test", json!(null))).await;
    let node = fixture.node_with(Handlers::new().with(job), config());
    fixture.until(job_id, JobState::Succeeded).await;
    node.stop(Duration::from_secs(5)).await;
    assert_eq!(runs.load(SeqCst), 1);
}
