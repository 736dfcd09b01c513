//! A chain that was touched is found out, in the database and in an export, and the place is named.

use loam_db::{Db, Dialect};
use loam_kernel::{Clock, Scope, TenantId};
use loam_testkit::{Database, on_both};
use serde_json::json;
use uuid::Uuid;

use super::export::verify_export;
use super::tests::{ACME, prepared, write};
use super::verify::{Audit, Expected, Verification};

on_both![
    an_untouched_chain_is_intact,
    one_changed_value_is_found,
    one_removed_row_is_found,
    two_swapped_rows_are_found,
    a_row_put_in_is_found,
    a_cut_tail_is_found,
    a_chain_written_anew_is_found_by_a_head_noted_earlier,
    a_long_chain_is_checked_in_parts,
    a_head_from_before_a_part_is_compared_with_its_row,
    an_export_is_checked_without_a_database,
    every_changed_byte_of_an_export_is_found,
];

const ROWS: i64 = 12;

async fn chained(fixture: Database, rows: i64) -> Database {
    let fixture = prepared(fixture).await;
    for n in 1..=rows {
        write(&fixture.db, ACME, json!({ "n": n, "text": "ü \" \\", "float": 0.1 })).await.unwrap();
    }
    fixture
}

fn audit(db: &Db) -> Audit {
    Audit::new(db.clone(), Scope::system(ACME, "test"))
}

async fn verify(fixture: &Database) -> Verification {
    audit(&fixture.db).verify(0, None, None).await.unwrap()
}

async fn export(db: &Db) -> Vec<u8> {
    let mut export = audit(db).export().await.unwrap();
    let mut all = Vec::new();
    while let Some(lines) = export.next().await.unwrap() {
        all.extend_from_slice(&lines);
    }
    all
}

fn check(export: &[u8]) -> Verification {
    verify_export(export, None).unwrap()
}

/// The places at which something is wrong.
fn places(found: &Verification) -> Vec<i64> {
    assert_eq!(found.ok, found.faults.is_empty());
    let mut places: Vec<i64> = found.faults.iter().map(|fault| fault.sequence).collect();
    places.dedup();
    places
}

async fn touch(fixture: &Database, sql: &str) {
    let touched = fixture.raw().await.run(sql).await;
    assert!(touched > 0, "{sql} did nothing");
}

async fn an_untouched_chain_is_intact(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    let found = verify(&fixture).await;
    assert!(found.ok && found.complete, "{found:?}");
    assert_eq!((found.rows, found.verified_to), (12, 12));
    let exported = check(&export(&fixture.db).await);
    assert!(exported.ok, "{exported:?}");
    assert_eq!((exported.rows, &exported.head), (12, &found.head));
    let nothing = Audit::new(fixture.db.clone(), Scope::system(TenantId(Uuid::from_u128(7)), "test"));
    let found = nothing.verify(0, None, None).await.unwrap();
    assert!(found.ok && found.rows == 0, "a chain without a row is one");
}

async fn one_changed_value_is_found(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    for (column, forged) in [
        ("action", "'delete'"),
        ("actor", "'system:x'"),
        ("changes", r#"'{"n": 5, "text": "u", "float": 0.1}'"#),
        ("request_id", "'x'"),
        ("created_at", "'2026-11-21T00:00:00.000001+00:00'"),
    ] {
        fixture.raw().await.run("CREATE TABLE kept AS SELECT * FROM audit_logs WHERE sequence = 5").await;
        touch(&fixture, &format!("UPDATE audit_logs SET {column} = {forged} WHERE sequence = 5")).await;
        let found = verify(&fixture).await;
        assert_eq!(places(&found), [5], "{column}: {found:?}");
        assert!(found.faults[0].what.contains("row 5"), "{found:?}");
        assert_eq!(places(&check(&export(&fixture.db).await)), [5], "{column}");
        touch(
            &fixture,
            &format!("UPDATE audit_logs SET {column} = (SELECT {column} FROM kept) WHERE sequence = 5"),
        )
        .await;
        fixture.raw().await.run("DROP TABLE kept").await;
        assert!(verify(&fixture).await.ok, "{column} is as it was");
    }
}

async fn one_removed_row_is_found(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    touch(&fixture, "DELETE FROM audit_logs WHERE sequence = 4").await;
    for found in [verify(&fixture).await, check(&export(&fixture.db).await)] {
        assert_eq!(places(&found), [4], "{found:?}");
        assert!(found.faults[0].what.contains("row 4 is missing"), "{found:?}");
    }
    touch(&fixture, "DELETE FROM audit_logs WHERE sequence IN (5, 6)").await;
    assert!(verify(&fixture).await.faults[0].what.contains("rows 4 to 6 are missing"));
}

async fn two_swapped_rows_are_found(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    touch(&fixture, "UPDATE audit_logs SET sequence = 15 - sequence WHERE sequence IN (7, 8)").await;
    for found in [verify(&fixture).await, check(&export(&fixture.db).await)] {
        assert_eq!(places(&found)[0], 7, "{found:?}");
        assert!(places(&found).iter().all(|place| (7..=9).contains(place)), "{found:?}");
    }
}

async fn a_row_put_in_is_found(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    let id: Uuid = Clock::system().id();
    let id = match fixture.db.dialect() {
        Dialect::Sqlite => format!("x'{}'", id.simple()),
        Dialect::Postgres => format!("'{id}'::uuid"),
    };
    let columns = "action, resource_type, resource_id, actor, changes, request_id, ip_address, user_agent, previous_hash, hash, created_at";
    touch(
        &fixture,
        &format!("INSERT INTO audit_logs (tenant_id, id, sequence, {columns}) SELECT tenant_id, {id}, 6, {columns} FROM audit_logs WHERE sequence = 6"),
    )
    .await;
    for found in [verify(&fixture).await, check(&export(&fixture.db).await)] {
        assert_eq!(places(&found)[0], 6, "{found:?}");
    }
}

async fn a_cut_tail_is_found(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    let whole = export(&fixture.db).await;
    touch(&fixture, "DELETE FROM audit_logs WHERE sequence > 9").await;
    let found = verify(&fixture).await;
    assert_eq!(places(&found), [10]);
    assert!(found.faults[0].what.contains("the tail is cut: rows 10 to 12"), "{found:?}");

    let text = String::from_utf8(whole).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // without its last line, and with the last line behind fewer rows
    for cut in [&lines[..12], &lines[..1]] {
        let found = check((cut.join("\n") + "\n").as_bytes());
        assert!(found.faults.iter().any(|fault| fault.what.contains("the tail is cut")), "{found:?}");
    }
    let mut cut = lines[..11].to_vec();
    cut.push(lines[13]);
    let found = check((cut.join("\n") + "\n").as_bytes());
    assert!(found.faults.iter().any(|fault| fault.what.contains("rows 11 to 12")), "{found:?}");
    assert!(verify_export(&b"{}\n"[..], None).is_err() && verify_export(&b""[..], None).is_err());
}

async fn a_chain_written_anew_is_found_by_a_head_noted_earlier(fixture: Database) {
    let fixture = chained(fixture, 5).await;
    let noted: Expected = verify(&fixture).await.head.parse().unwrap();
    write(&fixture.db, ACME, json!({ "n": 6 })).await.unwrap();
    let found = audit(&fixture.db).verify(0, Some(noted.clone()), None).await.unwrap();
    assert!(found.ok, "the chain has grown behind the head: {found:?}");
    assert!(verify_export(&*export(&fixture.db).await, Some(noted.clone())).unwrap().ok);
    // everything gone, head included, and a shorter story told instead
    touch(&fixture, "DELETE FROM audit_logs").await;
    touch(&fixture, "DELETE FROM audit_heads").await;
    for n in 0..5 {
        write(&fixture.db, ACME, json!({ "story": n })).await.unwrap();
    }
    assert!(verify(&fixture).await.ok, "by itself it looks well");
    let found = audit(&fixture.db).verify(0, Some(noted.clone()), None).await.unwrap();
    assert_eq!(places(&found), [5]);
    assert!(!verify_export(&*export(&fixture.db).await, Some(noted)).unwrap().ok);
    for wrong in ["", "5", "x:00", "5:zz", &"0".repeat(63)] {
        assert!(wrong.parse::<Expected>().is_err(), "{wrong}");
    }
}

async fn a_long_chain_is_checked_in_parts(fixture: Database) {
    let fixture = chained(fixture, ROWS).await;
    let found = audit(&fixture.db).verify(5, None, None).await.unwrap();
    assert!(found.ok && found.rows == 7, "{found:?}");
    let first = audit(&fixture.db).verify(0, None, Some(std::time::Duration::ZERO)).await.unwrap();
    assert!(first.ok && !first.complete && first.verified_to == 12, "{first:?}");
    assert_eq!(audit(&fixture.db).verify(99, None, None).await.unwrap_err().param(), Some("from_sequence"));
}

async fn a_head_from_before_a_part_is_compared_with_its_row(fixture: Database) {
    let fixture = chained(fixture, 5).await;
    let noted = verify(&fixture).await.head;
    write(&fixture.db, ACME, json!({ "n": 6 })).await.unwrap();
    write(&fixture.db, ACME, json!({ "n": 7 })).await.unwrap();
    let after_six = async |head: &str| {
        let expected: Expected = head.parse().unwrap();
        audit(&fixture.db).verify(6, Some(expected), None).await
    };
    let found = after_six(&noted).await.unwrap();
    assert!(found.ok && found.rows == 1, "{found:?}");
    let (_, hash) = noted.split_once(':').unwrap();
    assert_eq!(places(&after_six(&format!("4:{hash}")).await.unwrap()), [4]);
    assert_eq!(after_six(hash).await.unwrap_err().param(), Some("expect_head"));
}

async fn an_export_is_checked_without_a_database(fixture: Database) {
    let fixture = chained(fixture, 3).await;
    let text = String::from_utf8(export(&fixture.db).await).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let join = |lines: &[&str]| lines.join("\n") + "\n";
    let swapped = check(join(&[lines[0], lines[2], lines[1], lines[3], lines[4]]).as_bytes());
    assert_eq!(
        swapped.faults.iter().find(|fault| fault.sequence > 0).map(|fault| fault.sequence),
        Some(1),
        "{swapped:?}"
    );
    let twice = check(join(&[lines[0], lines[1], lines[1], lines[2], lines[3], lines[4]]).as_bytes());
    assert!(twice.faults.iter().any(|fault| fault.what.contains("a duplicate")), "{twice:?}");
    let behind = check(join(&[lines[0], lines[1], lines[2], lines[3], lines[4], lines[1]]).as_bytes());
    assert!(!behind.ok);
    // who changes the digest too breaks the rows
    let forged = text.replace("\"n\":2", "\"n\":9");
    assert_ne!(forged, text);
    let (rows, last) = forged.trim_end().rsplit_once('\n').unwrap();
    let digest = <sha2::Sha256 as sha2::Digest>::digest(format!("{rows}\n"));
    let mut last: serde_json::Value = serde_json::from_str(last).unwrap();
    last["sha256"] = loam_kernel::hex(digest).into();
    let found = check(format!("{rows}\n{last}\n").as_bytes());
    assert_eq!(places(&found), [2], "{found:?}");
}

async fn every_changed_byte_of_an_export_is_found(fixture: Database) {
    let fixture = chained(fixture, 3).await;
    let whole = export(&fixture.db).await;
    for place in 0..whole.len() {
        let mut forged = whole.clone();
        forged[place] ^= 1;
        let found = verify_export(&*forged, None);
        assert!(found.is_err() || !found.unwrap().ok, "byte {place} of {}", whole.len());
    }
}
