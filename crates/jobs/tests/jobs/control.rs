//! Jobs over HTTP: visibility, retry, cancel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use axum::{Extension, Router, middleware};
use http_body_util::BodyExt;
use loam_db::{System, Tenant, Tx};
use loam_http::surface::{ErrorFormat, error_body, render_error};
use loam_jobs::{ChangeLog, Handlers, JobChange, JobContext, JobState, Jobs, NewJob, enqueue};
use loam_kernel::{Actor, ApiKeyId, Clock, Error, JobId, Permissions, Result, Scope, TenantId, UserId};
use serde_json::{Value, json};
use tower::ServiceExt;
use uuid::Uuid;

use crate::fixture::{ACME, Fixture, FnHandler, eventually, on_both, pause};

const OPERATORS: TenantId = TenantId(Uuid::from_u128(0xde));

on_both![
    a_cancelled_job_never_runs,
    a_running_job_is_signalled_and_ends_cancelled,
    a_run_that_ignores_its_cancellation_blocks_retries,
    a_failed_job_can_be_retried,
    only_some_states_can_be_retried_or_cancelled,
    a_change_that_can_not_be_audited_is_not_made,
    another_tenant_sees_nothing,
    jobs_of_the_instance_are_for_operators,
    lists_are_filtered_and_paged_newest_first,
];

/// Stores the audit trail in the same transaction, as jobs of a kind without a handler, where tests can read
/// it.
struct Trail {
    clock: Clock,
    broken: AtomicBool,
}

impl Trail {
    async fn write<R>(&self, tx: &Tx<R>, change: &JobChange<'_>) -> Result<()> {
        if self.broken.load(SeqCst) {
            return Err(Error::internal("the trail is broken"));
        }
        let text = format!("{} {} {:?} {:?}", change.action, change.kind, change.before, change.after);
        enqueue(tx, &self.clock, NewJob::new("trail", text)).await.map(drop)
    }
}

#[async_trait]
impl ChangeLog for Trail {
    async fn record(&self, tx: &Tx<Tenant>, change: &JobChange<'_>) -> Result<()> {
        self.write(tx, change).await
    }

    async fn record_instance(&self, tx: &Tx<System>, change: &JobChange<'_>) -> Result<()> {
        self.write(tx, change).await
    }
}

struct Api {
    router: Router,
    trail: Arc<Trail>,
}

impl Api {
    fn new(fixture: &Fixture) -> Self {
        let trail = Arc::new(Trail { clock: fixture.clock.clone(), broken: AtomicBool::new(false) });
        let jobs = Jobs::new(fixture.db.clone(), fixture.clock.clone(), trail.clone(), OPERATORS);
        let router = jobs.router().split_for_parts().0.layer(middleware::map_response(
            |response: Response| async move {
                render_error(response, "", TenantId::NIL, &Method::GET, "", ErrorFormat::json(error_body))
            },
        ));
        Self { router, trail }
    }

    async fn call(&self, tenant: TenantId, method: Method, path: &str) -> (StatusCode, Value) {
        self.call_with(tenant, Permissions::all(), method, path).await
    }

    async fn call_with(
        &self,
        tenant: TenantId,
        held: Permissions,
        method: Method,
        path: &str,
    ) -> (StatusCode, Value) {
        let scope = Scope::new(tenant, Actor::ApiKey(ApiKeyId::NIL), held).with_operator(tenant == OPERATORS);
        self.call_as(scope, method, path).await
    }

    async fn call_as(&self, scope: Scope, method: Method, path: &str) -> (StatusCode, Value) {
        let router = self.router.clone().layer(Extension(scope));
        let request =
            Request::builder().method(method).uri(format!("/api/v1/jobs{path}")).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn post(&self, id: JobId, action: &str) -> (StatusCode, Value) {
        self.call(ACME, Method::POST, &format!("/{id}/{action}")).await
    }
}

/// The audit trail of a tenant.
async fn trail(fixture: &Fixture, tenant: TenantId) -> Vec<Value> {
    let rows = fixture.all_of("trail").await;
    rows.into_iter().filter(|row| row.tenant_id == tenant).map(|row| row.payload).collect()
}

async fn a_cancelled_job_never_runs(fixture: Fixture) {
    let api = Api::new(&fixture);
    let runs = Arc::new(AtomicUsize::new(0));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let (status, body) = api.post(id, "cancel").await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(body["finished_at"], json!(fixture.clock.now()));
    let count = runs.clone();
    let node = fixture.node(Handlers::new().with(FnHandler("test", move |_, _| {
        count.fetch_add(1, SeqCst);
        async { Ok(()) }
    })));
    let other = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(other, JobState::Succeeded).await;
    assert_eq!((fixture.job(id).await.state, runs.load(SeqCst)), (JobState::Cancelled, 1));
    assert_eq!(trail(&fixture, ACME).await, [json!("cancel test Queued Cancelled")]);
    node.stop(Duration::from_secs(5)).await;
}

async fn a_running_job_is_signalled_and_ends_cancelled(fixture: Fixture) {
    let api = Api::new(&fixture);
    let signalled = Arc::new(AtomicUsize::new(0));
    let count = signalled.clone();
    let node = fixture.node(Handlers::new().with(FnHandler("test", move |job: JobContext, _| {
        let count = count.clone();
        async move {
            if job.attempt == 1 && count.load(SeqCst) == 0 {
                job.cancelled().await;
                assert!(job.is_cancelled());
                count.fetch_add(1, SeqCst);
            }
            Ok(())
        }
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    assert_eq!(api.post(id, "cancel").await.0, StatusCode::OK);
    eventually("the handler is signalled", || signalled.load(SeqCst) == 1).await;
    while fixture.job(id).await.lease_until.is_some() {
        pause(10).await;
    }
    let job = fixture.job(id).await;
    assert_eq!(
        (job.state, job.finished_at),
        (JobState::Cancelled, Some(fixture.clock.now())),
        "its return changes nothing"
    );
    let (status, body) = api.post(id, "retry").await;
    assert_eq!((status, &body["attempts"]), (StatusCode::OK, &json!(0)));
    assert_eq!(fixture.until(id, JobState::Succeeded).await.attempts, 1);
    node.stop(Duration::from_secs(5)).await;
}

async fn a_run_that_ignores_its_cancellation_blocks_retries(fixture: Fixture) {
    let api = Api::new(&fixture);
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| std::future::pending())));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    fixture.until(id, JobState::Running).await;
    assert_eq!(api.post(id, "cancel").await.0, StatusCode::OK);
    pause(200).await;
    let (status, body) = api.post(id, "retry").await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("job_stopping")));
    drop(node);
    fixture.advance(31);
    assert_eq!(api.post(id, "retry").await.0, StatusCode::OK);
}

async fn a_failed_job_can_be_retried(fixture: Fixture) {
    let api = Api::new(&fixture);
    let fixed = Arc::new(AtomicBool::new(false));
    let works = fixed.clone();
    let node = fixture.node(Handlers::new().with(FnHandler("test", move |_, _| {
        let works = works.load(SeqCst);
        async move { if works { Ok(()) } else { Err(Error::internal("broken")) } }
    })));
    let id = fixture.enqueue(NewJob::new("test", Value::Null).attempts(1)).await;
    fixture.until(id, JobState::Failed).await;
    fixed.store(true, SeqCst);
    let (status, body) = api.post(id, "retry").await;
    assert_eq!(
        (status, &body["state"], &body["finished_at"]),
        (StatusCode::OK, &json!("queued"), &Value::Null)
    );
    let job = fixture.until(id, JobState::Succeeded).await;
    assert_eq!((job.attempts, job.last_error), (1, None));
    assert_eq!(trail(&fixture, ACME).await, [json!("retry test Failed Queued")]);
    node.stop(Duration::from_secs(5)).await;
}

async fn only_some_states_can_be_retried_or_cancelled(fixture: Fixture) {
    let api = Api::new(&fixture);
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let (status, body) = api.post(id, "retry").await;
    assert_eq!(status, StatusCode::CONFLICT);
    let message = "only a failed or cancelled job can be retried; this job is queued";
    assert_eq!(body["error"]["message"], json!(message));
    let node = fixture.node(Handlers::new().with(FnHandler("test", |_, _| async { Ok(()) })));
    fixture.until(id, JobState::Succeeded).await;
    for action in ["retry", "cancel"] {
        let (status, body) = api.post(id, action).await;
        assert_eq!((status, &body["error"]["code"]), (StatusCode::CONFLICT, &json!("wrong_state")));
    }
    assert_eq!(fixture.job(id).await.state, JobState::Succeeded);
    assert_eq!(trail(&fixture, ACME).await, [] as [Value; 0]);
    node.stop(Duration::from_secs(5)).await;
}

async fn a_change_that_can_not_be_audited_is_not_made(fixture: Fixture) {
    let api = Api::new(&fixture);
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let before = fixture.job(id).await;
    api.trail.broken.store(true, SeqCst);
    assert_eq!(api.post(id, "cancel").await.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(fixture.job(id).await, before);
    api.trail.broken.store(false, SeqCst);
    assert_eq!(api.post(id, "cancel").await.0, StatusCode::OK);
}

async fn another_tenant_sees_nothing(fixture: Fixture) {
    let api = Api::new(&fixture);
    let stranger = TenantId(Uuid::from_u128(0xbad));
    let id = fixture.enqueue(NewJob::new("test", Value::Null)).await;
    let (status, body) = api.call(stranger, Method::GET, "").await;
    assert_eq!(
        (status, body),
        (StatusCode::OK, json!({"data": [], "next_cursor": null, "prev_cursor": null}))
    );
    for (method, path) in [
        (Method::GET, format!("/{id}")),
        (Method::POST, format!("/{id}/retry")),
        (Method::POST, format!("/{id}/cancel")),
    ] {
        assert_eq!(api.call(stranger, method, &path).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    assert_eq!(api.call(ACME, Method::GET, &format!("/{id}")).await.1["id"], json!(id));
    assert_eq!(fixture.job(id).await.state, JobState::Queued);
}

async fn jobs_of_the_instance_are_for_operators(fixture: Fixture) {
    let api = Api::new(&fixture);
    let tx = fixture.db.system_write(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    let id = enqueue(&tx, &fixture.clock, NewJob::new("test", Value::Null)).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    let only = |permission: &str| Permissions::new([permission.to_owned()]);

    let (_, body) = api.call(OPERATORS, Method::GET, "").await;
    assert_eq!(body["data"], json!([]), "not without `instance`");
    let (status, body) = api.call_with(OPERATORS, only("tenants:read"), Method::GET, "?instance=true").await;
    assert_eq!((status, &body["data"][0]["id"]), (StatusCode::OK, &json!(id)));
    let one = format!("/{id}?instance=true");
    assert_eq!(api.call(OPERATORS, Method::GET, &one).await.0, StatusCode::OK);

    // A user of the same tenant with all permissions is not an operator.
    let owner = Scope::new(OPERATORS, Actor::User(UserId::NIL), Permissions::all());
    assert_eq!(api.call_as(owner, Method::GET, &one).await.0, StatusCode::FORBIDDEN);

    let cancel = format!("/{id}/cancel?instance=true");
    for (tenant, held) in [(ACME, Permissions::all()), (OPERATORS, only("jobs:read"))] {
        for (method, path) in
            [(Method::GET, "?instance=true"), (Method::GET, &*one), (Method::POST, &*cancel)]
        {
            let (status, _) = api.call_with(tenant, held.clone(), method, path).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{tenant} {path}");
        }
    }
    assert_eq!(
        api.call_with(OPERATORS, only("tenants:read"), Method::POST, &cancel).await.0,
        StatusCode::FORBIDDEN,
        "to read is not to write"
    );
    let (status, body) = api.call(OPERATORS, Method::POST, &cancel).await;
    assert_eq!((status, &body["state"]), (StatusCode::OK, &json!("cancelled")));
    assert_eq!(
        trail(&fixture, OPERATORS).await,
        [json!("cancel test Queued Cancelled")],
        "in the operator's own trail"
    );
}

async fn lists_are_filtered_and_paged_newest_first(fixture: Fixture) {
    let api = Api::new(&fixture);
    let mut ids = Vec::new();
    for n in 0..5 {
        ids.push(fixture.enqueue(NewJob::new(if n == 2 { "test.odd" } else { "test" }, json!(n))).await);
    }
    api.post(ids[4], "cancel").await;
    let listed = async |query: &str| {
        let (status, body) = api.call(ACME, Method::GET, query).await;
        assert_eq!(status, StatusCode::OK, "{body}");
        let ids: Vec<JobId> = body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|job| job["id"].as_str().unwrap().parse().unwrap())
            .collect();
        (ids, body["next_cursor"].as_str().map(str::to_owned))
    };
    assert_eq!(listed("?kind=test.odd").await.0, [ids[2]]);
    assert_eq!(listed("?state=cancelled").await.0, [ids[4]]);
    let (first, cursor) = listed("?kind=test&limit=2").await;
    assert_eq!(first, [ids[4], ids[3]]);
    let (second, cursor) = listed(&format!("?kind=test&limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!((second, cursor), (vec![ids[1], ids[0]], None));
    for bad in
        ["?state=lost", "?limit=0", "?limit=9999999999999", "?cursor=forged", "?instance=maybe", "/not-an-id"]
    {
        assert_eq!(api.call(ACME, Method::GET, bad).await.0, StatusCode::BAD_REQUEST, "{bad}");
    }
}
