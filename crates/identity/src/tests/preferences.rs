//! Preferences of users, and what is kept of them in memory.

use loam_kernel::{ExpectedVersion, Result, UserId};
use loam_platform::notices::Notice;
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};

use super::fixture::Fixture;
use crate::Identity;
use crate::user_preferences::ownership::PreferenceOwner;

on_both!(
    the_two_hundredth_preference_of_a_user_is_the_last,
    what_is_too_much_for_memory_is_read_and_never_old,
    another_node_hears_of_a_change_and_of_the_users_end,
);

async fn set(fixture: &Fixture, user: UserId, key: &str, value: Value) -> Result<()> {
    let (scope, any) = (fixture.scope(), ExpectedVersion::any());
    fixture.identity.set_preference(&scope, PreferenceOwner::User(user), key, &any, value).await.map(drop)
}

async fn value(fixture: &Fixture, identity: &Identity, user: UserId, key: &str) -> Result<Value> {
    identity
        .get_preference(&fixture.scope(), PreferenceOwner::User(user), key)
        .await
        .map(|(_, held)| held.value)
}

fn notice(fixture: &Fixture, topic: &str, user: UserId) -> Notice {
    Notice {
        tenant: fixture.scope().tenant(),
        topic: topic.to_owned(),
        subject: user.0,
        owner: None,
        id: None,
    }
}

async fn the_two_hundredth_preference_of_a_user_is_the_last(database: Database) {
    let fixture = Fixture::new(database).await;
    let user = fixture.user("collector", &["user"]).await;
    for number in 0..198 {
        set(&fixture, user, &format!("k{number}"), json!(number)).await.unwrap();
    }
    let tries = (0..6).map(|number| {
        let key = format!("late{number}");
        let fixture = &fixture;
        async move { set(fixture, user, &key, json!(true)).await }
    });
    let done = futures_util::future::join_all(tries).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 2);
    for refused in done.into_iter().filter_map(Result::err) {
        assert_eq!(refused.code(), "too_many_preferences");
    }
    set(&fixture, user, "k0", json!("changed")).await.unwrap();
    assert_eq!(value(&fixture, &fixture.identity, user, "k0").await.unwrap(), "changed");
}

async fn what_is_too_much_for_memory_is_read_and_never_old(database: Database) {
    let fixture = Fixture::new(database).await;
    let user = fixture.user("writer", &["user"]).await;
    for round in 0..3 {
        let long = format!("{round}").repeat(30_000);
        set(&fixture, user, "essay", json!(long)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(value(&fixture, &fixture.identity, user, "essay").await.unwrap(), json!(long));
        }
    }
    let refused = set(&fixture, user, "essay", json!("x".repeat(70_000))).await.unwrap_err();
    assert_eq!(refused.param(), Some("value"));
}

async fn another_node_hears_of_a_change_and_of_the_users_end(database: Database) {
    let fixture = Fixture::new(database).await;
    let other = fixture.another().await;
    let user = fixture.user("reader", &["user"]).await;
    let threshold = |value: Value| value["confidence_threshold"].clone();
    assert_eq!(threshold(value(&fixture, &other, user, "ai_settings").await.unwrap()), 0.7);
    set(&fixture, user, "ai_settings", json!({ "confidence_threshold": 0.9 })).await.unwrap();
    // what the other has in memory is what it read, until it is told
    assert_eq!(threshold(value(&fixture, &other, user, "ai_settings").await.unwrap()), 0.7);
    other.notices.publish(&notice(&fixture, "user_preferences", user));
    assert_eq!(threshold(value(&fixture, &other, user, "ai_settings").await.unwrap()), 0.9);
    fixture.identity.delete_user(&fixture.scope(), user).await.unwrap();
    assert_eq!(value(&fixture, &fixture.identity, user, "ai_settings").await.unwrap_err().status(), 404);
    other.notices.publish(&notice(&fixture, "users", user));
    assert_eq!(value(&fixture, &other, user, "ai_settings").await.unwrap_err().status(), 404);
}
