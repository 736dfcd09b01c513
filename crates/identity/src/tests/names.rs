//! Users are found by their names in any form, also those from versions that stored them as they were given.

use loam_kernel::{ExpectedVersion, UserId};
use loam_testkit::{Database, on_both};
use sea_orm::Set;
use serde_json::json;

use super::fixture::Fixture;
use crate::users::entity::{ActiveModel, Column};
use crate::users::names::{closest, named};
use crate::users::service::{UserFilter, UserUpdate, insert};

on_both![users_from_earlier_versions_are_found_in_any_form];

/// A user as an earlier version stored it.
async fn stored(fixture: &Fixture, username: &str, email: &str) -> UserId {
    let (id, now) = (fixture.identity.clock.id(), fixture.identity.clock.now());
    let row = ActiveModel {
        tenant_id: Set(fixture.scope().tenant()),
        id: Set(id),
        username: Set(username.to_owned()),
        email: Set(email.to_owned()),
        password_hash: Set(None),
        password_reset_at: Set(None),
        full_name: Set(None),
        roles: Set(json!(["user"])),
        external_id: Set(None),
        is_active: Set(true),
        metadata: Set(json!({})),
        created_at: Set(now),
        updated_at: Set(now),
    };
    let tx = fixture.identity.db.write(&fixture.scope()).await.unwrap();
    insert(&tx, row).await.unwrap();
    tx.commit().await.unwrap();
    id
}

async fn found(fixture: &Fixture, column: Column, given: &str) -> Option<UserId> {
    let tx = fixture.identity.db.read(&fixture.scope()).await.unwrap();
    let users = tx.find::<crate::users::entity::Entity>();
    let users = sea_orm::QueryFilter::filter(users, named(column, given)).all().await.unwrap();
    closest(users, column, given).map(|user| user.id)
}

async fn users_from_earlier_versions_are_found_in_any_form(database: Database) {
    let fixture = Fixture::new(database).await;
    let single = stored(&fixture, "bob", "Bob@X.com").await;
    let (first, second) =
        (stored(&fixture, "ann", "Ann@x.com").await, stored(&fixture, "ann-2", "ann@x.com").await);
    let decomposed = stored(&fixture, "zoe\u{308}", "zoe@x.com").await;
    for (given, user) in [
        ("bob@x.com", Some(single)),
        ("BOB@x.com", Some(single)),
        ("Ann@x.com", Some(first)),
        ("ann@x.com", Some(second)),
        ("ANN@x.com", Some(first)),
        ("bo@x.com", None),
    ] {
        assert_eq!(found(&fixture, Column::Email, given).await, user, "{given}");
    }
    assert_eq!(found(&fixture, Column::Username, "zo\u{eb}").await, Some(decomposed));
    assert_eq!(found(&fixture, Column::Username, "zoe\u{308}").await, Some(decomposed));
    let filter = UserFilter { username: Some("zo\u{eb}".to_owned()), ..UserFilter::default() };
    let listed = fixture.identity.list_users(&fixture.scope(), filter, &Default::default()).await.unwrap();
    assert_eq!(listed.data.len(), 1);
    // one that is equal to another can be changed otherwise, and takes an address that is free
    let any = ExpectedVersion::any();
    let change = |email: &str| UserUpdate { email: Some(email.to_owned()), ..UserUpdate::default() };
    let update = async |change| fixture.identity.update_user(&fixture.scope(), second, &any, change).await;
    let taken = update(change("BOB@x.com")).await.unwrap_err();
    assert_eq!((taken.code(), taken.param()), ("already_exists", Some("email")));
    let name = UserUpdate { full_name: Some(Some("Ann".to_owned())), ..UserUpdate::default() };
    update(name).await.unwrap();
    assert_eq!(update(change("Ann.Two@x.com")).await.unwrap().email, "ann.two@x.com");
}
