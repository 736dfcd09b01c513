//! Preferences of users, and what is kept of them in memory.

use loam_http::surface::IfMatch;
use loam_kernel::{Result, UserId};
use loam_platform::notices::Notice;
use loam_testkit::{Database, on_both};
use serde_json::{Value, json};

use super::bed::Bed;
use crate::Identity;
use crate::user_preferences::whose::Whose;

on_both!(
    the_two_hundredth_preference_of_a_user_is_the_last,
    what_is_too_much_for_memory_is_read_and_never_old,
    another_node_hears_of_a_change_and_of_the_users_end,
);

async fn set(bed: &Bed, user: UserId, key: &str, value: Value) -> Result<()> {
    let (scope, any) = (bed.scope(), IfMatch::any());
    bed.identity.set_preference(&scope, Whose::User(user), key, &any, value).await.map(drop)
}

async fn value(bed: &Bed, identity: &Identity, user: UserId, key: &str) -> Result<Value> {
    identity.get_preference(&bed.scope(), Whose::User(user), key).await.map(|(_, held)| held.value)
}

fn notice(bed: &Bed, topic: &str, user: UserId) -> Notice {
    Notice { tenant: bed.scope().tenant(), topic: topic.to_owned(), subject: user.0, owner: None }
}

async fn the_two_hundredth_preference_of_a_user_is_the_last(database: Database) {
    let bed = Bed::new(database).await;
    let user = bed.user("collector", &["user"]).await;
    for number in 0..198 {
        set(&bed, user, &format!("k{number}"), json!(number)).await.unwrap();
    }
    let tries = (0..6).map(|number| {
        let key = format!("late{number}");
        let bed = &bed;
        async move { set(bed, user, &key, json!(true)).await }
    });
    let done = futures_util::future::join_all(tries).await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 2);
    for refused in done.into_iter().filter_map(Result::err) {
        assert_eq!(refused.code(), "too_many_preferences");
    }
    set(&bed, user, "k0", json!("changed")).await.unwrap();
    assert_eq!(value(&bed, &bed.identity, user, "k0").await.unwrap(), "changed");
}

async fn what_is_too_much_for_memory_is_read_and_never_old(database: Database) {
    let bed = Bed::new(database).await;
    let user = bed.user("writer", &["user"]).await;
    for round in 0..3 {
        let long = format!("{round}").repeat(30_000);
        set(&bed, user, "essay", json!(long)).await.unwrap();
        for _ in 0..2 {
            assert_eq!(value(&bed, &bed.identity, user, "essay").await.unwrap(), json!(long));
        }
    }
    let refused = set(&bed, user, "essay", json!("x".repeat(70_000))).await.unwrap_err();
    assert_eq!(refused.param(), Some("value"));
}

async fn another_node_hears_of_a_change_and_of_the_users_end(database: Database) {
    let bed = Bed::new(database).await;
    let other = bed.another().await;
    let user = bed.user("reader", &["user"]).await;
    let threshold = |value: Value| value["confidence_threshold"].clone();
    assert_eq!(threshold(value(&bed, &other, user, "ai_settings").await.unwrap()), 0.7);
    set(&bed, user, "ai_settings", json!({ "confidence_threshold": 0.9 })).await.unwrap();
    // what the other has in memory is what it read, until it is told
    assert_eq!(threshold(value(&bed, &other, user, "ai_settings").await.unwrap()), 0.7);
    other.notices.publish(&notice(&bed, "user_preferences", user));
    assert_eq!(threshold(value(&bed, &other, user, "ai_settings").await.unwrap()), 0.9);
    bed.identity.delete_user(&bed.scope(), user).await.unwrap();
    assert_eq!(value(&bed, &bed.identity, user, "ai_settings").await.unwrap_err().status(), 404);
    other.notices.publish(&notice(&bed, "users", user));
    assert_eq!(value(&bed, &other, user, "ai_settings").await.unwrap_err().status(), 404);
}
