//! One tenant and the others.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_jobs::{Config, Handlers, JobContext, JobState, NewJob};
use loam_kernel::TenantId;
use serde_json::json;
use uuid::Uuid;

use crate::bed::{ACME, Bed, Do, Waits, eventually, on_both, pause};

const OTHER: TenantId = TenantId(Uuid::from_u128(0xbc));
const THIRD: TenantId = TenantId(Uuid::from_u128(0x0c));

on_both![
    tenants_have_their_jobs_run_in_turn,
    a_tenant_whose_runs_never_end_leaves_places_to_the_others,
    what_is_not_due_yet_has_no_turn,
];

fn config() -> Config {
    Config { concurrency: 1, waiting: 8, poll_ms: 20, heartbeat_ms: 50, ..Config::default() }
}

async fn tenants_have_their_jobs_run_in_turn(bed: Bed) {
    let order: Arc<Mutex<Vec<TenantId>>> = Arc::default();
    let seen = order.clone();
    let job = Do("test", move |context: JobContext, _| {
        seen.lock().unwrap().push(context.tenant);
        async { Ok(()) }
    });
    for _ in 0..20 {
        bed.enqueue(NewJob::new("test", json!(null))).await;
    }
    for tenant in [OTHER, OTHER, THIRD] {
        bed.enqueue_for(tenant, NewJob::new("test", json!(null))).await;
    }
    let node = bed.node_with(Handlers::new().with(job), config());
    eventually("all have run", || order.lock().unwrap().len() == 23).await;
    node.stop(Duration::from_secs(5)).await;
    let order = order.lock().unwrap();
    // twenty were there before, and delay the others by one round and not by twenty runs
    let place = |tenant| order.iter().rposition(|one| *one == tenant).unwrap();
    assert!(place(OTHER) <= 6 && place(THIRD) <= 3, "{order:?}");
}

async fn a_tenant_whose_runs_never_end_leaves_places_to_the_others(bed: Bed) {
    let (running, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, gate) = (running.clone(), open.clone());
    let slow = Waits(Do("slow", move |context: JobContext, _| {
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
        bed.enqueue(NewJob::new("slow", json!(null))).await;
    }
    let node = bed.node_with(Handlers::new().with(slow), config());
    eventually("the tenant has its share", || running.load(SeqCst) == 2).await;
    for _ in 0..5 {
        let job = bed.enqueue_for(OTHER, NewJob::new("slow", json!(null))).await;
        for _ in 0..1000 {
            if bed.job_of(OTHER, job).await.state == JobState::Succeeded {
                break;
            }
            pause(10).await;
        }
        assert_eq!(bed.job_of(OTHER, job).await.state, JobState::Succeeded);
    }
    assert_eq!(running.load(SeqCst), 2, "more would be more than a quarter of the places");
    open.store(true, SeqCst);
    node.stop(Duration::from_secs(10)).await;
}

async fn what_is_not_due_yet_has_no_turn(bed: Bed) {
    let runs = Arc::new(AtomicUsize::new(0));
    let count = runs.clone();
    let job = Do("test", move |_: JobContext, _| {
        count.fetch_add(1, SeqCst);
        async { Ok(()) }
    });
    let later = bed.clock.now() + chrono::TimeDelta::hours(1);
    for _ in 0..10 {
        bed.enqueue_for(THIRD, NewJob::new("test", json!(null)).at(later)).await;
        bed.enqueue_for(THIRD, NewJob::new("unknown", json!(null))).await;
    }
    let job_id = bed.enqueue(NewJob::new("test", json!(null))).await;
    let node = bed.node_with(Handlers::new().with(job), config());
    bed.until(job_id, JobState::Succeeded).await;
    node.stop(Duration::from_secs(5)).await;
    assert_eq!(runs.load(SeqCst), 1);
}
