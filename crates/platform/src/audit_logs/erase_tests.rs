//! A person can be erased from the trail, which still verifies, and nothing else can be hidden that way.

use std::sync::Arc;

use loam_db::Db;
use loam_kernel::{Actor, Clock, Origin, Permissions, Scope, UserId};
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};
use uuid::Uuid;

use super::chain::{self, Proof};
use super::entity::Model;
use super::erase::{ErasedRows, Person, erase_person};
use super::export::verify_export;
use super::tests::{ACME, prepared, rows};
use super::verify::{Audit, Verification};
use super::{Change, record};

on_both![
    an_erased_person_is_in_no_row_and_the_chain_verifies,
    an_erased_row_of_version_1_is_attested,
    a_mark_without_an_announcement_is_a_fault,
    an_erased_part_says_nothing,
    erasing_again_finds_nothing,
    only_whole_words_are_the_persons,
];

const BOB: Uuid = Uuid::from_u128(0xb0b);

async fn write(db: &Db, actor: Actor, resource: (&'static str, &str), changes: Value) {
    let origin = Origin {
        request_id: "r-1".to_owned(),
        ip_address: Some("192.0.2.7".parse().unwrap()),
        user_agent: Some("bobs browser".to_owned()),
        ..Origin::default()
    };
    let scope = Scope::new(ACME, actor, Permissions::all()).with_origin(Arc::new(origin));
    let tx = db.write(&scope).await.unwrap();
    let change = Change { action: "update", resource_type: resource.0, resource_id: resource.1, changes };
    record(&tx, &Clock::system(), change).await.unwrap();
    tx.commit().await.unwrap();
}

fn bob() -> Person {
    Person {
        actors: vec![format!("user:{BOB}")],
        resources: vec![BOB.to_string()],
        identifiers: vec!["Bob".to_owned(), "bob@example.com".to_owned(), String::new()],
    }
}

/// Six rows: 1 about Bob by the command line, 2 by Bob, 3 about somebody else, 4 that names Bob's address within a text, 5
/// by Bob about Bob, 6 about somebody else.
async fn trail(fixture: Database) -> Database {
    let fixture = prepared(fixture).await;
    let (db, id) = (&fixture.db, BOB.to_string());
    write(db, Actor::CommandLine, ("users", &id), json!({ "username": "bob", "roles": ["user"] })).await;
    write(db, Actor::User(UserId(BOB)), ("projects", "p"), json!({ "name": "rocket" })).await;
    write(db, Actor::CommandLine, ("users", "x"), json!({ "username": "eve" })).await;
    let named = json!({ "to": [{ "mail": "Eve, BOB@example.com; \"quoted\"" }] });
    write(db, Actor::CommandLine, ("alert_rules", "y"), named).await;
    write(db, Actor::User(UserId(BOB)), ("users", &id), json!({ "email": "bob@example.com" })).await;
    write(db, Actor::CommandLine, ("users", "x"), json!({ "n": 1.5 })).await;
    fixture
}

async fn erase(db: &Db, person: &Person) -> ErasedRows {
    let scope = Scope::system(ACME, "erasures");
    erase_person(db, &Clock::system(), &scope, person, "an erasure").await.unwrap()
}

async fn verify(fixture: &Database) -> Verification {
    Audit::new(fixture.db.clone(), Scope::system(ACME, "test")).verify(0, None, None).await.unwrap()
}

async fn export(fixture: &Database) -> Vec<u8> {
    let mut export = Audit::new(fixture.db.clone(), Scope::system(ACME, "test")).export().await.unwrap();
    let mut all = Vec::new();
    while let Some(lines) = export.next().await.unwrap() {
        all.extend_from_slice(&lines);
    }
    all
}

async fn an_erased_person_is_in_no_row_and_the_chain_verifies(fixture: Database) {
    let fixture = trail(fixture).await;
    let before = export(&fixture).await;
    let noted: super::Expected = verify(&fixture).await.head.parse().unwrap();
    assert_eq!(erase(&fixture.db, &bob()).await, ErasedRows { rows: 4, origins: 2, changes: 3 });

    let after = export(&fixture).await;
    let text = String::from_utf8(after.clone()).unwrap();
    for word in ["\"bob\"", "bob@", "BOB@", "\"user:"] {
        assert!(!text.contains(word), "{word} in {text}");
    }
    // what others did stays, and who did it
    assert!(text.contains("rocket") && text.contains("eve"), "{text}");
    let kept = rows(&fixture.db, ACME).await;
    assert_eq!(kept.len(), 7, "the erasure is on the trail itself");
    assert_eq!((kept[0].actor.as_str(), &kept[0].changes), ("command_line", &json!({})));
    assert_eq!((kept[1].actor.as_str(), &kept[1].ip_address, &kept[1].user_agent), ("erased", &None, &None));
    assert!(kept[1].origin_salt.is_none() && kept[1].changes_salt.is_some());
    assert!(kept[2].erased_at.is_none() && kept[5].erased_at.is_none());
    assert_eq!(kept[6].changes, json!({ "rows": 4, "sequences": [[1, 2], [4, 5]] }));

    for found in [verify(&fixture).await, verify_export(&*after, None).unwrap()] {
        assert!(found.ok && found.complete, "{found:?}");
        assert_eq!((found.rows, found.erased, found.attested), (7, 4, 0));
    }
    // hashes are what they were: a head that was noted before is still in the chain, and old exports verify
    assert!(verify_export(&*after, Some(noted)).unwrap().ok);
    assert!(verify_export(&*before, None).unwrap().ok);

    // what was not erased can still not be changed unseen
    for (sql, place) in [
        ("UPDATE audit_logs SET changes = '{\"name\":\"canoe\"}' WHERE sequence = 2", 2),
        ("UPDATE audit_logs SET actor = 'user:x' WHERE sequence = 4", 4),
        ("UPDATE audit_logs SET erased_at = NULL WHERE sequence = 5", 5),
    ] {
        assert!(fixture.raw().await.run(sql).await > 0);
        let found = verify(&fixture).await;
        assert!(found.faults.iter().any(|fault| fault.sequence == place), "{sql}: {found:?}");
    }
}

async fn an_erased_row_of_version_1_is_attested(fixture: Database) {
    let fixture = trail(fixture).await;
    // the whole trail as an earlier version wrote it
    let mut previous = chain::GENESIS.to_vec();
    for mut row in rows(&fixture.db, ACME).await {
        row.version = None;
        (row.origin_salt, row.origin_commitment) = (None, None);
        (row.changes_salt, row.changes_commitment) = (None, None);
        row.previous_hash = previous;
        row.hash = chain::hash_v1(&row);
        previous = row.hash.clone();
        let tx = fixture.db.write(&Scope::system(ACME, "test")).await.unwrap();
        if row.sequence == 6 {
            let head = super::head::ActiveModel {
                tenant_id: sea_orm::Set(ACME),
                id: sea_orm::Set(ACME),
                sequence: sea_orm::Set(6),
                hash: sea_orm::Set(row.hash.clone()),
            };
            tx.update(head).await.unwrap();
        }
        tx.update(sea_orm::ActiveModelTrait::reset_all(sea_orm::IntoActiveModel::into_active_model(row)))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let found = verify(&fixture).await;
    assert!(found.ok, "{found:?}");
    erase(&fixture.db, &bob()).await;
    for found in [verify(&fixture).await, verify_export(&*export(&fixture).await, None).unwrap()] {
        assert!(found.ok, "{found:?}");
        assert_eq!((found.rows, found.erased, found.attested), (7, 4, 4));
    }
    // its hash still holds the next row in its place
    assert!(fixture.raw().await.run("DELETE FROM audit_logs WHERE sequence = 4").await > 0);
    assert!(!verify(&fixture).await.ok);
}

async fn a_mark_without_an_announcement_is_a_fault(fixture: Database) {
    let fixture = trail(fixture).await;
    let at = "'2026-11-21T00:00:00.000001+00:00'";
    let sql = format!(
        "UPDATE audit_logs SET changes = '{{}}', changes_salt = NULL, erased_at = {at} WHERE sequence = 3"
    );
    assert!(fixture.raw().await.run(sql).await > 0);
    let found = verify(&fixture).await;
    assert_eq!(found.faults.iter().map(|fault| fault.sequence).collect::<Vec<_>>(), [3], "{found:?}");
    // nor does an announcement from before it help
    erase(&fixture.db, &bob()).await;
    assert!(!verify(&fixture).await.ok, "the announcement names other rows");
}

async fn an_erased_part_says_nothing(fixture: Database) {
    let fixture = trail(fixture).await;
    erase(&fixture.db, &bob()).await;
    assert!(
        fixture.raw().await.run("UPDATE audit_logs SET changes = '{\"n\":1}' WHERE sequence = 1").await > 0
    );
    let found = verify(&fixture).await;
    assert!(found.faults.iter().any(|fault| fault.sequence == 1), "{found:?}");
}

async fn erasing_again_finds_nothing(fixture: Database) {
    let fixture = trail(fixture).await;
    erase(&fixture.db, &bob()).await;
    let mut again = bob();
    again.identifiers.push("audit_logs".to_owned());
    assert_eq!(erase(&fixture.db, &again).await, ErasedRows::default());
    assert_eq!(rows(&fixture.db, ACME).await.len(), 7);
    assert_eq!(erase(&fixture.db, &Person::default()).await, ErasedRows::default());
}

async fn only_whole_words_are_the_persons(fixture: Database) {
    let fixture = prepared(fixture).await;
    for (n, text) in
        ["also", "al", "AL, with others", "100%", "100 of", "jürgen", "JÜRGEN"].iter().enumerate()
    {
        write(&fixture.db, Actor::CommandLine, ("things", &n.to_string()), json!({ "text": text })).await;
    }
    let person = |identifier: &str| Person { identifiers: vec![identifier.to_owned()], ..Person::default() };
    assert_eq!(erase(&fixture.db, &person("al")).await.changes, 2);
    assert_eq!(erase(&fixture.db, &person("100%")).await.changes, 1);
    assert!(erase(&fixture.db, &person("jürgen")).await.changes >= 1);
    assert!(verify(&fixture).await.ok);
}

fn golden() -> Model {
    Model {
        tenant_id: ACME,
        id: loam_kernel::AuditLogId(Uuid::from_u128(0x1234)),
        sequence: 7,
        action: "update".to_owned(),
        resource_type: "users".to_owned(),
        resource_id: "u".to_owned(),
        actor: "command_line".to_owned(),
        changes: json!({ "b": 1, "a": [null, 0.5, "ü"] }),
        request_id: Some("r".to_owned()),
        ip_address: None,
        user_agent: Some("curl/8".to_owned()),
        previous_hash: vec![9; 32],
        hash: Vec::new(),
        version: None,
        origin_salt: None,
        origin_commitment: None,
        changes_salt: None,
        changes_commitment: None,
        erased_at: None,
        created_at: "2026-11-30T01:02:03.000004Z".parse().unwrap(),
    }
}

#[test]
fn the_hashes_of_both_versions_are_what_they_always_were() {
    let mut row = golden();
    row.hash = chain::hash_v1(&row);
    assert_eq!(
        loam_kernel::hex(&row.hash),
        "cdf0b47ead4bcaba2fff52ddf7459cccce4ca823ff634fd1626dc1227858cf88"
    );
    assert_eq!(chain::check(&row), Proof::Whole);
    row.version = Some(1);
    assert_eq!(chain::check(&row), Proof::Whole);
    row.version = Some(3);
    assert_eq!(chain::check(&row), Proof::Changed, "a version that is not known");

    let mut row = golden();
    chain::seal(&mut row, [[1; 32], [2; 32]]);
    assert_eq!(
        loam_kernel::hex(&row.hash),
        "1b595837125c918e5eabba47de53f7d9f99ab271c9c982d9e6ae4d5d753fada9"
    );
    assert_eq!(chain::check(&row), Proof::Whole);
}

#[test]
fn an_export_of_the_first_format_still_verifies() {
    let found = verify_export(OLD_EXPORT.as_bytes(), None).unwrap();
    assert!(found.ok && found.rows == 1, "{found:?}");
    let forged = OLD_EXPORT.replace("\"n\":1", "\"n\":2");
    assert!(!verify_export(forged.as_bytes(), None).unwrap().ok);
}

/// As Loam wrote it before rows had a version.
const OLD_EXPORT: &str = concat!(
    r#"{"format":"loam audit export 1","tenant_id":"00000000-0000-0000-0000-0000000000ac"}"#,
    "\n",
    r#"{"id":"00000000-0000-0000-0000-000000001234","sequence":1,"action":"update","resource_type":"things","resource_id":"1","actor":"system:test","changes":{"n":1},"request_id":null,"ip_address":null,"user_agent":null,"previous_hash":"0000000000000000000000000000000000000000000000000000000000000000","hash":"dcecfc6dd5465b5f154bda677d39836be3e2c4c99b03440497bb733d05735c20","created_at":"2026-11-30T01:02:03.000004Z"}"#,
    "\n",
    r#"{"rows":1,"head_sequence":1,"head_hash":"dcecfc6dd5465b5f154bda677d39836be3e2c4c99b03440497bb733d05735c20","sha256":"da256e140540b84db2f7f673989582b6aa0b459266f351a6270dc9f83a49e4f6"}"#,
    "\n",
);
