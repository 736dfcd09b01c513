//! The first wall: a transaction of a tenant reaches that tenant's rows only, on either database.

use loam_db::{Bulk, OnConflict};
use loam_kernel::{Clock, Kind, Order, Page, PageQuery};
use loam_testkit::{Database, on_both};
use sea_orm::{ActiveModelTrait, ColumnTrait, Condition, ExprTrait, IntoActiveModel, QueryFilter, Set};
use uuid::Uuid;

use crate::kit::note::{ActiveModel, Column, Entity};
use crate::kit::{ACME, OTHER, all_topics, note, scope, write_notes};

on_both![
    another_tenants_rows_are_not_found,
    a_filter_can_narrow_but_not_widen,
    another_tenants_row_is_not_changed,
    a_change_of_many_rows_stays_within_the_tenant,
    a_deletion_stays_within_the_tenant,
    an_insert_ignores_the_tenant_that_the_model_names,
    the_system_sees_every_tenant,
    a_page_goes_on_where_the_last_one_ended,
    a_sorted_list_goes_both_ways_from_any_row,
    many_rows_at_once_are_the_tenants_whatever_they_say,
    what_is_not_committed_never_was,
    a_reading_transaction_cannot_write,
];

async fn another_tenants_rows_are_not_found(bed: Database) {
    let (mine, theirs) = (note(ACME, "mine"), note(OTHER, "theirs"));
    write_notes(&bed.db, &[mine.clone(), theirs.clone()]).await;
    let tx = bed.db.read(&scope(ACME)).await.unwrap();
    assert_eq!(tx.find::<Entity>().all().await.unwrap(), std::slice::from_ref(&mine));
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 1);
    assert_eq!(tx.get::<Entity>(mine.id).await.unwrap(), Some(mine));
    assert_eq!(tx.get::<Entity>(theirs.id).await.unwrap(), None);
    let page = tx.find::<Entity>().page(&PageQuery::default(), |row| row.id).await.unwrap();
    assert_eq!(page.data.len(), 1);
    drop(tx);
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    assert_eq!(tx.get_locked::<Entity>(theirs.id).await.unwrap(), None);
}

async fn a_filter_can_narrow_but_not_widen(bed: Database) {
    let (mine, theirs) = (note(ACME, "mine"), note(OTHER, "theirs"));
    write_notes(&bed.db, &[mine.clone(), theirs]).await;
    let tx = bed.db.read(&scope(ACME)).await.unwrap();
    let any = Column::Topic.eq("mine").or(Column::Topic.eq("theirs"));
    assert_eq!(tx.find::<Entity>().filter(any).all().await.unwrap(), std::slice::from_ref(&mine));
    let any = Condition::any().add(Column::Topic.ne("")).add(Column::TenantId.eq(OTHER));
    assert_eq!(tx.find::<Entity>().filter(any).all().await.unwrap(), [mine]);
    assert_eq!(tx.find::<Entity>().filter(Column::TenantId.eq(OTHER)).all().await.unwrap(), []);
}

async fn another_tenants_row_is_not_changed(bed: Database) {
    let theirs = note(OTHER, "theirs");
    write_notes(&bed.db, std::slice::from_ref(&theirs)).await;
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    let mut stolen = theirs.clone().into_active_model();
    stolen.topic = Set("stolen".to_owned());
    assert_eq!(tx.update(stolen).await.unwrap_err().kind(), Kind::NotFound);
    tx.commit().await.unwrap();
    let kept = bed.db.read(&scope(OTHER)).await.unwrap().get::<Entity>(theirs.id).await.unwrap();
    assert_eq!(kept, Some(theirs));
}

async fn a_change_of_many_rows_stays_within_the_tenant(bed: Database) {
    write_notes(&bed.db, &[note(ACME, "a"), note(ACME, "b"), note(OTHER, "c")]).await;
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    assert_eq!(tx.update_many::<Entity>().set(Column::Topic, "x").exec().await.unwrap(), 2);
    let named = tx
        .update_many::<Entity>()
        .set(Column::Topic, "x")
        .filter(Column::Topic.eq("c").or(Column::Topic.ne("c")));
    assert_eq!(named.exec().await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(all_topics(&bed.db).await, ["c", "x", "x"]);
}

async fn a_deletion_stays_within_the_tenant(bed: Database) {
    let theirs = note(OTHER, "c");
    write_notes(&bed.db, &[note(ACME, "a"), note(ACME, "b"), theirs.clone()]).await;
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    assert_eq!(tx.delete::<Entity>().filter(Column::Id.eq(theirs.id)).exec().await.unwrap(), 0);
    assert_eq!(tx.delete::<Entity>().exec().await.unwrap(), 2);
    tx.commit().await.unwrap();
    assert_eq!(all_topics(&bed.db).await, ["c"]);
}

async fn an_insert_ignores_the_tenant_that_the_model_names(bed: Database) {
    let tx = bed.db.write(&scope(ACME)).await.unwrap();
    let inserted = tx.insert(note(OTHER, "a").into_active_model().reset_all()).await.unwrap();
    assert_eq!(inserted.tenant_id, ACME);
    let again: ActiveModel = inserted.into_active_model().reset_all();
    assert!(!tx.insert_if_new(again).await.unwrap(), "the same key is there already");
    assert!(tx.insert_if_new(note(OTHER, "b").into_active_model().reset_all()).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(bed.db.read(&scope(ACME)).await.unwrap().find::<Entity>().count().await.unwrap(), 2);
    assert_eq!(bed.db.read(&scope(OTHER)).await.unwrap().find::<Entity>().count().await.unwrap(), 0);
}

async fn the_system_sees_every_tenant(bed: Database) {
    let theirs = note(OTHER, "b");
    write_notes(&bed.db, &[note(ACME, "a"), theirs.clone()]).await;
    let mut tx = bed.db.system_write(&scope(ACME)).await.unwrap();
    assert_eq!(tx.find_any::<Entity>().count().await.unwrap(), 2);
    assert_eq!(tx.find::<Entity>().count().await.unwrap(), 1, "unless it asks for a tenant's");
    assert_eq!(tx.update_all::<Entity>().set(Column::Topic, "x").exec().await.unwrap(), 2);
    tx.switch_tenant(OTHER);
    assert_eq!(tx.get::<Entity>(theirs.id).await.unwrap().unwrap().topic, "x");
    assert_eq!(tx.insert(note(ACME, "c").into_active_model().reset_all()).await.unwrap().tenant_id, OTHER);
    assert_eq!(tx.delete_any::<Entity>().exec().await.unwrap(), 3);
}

async fn a_page_goes_on_where_the_last_one_ended(bed: Database) {
    let notes: Vec<_> = (0..7).map(|n| note(ACME, &n.to_string())).collect();
    write_notes(&bed.db, &notes).await;
    write_notes(&bed.db, &[note(OTHER, "theirs")]).await;
    let tx = bed.db.read(&scope(ACME)).await.unwrap();
    let mut seen: Vec<Uuid> = Vec::new();
    let mut query = PageQuery { limit: Some(3), cursor: None };
    loop {
        let page = tx.find::<Entity>().page(&query, |row| row.id).await.unwrap();
        seen.extend(page.data.iter().map(|row| row.id));
        query.cursor = page.next_cursor;
        if query.cursor.is_none() {
            break;
        }
    }
    let newest_first: Vec<Uuid> = notes.iter().rev().map(|note| note.id).collect();
    assert_eq!(seen, newest_first);
}

async fn a_sorted_list_goes_both_ways_from_any_row(bed: Database) {
    let begin = Clock::fixed("2026-01-01T00:00:00Z".parse().unwrap()).now();
    // three at each moment, so that the id decides too
    let notes: Vec<note::Model> = (0..9)
        .map(|n| note::Model {
            created_at: begin + chrono::TimeDelta::microseconds(i64::from(n / 3) * 1500),
            ..note(ACME, &n.to_string())
        })
        .collect();
    write_notes(&bed.db, &notes).await;
    let tx = bed.db.read(&scope(ACME)).await.unwrap();
    let topics = |page: &Page<note::Model>| page.data.iter().map(|row| row.topic.clone()).collect::<String>();
    let read = async |cursor: Option<String>, limit: u64, order| {
        let query = PageQuery { limit: Some(limit), cursor };
        let at = |row: &note::Model| (row.created_at, row.id);
        tx.find::<Entity>().page_by(&query, order, Column::CreatedAt, at).await.unwrap()
    };
    for (order, all) in [(Order::Desc, "876543210"), (Order::Asc, "012345678")] {
        for limit in 1..=10 {
            let (mut seen, mut page) = (String::new(), read(None, limit, order).await);
            assert_eq!(page.prev_cursor, None);
            loop {
                seen += &topics(&page);
                let Some(next) = page.next_cursor.clone() else { break };
                let behind = read(Some(next), limit, order).await;
                // one step back is the same page again
                let back = read(behind.prev_cursor.clone(), limit, order).await;
                assert_eq!(topics(&back), topics(&page), "{order:?}, {limit} a page");
                page = behind;
            }
            assert_eq!(seen, all, "{limit} a page");
        }
    }
}

async fn many_rows_at_once_are_the_tenants_whatever_they_say(bed: Database) {
    let bulk = |tenant: Option<Uuid>| {
        let mut columns = vec![
            ("id", loam_db::Column::Uuid((0..200).map(|_| Some(Clock::system().id())).collect())),
            ("topic", loam_db::Column::Text(vec![Some("mine".to_owned()); 200])),
            ("subject_id", loam_db::Column::Uuid(vec![Some(Uuid::nil()); 200])),
            ("created_at", loam_db::Column::Time(vec![Some(Clock::system().now()); 200])),
        ];
        columns.extend(tenant.map(|tenant| ("tenant_id", loam_db::Column::Uuid(vec![Some(tenant); 200]))));
        Bulk::partial("change_notices", columns, OnConflict::Fail)
    };
    let count =
        async |tenant| bed.db.read(&scope(tenant)).await.unwrap().find::<Entity>().count().await.unwrap();
    for (named, mine) in [(None, 200), (Some(OTHER.0), 400), (Some(ACME.0), 600)] {
        let tx = bed.db.write(&scope(ACME)).await.unwrap();
        tx.bulk(bulk(named)).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!((count(ACME).await, count(OTHER).await), (mine, 0));
    }
}

async fn what_is_not_committed_never_was(bed: Database) {
    for end in ["dropped", "rolled back"] {
        let tx = bed.db.write(&scope(ACME)).await.unwrap();
        tx.insert(note(ACME, end).into_active_model().reset_all()).await.unwrap();
        if end == "rolled back" {
            tx.rollback().await.unwrap();
        }
    }
    assert!(all_topics(&bed.db).await.is_empty());
}

async fn a_reading_transaction_cannot_write(bed: Database) {
    let tx = bed.db.read(&scope(ACME)).await.unwrap();
    assert!(tx.insert(note(ACME, "a").into_active_model().reset_all()).await.is_err());
    drop(tx);
    let tx = bed.db.system_read(&scope(ACME)).await.unwrap();
    assert!(tx.insert_for_any_tenant(note(ACME, "a").into_active_model().reset_all()).await.is_err());
    drop(tx);
    assert!(all_topics(&bed.db).await.is_empty());
}
