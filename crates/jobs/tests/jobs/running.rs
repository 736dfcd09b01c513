//! Enqueueing, running, failing.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_jobs::{Config, Handlers, JobContext, JobState, NewJob, enqueue, read_payload};
use loam_kernel::{Error, Kind, Scope, TenantId};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{ACME, Fixture, FnHandler, WaitingHandler, eventually, on_both, pause};

on_both![
    a_job_runs_once_and_is_recorded,
    a_job_of_a_rolled_back_transaction_never_runs,
    a_job_waits_for_its_time,
    a_unique_key_prevents_a_duplicate_and_the_transaction_stays_usable,
    a_key_is_unique_within_its_tenant,
    invalid_jobs_are_rejected_before_they_reach_the_database,
    two_nodes_never_run_a_job_concurrently,
    failures_are_retried_with_growing_delays_until_the_last_attempt,
    an_error_may_request_a_longer_delay,
    a_panic_is_a_failure,
    an_unreadable_payload_fails_permanently,
    an_unknown_kind_waits_for_a_node_that_knows_it,
    waiting_jobs_do_not_block_others,
    the_table_matches_the_entity,
];

async fn a_job_runs_once_and_is_recorded(fixture: Fixture) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let record = seen.clone();
    let node = fixture.node(Handlers::new().with(FnHandler("test", move |job: JobContext, payload| {
        record.lock().unwrap().push((job.tenant, job.attempt, payload));
        async { Ok(()) }
    })));
    let id = fixture.enqueue(NewJob::new("test", json!({"n": 1}))).await;
    let job = fixture.until(id, JobState::Succeeded).await;
    assert_eq!((job.attempts, job.finished_at), (1, Some(fixture.clock.now())));
    assert_eq!((job.lease_until, job.lease_owner, job.last_error), (None, None, None));
    pause(100).await;
    assert_eq!(*seen.lock().unwrap(), [(ACME, 1, json!({"n": 1}))]);
    node.stop(Duration::from_secs(5)).await;
}

async fn a_job_of_a_rolled_back_transaction_never_runs(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let node = fixture.node(Handlers::new().with(counting(&runs)));
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    enqueue(&tx, &fixture.clock, NewJob::new("test", json!("undone"))).await.unwrap().unwrap();
    pause(100).await;
    tx.rollback().await.unwrap();
    let id = fixture.enqueue(NewJob::new("test", json!("done"))).await;
    fixture.until(id, JobState::Succeeded).await;
    pause(100).await;
    assert_eq!(runs.load(SeqCst), 1);
    assert_eq!(fixture.all_of("test").await.len(), 1);
    node.stop(Duration::from_secs(5)).await;
}

async fn a_job_waits_for_its_time(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let node = fixture.node(Handlers::new().with(counting(&runs)));
    let id = fixture
        .enqueue(NewJob::new("test", Value::Null).at(fixture.clock.now() + Duration::from_secs(60)))
        .await;
    fixture.advance(59);
    pause(150).await;
    assert_eq!(fixture.job(id).await.state, JobState::Queued);
    fixture.advance(1);
    fixture.until(id, JobState::Succeeded).await;
    node.stop(Duration::from_secs(5)).await;
}

async fn a_unique_key_prevents_a_duplicate_and_the_transaction_stays_usable(fixture: Fixture) {
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    let job = || NewJob::new("test", Value::Null).unique("only");
    assert!(enqueue(&tx, &fixture.clock, job()).await.unwrap().is_some());
    assert!(enqueue(&tx, &fixture.clock, job()).await.unwrap().is_none());
    let other = NewJob { kind: "test.other", ..job() };
    assert!(enqueue(&tx, &fixture.clock, other).await.unwrap().is_some());
    tx.commit().await.unwrap();
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    assert!(enqueue(&tx, &fixture.clock, job()).await.unwrap().is_none());
    assert!(enqueue(&tx, &fixture.clock, NewJob::new("test", Value::Null)).await.unwrap().is_some());
    assert!(enqueue(&tx, &fixture.clock, NewJob::new("test", Value::Null)).await.unwrap().is_some());
    tx.commit().await.unwrap();
    assert_eq!(fixture.all_of("test").await.len(), 3);
}

async fn a_key_is_unique_within_its_tenant(fixture: Fixture) {
    for tenant in [ACME, TenantId(Uuid::from_u128(0xb0b))] {
        let tx = fixture.db.write(&Scope::system(tenant, "test")).await.unwrap();
        let id = enqueue(&tx, &fixture.clock, NewJob::new("test", Value::Null).unique("mine")).await.unwrap();
        assert!(id.is_some(), "another tenant's key stands in the way");
        tx.commit().await.unwrap();
    }
}

async fn invalid_jobs_are_rejected_before_they_reach_the_database(fixture: Fixture) {
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    let good = || NewJob::new("test", json!(null));
    let bad = [
        (NewJob { kind: "Not a slug", ..good() }, "kind"),
        (good().attempts(0), "max_attempts"),
        (good().unique(""), "unique_key"),
        (NewJob::new("test", json!({"a": ["\0"]})), "payload"),
    ];
    for (job, param) in bad {
        let error = enqueue(&tx, &fixture.clock, job).await.unwrap_err();
        assert_eq!((error.kind(), error.param()), (Kind::Invalid, Some(param)));
    }
    assert!(enqueue(&tx, &fixture.clock, good()).await.unwrap().is_some(), "the transaction is still usable");
}

async fn two_nodes_never_run_a_job_concurrently(fixture: Fixture) {
    const JOBS: usize = 60;
    let active: Arc<Vec<AtomicBool>> = Arc::new((0..JOBS).map(|_| AtomicBool::new(false)).collect());
    let (runs, clash) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let handlers = || {
        let (active, runs, clash) = (active.clone(), runs.clone(), clash.clone());
        Handlers::new().with(FnHandler("test", move |_, payload: Value| {
            let (active, runs, clash) = (active.clone(), runs.clone(), clash.clone());
            async move {
                let n = usize::try_from(payload.as_u64().unwrap()).unwrap();
                clash.fetch_or(active[n].swap(true, SeqCst), SeqCst);
                pause(5).await;
                active[n].store(false, SeqCst);
                runs.fetch_add(1, SeqCst);
                Ok(())
            }
        }))
    };
    let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
    for n in 0..JOBS {
        enqueue(&tx, &fixture.clock, NewJob::new("test", json!(n))).await.unwrap().unwrap();
    }
    tx.commit().await.unwrap();
    let nodes = [fixture.node(handlers()), fixture.node(handlers())];
    eventually("every job has run", || runs.load(SeqCst) >= JOBS).await;
    for node in nodes {
        node.stop(Duration::from_secs(5)).await;
    }
    assert!(!clash.load(SeqCst), "two runs of one job at once");
    assert_eq!(runs.load(SeqCst), JOBS);
    let jobs = fixture.all_of("test").await;
    assert!(jobs.iter().all(|job| job.state == JobState::Succeeded && job.attempts == 1), "{jobs:?}");
}

async fn failures_are_retried_with_growing_delays_until_the_last_attempt(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async {
        Err(Error::new(Kind::BadGateway, "refused", "the other side refused").with_source("connection reset"))
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null).attempts(4)).await;
    for (attempt, whole) in [(1, 5), (2, 10), (3, 20)] {
        let mut job = fixture.job(id).await;
        for _ in 0..1000 {
            if job.state == JobState::Queued && job.attempts == attempt {
                break;
            }
            pause(10).await;
            job = fixture.job(id).await;
        }
        assert_eq!((job.state, job.attempts), (JobState::Queued, attempt));
        assert_eq!(job.last_error.as_deref(), Some("the other side refused: connection reset"));
        let wait = (job.run_at - fixture.clock.now()).to_std().unwrap();
        assert!(wait >= Duration::from_millis(whole * 500) && wait <= Duration::from_secs(whole), "{wait:?}");
        fixture.advance(i64::try_from(whole).unwrap());
    }
    let job = fixture.until(id, JobState::Failed).await;
    assert_eq!((job.attempts, job.finished_at), (4, Some(fixture.clock.now())));
    node.stop(Duration::from_secs(5)).await;
}

async fn an_error_may_request_a_longer_delay(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async {
        Err(Error::unavailable("busy", "come back later", Duration::from_secs(600)))
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let mut job = fixture.job(id).await;
    while job.last_error.is_none() {
        pause(10).await;
        job = fixture.job(id).await;
    }
    assert_eq!(job.run_at, fixture.clock.now() + Duration::from_secs(600));
    node.stop(Duration::from_secs(5)).await;
}

async fn a_panic_is_a_failure(fixture: Fixture) {
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async { panic!("on purpose") })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null).attempts(1)).await;
    let job = fixture.until(id, JobState::Failed).await;
    assert!(job.last_error.unwrap().ends_with("the handler panicked: on purpose"));
    node.stop(Duration::from_secs(5)).await;
}

async fn an_unreadable_payload_fails_permanently(fixture: Fixture) {
    #[derive(Deserialize)]
    struct Payload {
        n: u32,
    }
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, payload| async move {
        let payload: Payload = read_payload(payload)?;
        assert_eq!(payload.n, 7);
        Ok(())
    })));
    let good = fixture.enqueue(NewJob::new("test", json!({"n": 7}))).await;
    let bad = fixture.enqueue(NewJob::new("test", json!({"n": "seven"}))).await;
    fixture.until(good, JobState::Succeeded).await;
    let job = fixture.until(bad, JobState::Failed).await;
    assert_eq!(job.attempts, 1);
    let error = job.last_error.unwrap();
    assert!(
        error.starts_with("the payload is invalid for this kind of job: invalid type: string"),
        "{error}"
    );
    node.stop(Duration::from_secs(5)).await;
}

async fn an_unknown_kind_waits_for_a_node_that_knows_it(fixture: Fixture) {
    let runs = Arc::new(AtomicUsize::new(0));
    let node = fixture.node_with(Handlers::new(), Config { poll_ms: 20, ..Config::default() });
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    pause(150).await;
    let job = fixture.job(id).await;
    assert_eq!((job.state, job.attempts), (JobState::Queued, 0));
    let knowing = fixture.node(Handlers::new().with(counting(&runs)));
    fixture.until(id, JobState::Succeeded).await;
    node.stop(Duration::from_secs(5)).await;
    knowing.stop(Duration::from_secs(5)).await;
}

async fn the_table_matches_the_entity(fixture: Fixture) {
    let differences = loam_db::compare(&fixture.db, &loam_jobs::entities()).await.unwrap();
    let ours: Vec<_> = differences.into_iter().filter(|difference| difference.table == "jobs").collect();
    assert_eq!(ours, []);
    assert!(loam_jobs::entities()[0].columns.iter().any(|column| column.name == "kind"));
}

fn counting(runs: &Arc<AtomicUsize>) -> impl loam_jobs::Handler + 'static {
    let runs = runs.clone();
    FnHandler("test", move |_, _| {
        runs.fetch_add(1, SeqCst);
        async { Ok(()) }
    })
}

async fn waiting_jobs_do_not_block_others(fixture: Fixture) {
    let (waiting, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (count, gate) = (waiting.clone(), open.clone());
    let slow = WaitingHandler(FnHandler("slow", move |_: JobContext, _| {
        let (count, gate) = (count.clone(), gate.clone());
        async move {
            count.fetch_add(1, SeqCst);
            while !gate.load(SeqCst) {
                pause(10).await;
            }
            Ok(())
        }
    }));
    let handlers = Handlers::new().with(slow).with(FnHandler("quick", |_: JobContext, _| async { Ok(()) }));
    let config = Config { concurrency: 1, waiting: 8, poll_ms: 20, heartbeat_ms: 50, ..Config::default() };
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(fixture.enqueue(NewJob::new("slow", json!(null))).await);
    }
    let node = fixture.node_with(handlers, config);
    eventually("the waiting slots are used up", || waiting.load(SeqCst) == 2).await;
    for _ in 0..3 {
        let quick = fixture.enqueue(NewJob::new("quick", json!(null))).await;
        fixture.until(quick, JobState::Succeeded).await;
    }
    assert_eq!(waiting.load(SeqCst), 2);
    open.store(true, SeqCst);
    for id in slow {
        fixture.until(id, JobState::Succeeded).await;
    }
    node.stop(Duration::from_secs(5)).await;
}
