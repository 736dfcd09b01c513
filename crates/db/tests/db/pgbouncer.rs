//! Tenants through PgBouncer in transaction mode: many clients on few connections, each used by tenant after tenant.

use std::str::FromStr;

use loam_db::Containment;
use loam_kernel::{Clock, TenantId};
use loam_testkit::{Database, Raw};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::kit::note::Entity;
use crate::kit::{note, scope};

const CLIENTS: u32 = 32;
const TENANTS: u128 = 6;
const ROUNDS: usize = 12;

fn tenant(n: u128) -> TenantId {
    TenantId(Uuid::from_u128(0x100 + n))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tenants_that_share_connections_stay_apart() {
    let bed = Database::pgbouncer(CLIENTS).await;
    let tasks = (0..u128::from(CLIENTS)).map(|client| {
        let db = bed.db.clone();
        async move {
            let own = tenant(client % TENANTS);
            for round in 0..ROUNDS {
                let tx = db.write(&scope(own)).await.unwrap();
                let mine = note(own, &format!("{client}/{round}"));
                tx.insert(mine.clone().into_active_model().reset_all()).await.unwrap();
                let seen = tx.find::<Entity>().all().await.unwrap();
                assert!(seen.contains(&mine) && seen.iter().all(|row| row.tenant_id == own));
                // one in three is undone, and leaves a connection behind for the next
                if round % 3 == 0 {
                    tx.rollback().await.unwrap()
                } else {
                    tx.commit().await.unwrap()
                }
                let tx = db.read(&scope(own)).await.unwrap();
                let seen = tx.find::<Entity>().all().await.unwrap();
                assert!(seen.iter().all(|row| row.tenant_id == own), "another tenant's rows");
            }
        }
    });
    futures_util::future::join_all(tasks).await;
    let mut total = 0;
    for n in 0..TENANTS {
        total += bed.db.read(&scope(tenant(n))).await.unwrap().find::<Entity>().count().await.unwrap();
    }
    assert_eq!(total, u64::from(CLIENTS) * ROUNDS as u64 * 2 / 3);
    let name = bed.config.owner_url.as_deref().unwrap().rsplit_once('/').unwrap().1.to_owned();
    let backends = format!(
        "SELECT pid::text FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'loam'"
    );
    let backends = bed.raw().await.texts(backends).await.len();
    assert!(
        backends < CLIENTS as usize / 2,
        "{backends} connections for {CLIENTS} clients: they were not shared"
    );
}

/// A connection by the way of tenants' transactions, around the data layer.
async fn beside(bed: &Database) -> Raw {
    let mut owner = bed.raw().await;
    let password = owner.texts("SELECT password FROM tenant_wall").await.remove(0);
    let name = owner.texts("SELECT 'loam_tenants_' || current_database()").await.remove(0);
    let url = bed.config.url.as_deref().expect("PgBouncer's");
    let options = PgConnectOptions::from_str(url).unwrap().username(&name).password(&password);
    Raw::Postgres(PgConnection::connect_with(&options.extra_float_digits(None)).await.unwrap())
}

#[tokio::test]
async fn tenants_have_a_login_of_their_own_through_it() {
    let bed = Database::pgbouncer(2).await;
    assert_eq!(bed.db.containment().await.unwrap(), Some(Containment::Contained));
    let who = beside(&bed).await.texts("SELECT session_user::text").await.remove(0);
    assert!(who.starts_with("loam_tenants_"), "{who}");
}

/// What a transaction sets must end with it: the next on that connection may be anybody's.
#[tokio::test]
async fn a_transaction_leaves_nothing_behind_on_its_connection() {
    let bed = Database::pgbouncer(1).await;
    for end in ["committed", "rolled back", "dropped"] {
        let tx = bed.db.write(&scope(tenant(0))).await.unwrap();
        tx.insert(note(tenant(0), end).into_active_model().reset_all()).await.unwrap();
        match end {
            "committed" => tx.commit().await.unwrap(),
            "rolled back" => tx.rollback().await.unwrap(),
            _ => drop(tx),
        }
        let tx = bed.db.read(&scope(tenant(0))).await.unwrap();
        assert_eq!(tx.find::<Entity>().count().await.unwrap(), 1, "only the first was {end}");
        drop(tx);
        bed.db.ping().await.unwrap();
        // held at the same time, so that each is another of the connections that there are
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut raw = beside(&bed).await;
            raw.run("BEGIN").await;
            let state = "SELECT concat_ws(',', current_user = session_user, nullif(current_setting('app.tenant', true), ''), \
                         current_setting('statement_timeout'), current_setting('transaction_read_only'))";
            assert_eq!(raw.texts(state).await, ["t,0,off"], "after one that was {end}");
            held.push(raw);
        }
    }
}

#[tokio::test]
async fn a_server_starts_through_it() {
    let mut bed = Database::pgbouncer(4).await;
    // migrations and partitions by way of PgBouncer too
    bed.config.owner_url = None;
    let db = bed.second_node().await;
    assert!(db.migrate().await.unwrap().is_empty());
    assert!(db.ensure_partitions(&scope(TenantId::NIL), Clock::system().now()).await.unwrap() > 0);
    db.ping().await.unwrap();
    assert!(db.size_bytes().await.unwrap() > 0);
}
