//! Connections are shared among tenants: one that takes all it can get leaves some to the others.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use loam_testkit::{Database, on_both};
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::kit::{ACME, OTHER, note, scope};

on_both![a_tenant_that_holds_all_it_can_get_leaves_connections_to_others, writers_of_tenants_take_turns];

async fn a_tenant_that_holds_all_it_can_get_leaves_connections_to_others(bed: Database) {
    let mut held = Vec::new();
    for _ in 0..bed.config.max_connections {
        if let Ok(tx) = timeout(Duration::from_millis(200), bed.db.read(&scope(ACME))).await {
            held.push(tx.unwrap());
        }
    }
    let all = usize::try_from(bed.config.max_connections).unwrap();
    let processors = std::thread::available_parallelism().unwrap().get();
    let most = if bed.db.is_embedded() { processors.max(2).min(all - all / 4) } else { all / 2 };
    assert_eq!(held.len(), most);
    let mut others = Vec::new();
    for _ in 0..most.min(all - most) {
        others.push(timeout(Duration::from_secs(4), bed.db.read(&scope(OTHER))).await.unwrap().unwrap());
    }
    // nor is there anything left behind by those that gave up
    drop(held);
    bed.db.read(&scope(ACME)).await.unwrap().commit().await.unwrap();
}

async fn writers_of_tenants_take_turns(bed: Database) {
    // as many as there are connections for a tenant, so that those that come after have to wait on either database
    let mut held = Vec::new();
    let most = if bed.db.is_embedded() { 1 } else { bed.config.max_connections / 2 };
    for _ in 0..most {
        held.push(bed.db.write(&scope(ACME)).await.unwrap());
    }
    if !bed.db.is_embedded() {
        // opened before they are needed: to open a connection may take longer than all the turns of the first tenant
        let mut opened = Vec::new();
        for _ in 0..3.min(most) {
            opened.push(bed.db.write(&scope(OTHER)).await.unwrap());
        }
        for tx in opened {
            tx.commit().await.unwrap();
        }
    }
    let order = Arc::new(Mutex::new(Vec::new()));
    let started = Arc::new(AtomicUsize::new(0));
    let mut tasks = JoinSet::new();
    for (number, tenant) in [ACME; 20].into_iter().chain([OTHER; 3]).enumerate() {
        let (db, order, begun) = (bed.db.clone(), order.clone(), started.clone());
        tasks.spawn(async move {
            begun.fetch_add(1, Ordering::SeqCst);
            let tx = db.write(&scope(tenant)).await.unwrap();
            order.lock().unwrap().push(tenant);
            tx.insert(note(tenant, "turn").into_active_model().reset_all()).await.unwrap();
            tx.commit().await.unwrap();
        });
        // so that they queue in this order
        while started.load(Ordering::SeqCst) <= number {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
    drop(held);
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let order = order.lock().unwrap();
    let last = order.iter().rposition(|tenant| *tenant == OTHER).unwrap();
    assert!(last <= 8, "the other tenant's three came behind: {last} of {}", order.len());
}
