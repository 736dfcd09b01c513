//! The drainer's way in: whole batches, in every type, new or again.

use loam_db::OnConflict::{self, Fail, Merge};
use loam_db::{Bulk, Column, Fold};
use loam_kernel::{Clock, TenantId};
use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, DerivePartialModel, QueryFilter};
use serde_json::json;
use uuid::Uuid;

use crate::kit::{
    ACME, OTHER, all_topics, call, empty_call, note, read_calls, scope, write_calls, write_notes,
};

on_both![
    every_type_comes_back_as_it_was,
    a_batch_of_many_statements_is_whole,
    merging_keeps_what_the_new_row_does_not_say,
    merging_is_by_tenant_and_id,
    a_row_that_is_there_already_fails_the_batch,
    one_bad_row_undoes_its_batch,
    an_empty_batch_is_nothing,
    models_are_written_and_read_by_their_fields,
    folding_adds_up_and_keeps_the_least_and_the_greatest,
    many_rows_are_found_by_their_keys_of_tenant_and_id,
];

/// A database with the partitions that this moment needs.
async fn prepared(bed: Database) -> Database {
    bed.db.ensure_partitions(&scope(TenantId::NIL), Clock::system().now()).await.unwrap();
    bed
}

fn full(tenant: TenantId) -> call::Model {
    call::Model {
        user_id: Some(Clock::system().id()),
        session_id: Some("sé\"ssion '; -- {}".to_owned()),
        streamed: true,
        status_code: Some(i32::MIN),
        total_tokens: Some(i64::MAX),
        attempts: json!([{"target": "a/b", "duration_ms": 1.5, "n": null}, "ü", -3]),
        request_data: Some((0..=255).collect()),
        ..empty_call(tenant, Clock::system().now())
    }
}

async fn every_type_comes_back_as_it_was(bed: Database) {
    let bed = prepared(bed).await;
    // nulls before, between and behind, so that no column is typed by its first value
    let now = Clock::system().now();
    let mut rows =
        [empty_call(ACME, now), full(ACME), empty_call(ACME, now), full(ACME), empty_call(ACME, now)];
    write_calls(&bed.db, &rows, Fail).await.unwrap();
    rows.sort_by_key(|row| row.id);
    assert_eq!(read_calls(&bed.db, ACME).await, rows);
}

async fn a_batch_of_many_statements_is_whole(bed: Database) {
    let bed = prepared(bed).await;
    // 2 × 128 + 1 × 16 + 5 × 1 rows: every size of statement on SQLite
    let rows: Vec<_> = (0..277).map(|n| call::Model { total_tokens: Some(n), ..full(ACME) }).collect();
    write_calls(&bed.db, &rows, Merge).await.unwrap();
    assert_eq!(read_calls(&bed.db, ACME).await, rows);
}

async fn merging_keeps_what_the_new_row_does_not_say(bed: Database) {
    let bed = prepared(bed).await;
    let intent = call::Model { total_tokens: None, ..full(ACME) };
    write_calls(&bed.db, std::slice::from_ref(&intent), Merge).await.unwrap();
    let settlement = call::Model {
        user_id: None,
        session_id: None,
        status_code: Some(200),
        total_tokens: Some(7),
        request_data: None,
        attempts: json!([{"target": "c/d"}]),
        ..intent.clone()
    };
    let merged = call::Model {
        user_id: intent.user_id,
        session_id: intent.session_id.clone(),
        request_data: intent.request_data.clone(),
        ..settlement.clone()
    };
    for _ in 0..2 {
        write_calls(&bed.db, std::slice::from_ref(&settlement), Merge).await.unwrap();
        assert_eq!(
            read_calls(&bed.db, ACME).await,
            std::slice::from_ref(&merged),
            "the same twice is the same once"
        );
    }
}

async fn merging_is_by_tenant_and_id(bed: Database) {
    let bed = prepared(bed).await;
    let mine = full(ACME);
    let theirs = call::Model { tenant_id: OTHER, total_tokens: Some(1), ..mine.clone() };
    write_calls(&bed.db, std::slice::from_ref(&mine), Merge).await.unwrap();
    write_calls(&bed.db, std::slice::from_ref(&theirs), Merge).await.unwrap();
    assert_eq!(read_calls(&bed.db, ACME).await, [mine]);
    assert_eq!(read_calls(&bed.db, OTHER).await, [theirs]);
}

async fn a_row_that_is_there_already_fails_the_batch(bed: Database) {
    let bed = prepared(bed).await;
    let (old, new) = (full(ACME), full(ACME));
    write_calls(&bed.db, std::slice::from_ref(&old), Fail).await.unwrap();
    let error = write_calls(&bed.db, &[new, old.clone()], Fail).await.unwrap_err();
    assert!(loam_db::is_unique_violation(&error), "{error:?}");
    assert_eq!(read_calls(&bed.db, ACME).await, [old]);
}

async fn one_bad_row_undoes_its_batch(bed: Database) {
    write_notes(&bed.db, &[note(ACME, "old")]).await;
    let ids = (0..200).map(|_| Some(Clock::system().id())).collect();
    let mut topics = vec![Some("new".to_owned()); 200];
    topics[150] = None;
    let bulk = Bulk::partial(
        "change_notices",
        vec![
            ("tenant_id", Column::Uuid(vec![Some(ACME.0); 200])),
            ("id", Column::Uuid(ids)),
            ("topic", Column::Text(topics)),
            ("subject_id", Column::Uuid(vec![Some(Uuid::nil()); 200])),
            ("created_at", Column::Time(vec![Some(Clock::system().now()); 200])),
        ],
        Fail,
    );
    let tx = bed.db.system_write(&scope(TenantId::NIL)).await.unwrap();
    assert!(tx.bulk(bulk).await.is_err());
    drop(tx);
    assert_eq!(all_topics(&bed.db).await, ["old"]);
}

async fn an_empty_batch_is_nothing(bed: Database) {
    write_calls(&bed.db, &[], Merge).await.unwrap();
    assert!(read_calls(&bed.db, ACME).await.is_empty());
}

async fn models_are_written_and_read_by_their_fields(bed: Database) {
    #[derive(Debug, PartialEq, DerivePartialModel)]
    #[sea_orm(entity = "note::Entity")]
    struct Owned {
        owner_id: Option<Uuid>,
        topic: String,
    }
    let of = |owner_id| note::Model { owner_id, ..note(ACME, "models") };
    let rows = [None, Some(Uuid::max()), None].map(of).to_vec();
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    tx.bulk(Bulk::models::<note::Entity>(Vec::new(), Fail)).await.unwrap();
    tx.bulk(Bulk::models::<note::Entity>(rows.clone(), Fail)).await.unwrap();
    for row in rows {
        let find = || tx.find::<note::Entity>().filter(note::Column::Id.eq(row.id));
        let owned = Owned { owner_id: row.owner_id, topic: row.topic.clone() };
        assert_eq!(find().partial::<Owned>().await.unwrap(), [owned]);
        assert_eq!(find().all().await.unwrap(), [row]);
    }
}

async fn folding_adds_up_and_keeps_the_least_and_the_greatest(bed: Database) {
    const LEAST: &[(&str, Fold)] =
        &[("total_tokens", Fold::Sum), ("status_code", Fold::Least), ("session_id", Fold::Keep)];
    const GREATEST: &[(&str, Fold)] = &[("total_tokens", Fold::Sum), ("status_code", Fold::Greatest)];
    let bed = prepared(bed).await;
    for (folds, status, session) in [(LEAST, 3, "s5"), (GREATEST, 8, "s7")] {
        let first = full(ACME);
        for n in [5, 3, 8, 7] {
            let row = call::Model {
                total_tokens: Some(n.into()),
                status_code: Some(n),
                session_id: Some(format!("s{n}")),
                ..first.clone()
            };
            write_calls(&bed.db, &[row], OnConflict::Fold(folds)).await.unwrap();
        }
        let rows = read_calls(&bed.db, ACME).await;
        let row = rows.iter().find(|row| row.id == first.id).unwrap();
        assert_eq!((row.total_tokens, row.status_code), (Some(23), Some(status)));
        assert_eq!(row.session_id.as_deref(), Some(session), "what is not named is the last one's");
    }
}

async fn many_rows_are_found_by_their_keys_of_tenant_and_id(bed: Database) {
    let bed = prepared(bed).await;
    // more than one statement's
    let rows: Vec<_> = (0..620).map(|_| full(ACME)).chain((0..5).map(|_| full(OTHER))).collect();
    write_calls(&bed.db, &rows, Fail).await.unwrap();
    let mut keys: Vec<_> = rows.iter().skip(7).map(|row| (row.tenant_id, row.id)).collect();
    // another tenant's, nobody's, and none
    keys.push((OTHER, rows[0].id));
    keys.push((ACME, Clock::system().id()));
    let tx = bed.db.system_read(&scope(TenantId::NIL)).await.unwrap();
    let mut found = tx.get_many::<call::Entity>(&keys).await.unwrap();
    found.sort_by_key(|row| row.id);
    assert_eq!(found, rows[7..]);
    assert_eq!(tx.get_many::<call::Entity>(&[]).await.unwrap(), []);
}
