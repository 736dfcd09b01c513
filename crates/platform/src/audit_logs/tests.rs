//! The chain holds whatever happens at once, and can be checked from what the database gives back.

use loam_db::Db;
use loam_kernel::{Actor, ApiKeyId, Clock, Origin, Permissions, Scope, TenantId};
use loam_testkit::{Database, on_both};
use sea_orm::QueryOrder;
use serde_json::{Value, json};
use std::sync::Arc;
use uuid::Uuid;

use super::entity::{Column, Entity, Model};
use super::{Change, chain, record};

pub(crate) const ACME: TenantId = TenantId(Uuid::from_u128(0xac));
const OTHER: TenantId = TenantId(Uuid::from_u128(0x07));

on_both![
    the_chain_has_no_gap_though_many_write_at_once,
    hashes_can_be_recomputed_from_what_is_read_back,
    a_change_that_is_rolled_back_leaves_no_row,
    each_tenant_has_its_own_chain,
    a_row_says_who_and_from_where,
];

/// A database with two tenants and this month's partitions.
pub(crate) async fn prepared(fixture: Database) -> Database {
    let clock = Clock::system();
    fixture.db.ensure_partitions(&Scope::system(TenantId::NIL, "test"), clock.now()).await.unwrap();
    let rows: Vec<String> = [ACME, OTHER].iter().map(|id| row_of(&fixture, *id)).collect();
    let sql = "INSERT INTO tenants (id, slug, name, status, quotas, settings, metadata, created_at, updated_at) VALUES ";
    fixture.raw().await.run(sql.to_owned() + &rows.join(", ")).await;
    fixture
}

fn row_of(fixture: &Database, tenant: TenantId) -> String {
    let id = match fixture.db.dialect() {
        loam_db::Dialect::Sqlite => format!("x'{}'", tenant.0.simple()),
        loam_db::Dialect::Postgres => format!("'{tenant}'"),
    };
    let at = "'2026-01-01T00:00:00+00:00'";
    format!("({id}, '{tenant}', 'n', 'active', '{{}}', '{{}}', '{{}}', {at}, {at})")
}

fn change(changes: Value) -> Change<'static> {
    Change { action: "update", resource_type: "things", resource_id: "1", changes }
}

pub(super) async fn write(db: &Db, tenant: TenantId, changes: Value) -> loam_kernel::Result<()> {
    let tx = db.write(&Scope::system(tenant, "test")).await?;
    record(&tx, &Clock::system(), change(changes)).await?;
    tx.commit().await
}

pub(super) async fn rows(db: &Db, tenant: TenantId) -> Vec<Model> {
    let tx = db.read(&Scope::system(tenant, "test")).await.unwrap();
    tx.find::<Entity>().order_by_asc(Column::Sequence).all().await.unwrap()
}

/// Walks the chain as an auditor would.
fn check(rows: &[Model]) {
    let mut previous = chain::GENESIS.to_vec();
    for (place, row) in (1..).zip(rows) {
        assert_eq!(row.sequence, place, "there is a gap, or a place is taken twice");
        assert_eq!(row.previous_hash, previous, "row {place} does not follow the one before it");
        let proof = chain::check(row);
        assert_eq!(proof, chain::Proof::Whole, "row {place} is not what was hashed: {:?}", row.changes);
        previous.clone_from(&row.hash);
    }
}

async fn the_chain_has_no_gap_though_many_write_at_once(fixture: Database) {
    let fixture = prepared(fixture).await;
    const WRITERS: usize = 16;
    const EACH: usize = 5;
    // on a chain that has no row yet, so that all are first
    let writers = (0..WRITERS).map(|writer| {
        let db = fixture.db.clone();
        async move {
            for n in 0..EACH {
                write(&db, ACME, json!({ "writer": writer, "n": n })).await.unwrap();
            }
        }
    });
    futures_util::future::join_all(writers).await;
    let rows = rows(&fixture.db, ACME).await;
    assert_eq!(rows.len(), WRITERS * EACH);
    check(&rows);
}

async fn hashes_can_be_recomputed_from_what_is_read_back(fixture: Database) {
    let fixture = prepared(fixture).await;
    let awkward = [
        json!({ "b": 1, "a": { "z": null, "y": [true, false, { "d": 1, "c": 2 }] }, "": "empty name" }),
        json!({ "floats": [0.1, 1.0, -0.0, 100.0, 1e16, 1e300, -1.5e-7, 5e-324, f64::MAX, f64::MIN_POSITIVE] }),
        json!({ "whole": [0, -1, u64::MAX, i64::MIN, 9_007_199_254_740_993_u64] }),
        json!({ "text": "quotes \" and \\ and / and \u{1}\u{7f}\u{2028} and ü and 简体 and 🦀", "ключ": "ключ" }),
        json!([]),
        json!(null),
        json!("text"),
        json!(1.5),
    ];
    for changes in &awkward {
        write(&fixture.db, ACME, changes.clone()).await.unwrap();
    }
    // numbers with as many digits as there are: reading them back must not move them
    let clock = Clock::system();
    let random: Vec<f64> = (0..500)
        .map(|_| f64::from_bits(u64::from_le_bytes(clock.random())))
        .filter(|number| number.is_finite())
        .collect();
    write(&fixture.db, ACME, json!({ "random": random })).await.unwrap();
    let rows = rows(&fixture.db, ACME).await;
    assert_eq!(rows.len(), awkward.len() + 1);
    check(&rows);

    let mut forged = rows;
    forged[1].changes["floats"][0] = json!(0.2);
    assert!(std::panic::catch_unwind(|| check(&forged)).is_err(), "the check can fail");
}

async fn a_change_that_is_rolled_back_leaves_no_row(fixture: Database) {
    let fixture = prepared(fixture).await;
    write(&fixture.db, ACME, json!({ "n": 1 })).await.unwrap();
    for end in ["dropped", "rolled back"] {
        let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
        record(&tx, &Clock::system(), change(json!({ "end": end }))).await.unwrap();
        if end == "rolled back" {
            tx.rollback().await.unwrap();
        }
    }
    write(&fixture.db, ACME, json!({ "n": 2 })).await.unwrap();
    let rows = rows(&fixture.db, ACME).await;
    assert_eq!(rows.iter().map(|row| row.changes["n"].clone()).collect::<Vec<_>>(), [json!(1), json!(2)]);
    check(&rows);
}

async fn each_tenant_has_its_own_chain(fixture: Database) {
    let fixture = prepared(fixture).await;
    for tenant in [ACME, OTHER, ACME] {
        write(&fixture.db, tenant, json!({})).await.unwrap();
    }
    // the operator's transaction goes on in the tenant that it made
    let mut tx = fixture.db.system_write(&Scope::system(ACME, "test")).await.unwrap();
    tx.switch_tenant(OTHER);
    record(&tx, &Clock::system(), change(json!({}))).await.unwrap();
    tx.commit().await.unwrap();
    for tenant in [ACME, OTHER] {
        let rows = rows(&fixture.db, tenant).await;
        assert_eq!(rows.len(), 2);
        check(&rows);
    }
}

async fn a_row_says_who_and_from_where(fixture: Database) {
    let fixture = prepared(fixture).await;
    let key = ApiKeyId(Uuid::from_u128(5));
    let origin = Origin {
        request_id: "r-1".to_owned(),
        ip_address: Some("2001:db8::1".parse().unwrap()),
        user_agent: Some("curl/8".to_owned()),
        ..Origin::default()
    };
    let scope = Scope::new(ACME, Actor::ApiKey(key), Permissions::all()).with_origin(Arc::new(origin));
    let tx = fixture.db.write(&scope).await.unwrap();
    record(&tx, &Clock::system(), change(json!({}))).await.unwrap();
    tx.commit().await.unwrap();
    let rows = rows(&fixture.db, ACME).await;
    let row = &rows[0];
    assert_eq!(row.actor, format!("api_key:{key}"));
    assert_eq!(row.request_id.as_deref(), Some("r-1"));
    assert_eq!((row.ip_address.as_deref(), row.user_agent.as_deref()), (Some("2001:db8::1"), Some("curl/8")));
    check(&rows);
}
