//! The claim of an `Idempotency-Key` and the effect of its request are both there, or neither.

use std::sync::Arc;

use chrono::TimeDelta;
use loam_db::SealedResponse;
use loam_kernel::{Clock, Idempotency, Kind, Scope, TenantId};
use loam_testkit::{Database, on_both};
use sea_orm::{ActiveModelTrait, IntoActiveModel};

use crate::kit::{ACME, OTHER, all_topics, note, scope};

on_both![
    a_claim_is_kept_with_its_effect,
    a_claim_goes_with_its_effect,
    only_the_first_transaction_claims,
    a_second_request_with_the_key_does_nothing,
    of_many_at_once_one_takes_effect,
    another_tenant_may_use_the_same_key,
    old_answers_are_forgotten,
];

fn claiming(tenant: TenantId, key: &str) -> Scope {
    let clock = Clock::system();
    let mut scope = scope(tenant);
    scope.idempotency =
        Some(Arc::new(Idempotency::new(clock.id(), key.to_owned(), vec![1, 2, 3], clock.now())));
    scope
}

/// Does what a request does: one note, in the transaction that makes the claim.
async fn request(bed: &Database, scope: &Scope) -> loam_kernel::Result<()> {
    let tx = bed.db.write(scope).await?;
    tx.insert(note(scope.tenant(), "done").into_active_model().reset_all()).await?;
    tx.commit().await
}

async fn a_claim_is_kept_with_its_effect(bed: Database) {
    let caller = claiming(ACME, "k");
    assert!(bed.db.idempotent_request(&caller, &["k"]).await.unwrap().is_none());
    request(&bed, &caller).await.unwrap();
    let kept = bed.db.idempotent_request(&caller, &["k"]).await.unwrap().unwrap();
    assert!(kept.answer.is_none() && kept.fingerprint == [1, 2, 3]);
    let answer = SealedResponse { status: 201, body: "sealed".to_owned() };
    bed.db.store_response(&caller, kept.id, answer).await.unwrap();
    let answer = bed.db.idempotent_request(&caller, &["k"]).await.unwrap().unwrap().answer.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (201, "sealed"));
}

async fn a_claim_goes_with_its_effect(bed: Database) {
    for end in ["dropped", "rolled back"] {
        let caller = claiming(ACME, end);
        let tx = bed.db.write(&caller).await.unwrap();
        tx.insert(note(ACME, "undone").into_active_model().reset_all()).await.unwrap();
        if end == "rolled back" {
            tx.rollback().await.unwrap();
        } else {
            drop(tx);
        }
        assert!(bed.db.idempotent_request(&caller, &[end]).await.unwrap().is_none(), "{end}");
        request(&bed, &claiming(ACME, end)).await.unwrap();
    }
    assert_eq!(all_topics(&bed.db).await, ["done", "done"]);
}

async fn only_the_first_transaction_claims(bed: Database) {
    let caller = claiming(ACME, "k");
    drop(bed.db.read(&caller).await.unwrap());
    assert!(!caller.idempotency.as_ref().unwrap().is_claimed(), "reading is no effect");
    request(&bed, &caller).await.unwrap();
    assert!(caller.idempotency.as_ref().unwrap().is_claimed());
    request(&bed, &caller).await.expect("a second transaction of the same request makes no second claim");
}

async fn a_second_request_with_the_key_does_nothing(bed: Database) {
    request(&bed, &claiming(ACME, "k")).await.unwrap();
    let error = request(&bed, &claiming(ACME, "k")).await.unwrap_err();
    assert_eq!((error.kind(), error.code()), (Kind::Conflict, "request_in_progress"));
    let system = bed.db.system_write(&claiming(ACME, "k")).await.map(drop).unwrap_err();
    assert_eq!(system.code(), "request_in_progress");
    assert_eq!(all_topics(&bed.db).await, ["done"]);
}

async fn of_many_at_once_one_takes_effect(bed: Database) {
    let callers: Vec<Scope> = (0..8).map(|_| claiming(ACME, "k")).collect();
    let done = futures_util::future::join_all(callers.iter().map(|caller| request(&bed, caller))).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(
        done.iter().flat_map(|done| done.as_ref().err()).all(|e| e.code() == "request_in_progress"),
        "{done:?}"
    );
    assert_eq!(all_topics(&bed.db).await, ["done"]);
}

async fn another_tenant_may_use_the_same_key(bed: Database) {
    request(&bed, &claiming(ACME, "k")).await.unwrap();
    assert!(bed.db.idempotent_request(&scope(OTHER), &["k"]).await.unwrap().is_none());
    request(&bed, &claiming(OTHER, "k")).await.unwrap();
    let (mine, theirs) = (
        bed.db.idempotent_request(&scope(ACME), &["k"]).await,
        bed.db.idempotent_request(&scope(OTHER), &["k"]).await,
    );
    let (mine, theirs) = (mine.unwrap().unwrap(), theirs.unwrap().unwrap());
    assert_ne!(mine.id, theirs.id);
    let answer = SealedResponse { status: 200, body: "stolen".to_owned() };
    bed.db.store_response(&scope(ACME), theirs.id, answer).await.unwrap();
    assert!(
        bed.db.idempotent_request(&scope(OTHER), &["k"]).await.unwrap().unwrap().answer.is_none(),
        "not another's answer"
    );
}

async fn old_answers_are_forgotten(bed: Database) {
    let now = Clock::system().now();
    request(&bed, &claiming(ACME, "k")).await.unwrap();
    request(&bed, &claiming(OTHER, "k")).await.unwrap();
    let system = scope(TenantId::NIL);
    assert_eq!(bed.db.delete_old_responses(&system, now - TimeDelta::hours(1)).await.unwrap(), 0);
    assert_eq!(bed.db.delete_old_responses(&system, now + TimeDelta::hours(1)).await.unwrap(), 2);
    assert!(bed.db.idempotent_request(&scope(ACME), &["k"]).await.unwrap().is_none());
}
