//! The months' partitions on PostgreSQL; SQLite has none, and is asked for none.

use chrono::{DateTime, Months, Utc};
use loam_db::OnConflict::Fail;
use loam_db::PARTITIONED;
use loam_kernel::{Clock, TenantId};
use loam_testkit::{Database, on_both};

use crate::kit::{ACME, at, empty_call, read_calls, scope, write_calls};

on_both![a_row_of_every_covered_month_is_kept];

/// Months from the last one to the furthest made ahead.
const MONTHS: u32 = 5;

/// Mid-December, so that the year turns within the months covered.
fn now() -> DateTime<Utc> {
    at("2026-12-15T12:00:00Z")
}

async fn partitions(bed: &Database) -> Vec<String> {
    let sql = "SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r' ORDER BY 1";
    bed.raw().await.texts(sql).await
}

#[tokio::test]
async fn the_last_month_to_three_ahead_are_made_once() {
    let bed = Database::postgres().await;
    assert!(partitions(&bed).await.is_empty());
    let made = bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap();
    let mut tables = PARTITIONED.to_vec();
    tables.sort_unstable();
    let expected: Vec<String> = tables
        .iter()
        .flat_map(|table| {
            ["2026_11", "2026_12", "2027_01", "2027_02", "2027_03"].map(|month| format!("{table}_{month}"))
        })
        .collect();
    assert_eq!(partitions(&bed).await, expected);
    assert_eq!(made, expected.len() as u64);
    assert_eq!(bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap(), 0);
    let next = now() + Months::new(1);
    assert_eq!(
        bed.db.ensure_partitions(&scope(TenantId::NIL), next).await.unwrap(),
        PARTITIONED.len() as u64
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_make_them_together_make_each_once() {
    let bed = Database::postgres().await;
    let nil = scope(TenantId::NIL);
    let calls = (0..6).map(|_| bed.db.ensure_partitions(&nil, now()));
    let made: Vec<u64> = futures_util::future::try_join_all(calls).await.unwrap();
    assert_eq!(made.iter().sum::<u64>(), PARTITIONED.len() as u64 * u64::from(MONTHS), "{made:?}");
}

#[tokio::test]
async fn there_is_no_default_partition_and_no_gap_between_months() {
    let bed = Database::postgres().await;
    bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap();
    let sql = "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE relispartition AND relkind = 'r' AND relname LIKE 'llm_calls%' ORDER BY relname";
    let bounds = bed.raw().await.texts(sql).await;
    assert_eq!(bounds.len(), MONTHS as usize);
    assert!(bounds.iter().all(|bound| bound.starts_with("FOR VALUES FROM")), "{bounds:?}");
    for pair in bounds.windows(2) {
        let (end, start) = (pair[0].split("TO (").nth(1).unwrap(), pair[1].split(['(', ')']).nth(1).unwrap());
        assert_eq!(end.trim_end_matches(')'), start);
    }
}

async fn a_row_of_every_covered_month_is_kept(bed: Database) {
    bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap();
    let first = at("2026-11-01T00:00:00Z");
    let moments = (0..MONTHS).map(|n| first + Months::new(n));
    // the first and the last millisecond of each month
    let moments: Vec<_> =
        moments.flat_map(|from| [from, from + Months::new(1) - chrono::TimeDelta::milliseconds(1)]).collect();
    let rows: Vec<_> = moments.iter().map(|moment| empty_call(ACME, *moment)).collect();
    write_calls(&bed.db, &rows, Fail).await.unwrap();
    assert_eq!(read_calls(&bed.db, ACME).await, rows);
    if bed.db.dialect() == loam_db::Dialect::Postgres {
        let found = bed.raw().await.texts("SELECT tableoid::regclass::text FROM llm_calls ORDER BY id").await;
        let expected: Vec<_> =
            moments.iter().map(|moment| moment.format("llm_calls_%Y_%m").to_string()).collect();
        assert_eq!(found, expected);
    }
}

/// The server's own sessions are in UTC; an operator's need not be.
#[tokio::test]
async fn months_are_those_of_utc_whoever_makes_them() {
    let bed = Database::postgres().await;
    let mut raw = bed.raw().await;
    raw.run("SET timezone = 'Pacific/Kiritimati'; SELECT loam_ensure_partition('llm_calls', '2026-12-01')")
        .await;
    let (first, last) = (at("2026-12-01T00:00:00Z"), at("2026-12-31T23:59:59.999Z"));
    write_calls(&bed.db, &[empty_call(ACME, first), empty_call(ACME, last)], Fail).await.unwrap();
    let found = raw.texts("SELECT tableoid::regclass::text FROM llm_calls").await;
    assert_eq!(found, ["llm_calls_2026_12"; 2]);
    raw.run("SET timezone = 'America/Adak'; SELECT loam_ensure_partition('llm_calls', '2027-01-01')").await;
    write_calls(&bed.db, &[empty_call(ACME, at("2027-01-01T00:00:00Z"))], Fail).await.unwrap();
}

#[tokio::test]
async fn a_row_of_a_month_without_a_partition_is_refused() {
    let bed = Database::postgres().await;
    bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap();
    for moment in ["2026-10-31T23:59:59.999Z", "2027-04-01T00:00:00Z"] {
        write_calls(&bed.db, &[empty_call(ACME, at(moment))], Fail).await.expect_err(moment);
    }
}

#[tokio::test]
async fn a_look_up_by_id_reads_one_partition() {
    let bed = Database::postgres().await;
    bed.db.ensure_partitions(&scope(TenantId::NIL), now()).await.unwrap();
    let id = Clock::system().id_at(now());
    let mut raw = bed.raw().await;
    let signed = crate::rls::signed(&mut raw, ACME).await;
    let role = format!("SET ROLE loam_app; SET app.tenant = '{signed}'; ");
    let plan = async |raw: &mut loam_testkit::Raw, filter: &str| {
        let lines = raw
            .texts(format!("{role} EXPLAIN SELECT * FROM llm_calls WHERE tenant_id = '{ACME}' {filter}"))
            .await;
        (MONTHS as usize, lines.iter().filter(|line| line.contains("on llm_calls_2")).count())
    };
    assert_eq!(plan(&mut raw, &format!("AND id = '{id}'")).await.1, 1);
    // a list from a cursor on, newest first, reads partitions in order, and none beyond the cursor
    let (all, found) = plan(&mut raw, &format!("AND id < '{id}' ORDER BY id DESC LIMIT 50")).await;
    assert!(found < all, "{found} of {all}");
    assert_eq!(plan(&mut raw, "").await, (5, 5), "the check can fail");
}
