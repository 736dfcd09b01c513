//! Tokens and their keys over time.

use std::sync::Arc;

use chrono::TimeDelta;
use loam_kernel::{Actor, Error, Page, PageQuery, Scope, TenantId};
use loam_testkit::{Database, on_both};
use sea_orm::QueryOrder;

use super::fixture::{Fixture, KEY, claims, origin};
use crate::signing_keys::entity::{Column, Entity, Model};
use crate::tokens::service::TokenCreate;
use crate::{Authenticator, RequestedAccess};

on_both![
    a_token_ends_at_its_time_from_memory_too,
    keys_are_renewed_in_time_and_forgotten_when_nobody_needs_them,
    a_retired_key_signs_no_more_because_it_is_gone,
    a_key_made_on_another_node_is_found,
    a_key_and_its_token_are_told_apart_and_pay_alike,
];

async fn token(fixture: &Fixture, node: &Arc<Authenticator>, seconds: u64) -> String {
    let scope = node.authenticate(KEY, None, RequestedAccess::Write, origin()).await.unwrap();
    let new = TokenCreate { permissions: None, expires_in: Some(seconds) };
    fixture.identity.create_token(&scope, new).await.unwrap().token.to_string()
}

async fn use_it(node: &Authenticator, token: &str) -> Result<Scope, Error> {
    node.authenticate(token, None, RequestedAccess::Read, origin()).await
}

async fn keys(fixture: &Fixture) -> Vec<Model> {
    let tx = fixture.identity.db.system_read(&Scope::system(TenantId::NIL, "test")).await.unwrap();
    tx.find::<Entity>().order_by_desc(Column::Id).all().await.unwrap()
}

async fn a_token_ends_at_its_time_from_memory_too(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    let (seen, unseen) = (token(&fixture, &node, 60).await, token(&fixture, &node, 60).await);
    use_it(&node, &seen).await.unwrap();
    // clocks may differ by half a minute
    fixture.clock.advance(TimeDelta::seconds(89));
    use_it(&node, &seen).await.unwrap();
    fixture.clock.advance(TimeDelta::seconds(2));
    for text in [&seen, &unseen] {
        let error = use_it(&node, text).await.unwrap_err();
        assert_eq!((error.status(), error.code()), (401, "expired_token"));
    }
}

async fn keys_are_renewed_in_time_and_forgotten_when_nobody_needs_them(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    let scope = Scope::system(TenantId::NIL, "jobs");
    fixture.identity.renew_signing_keys(&scope).await.unwrap();
    assert!(keys(&fixture).await.is_empty(), "there is none before the first token");
    token(&fixture, &node, 60).await;
    fixture.clock.advance(TimeDelta::days(29));
    fixture.identity.renew_signing_keys(&scope).await.unwrap();
    assert_eq!(keys(&fixture).await.len(), 1);
    let long = token(&fixture, &node, 3600).await;
    fixture.clock.advance(TimeDelta::days(1));
    let last = token(&fixture, &node, 3600).await;
    fixture.identity.renew_signing_keys(&scope).await.unwrap();
    let now = keys(&fixture).await;
    assert_eq!(now.iter().map(|key| key.retired_at.is_some()).collect::<Vec<_>>(), [false, true]);
    use_it(&node, &last).await.expect("the key before is believed while its tokens last");
    assert_eq!(use_it(&node, &long).await.unwrap_err().code(), "expired_token");
    fixture.clock.advance(TimeDelta::seconds(3661));
    fixture.identity.renew_signing_keys(&scope).await.unwrap();
    assert_eq!(keys(&fixture).await.len(), 1, "nobody needs to believe it any more");
}

async fn a_retired_key_signs_no_more_because_it_is_gone(database: Database) {
    let fixture = Fixture::new(database).await;
    let first = fixture.identity.rotate_signing_key(&fixture.scope()).await.unwrap();
    assert!(first.private_key.is_some_and(|sealed| sealed.starts_with("v1.")), "it is sealed");
    fixture.identity.rotate_signing_key(&fixture.scope()).await.unwrap();
    let kept: Vec<bool> = keys(&fixture).await.iter().map(|key| key.private_key.is_some()).collect();
    assert_eq!(kept, [true, false]);
    let page: Page<Model> =
        fixture.identity.list_signing_keys(&fixture.scope(), &PageQuery::default()).await.unwrap();
    assert_eq!(page.data.len(), 2);
}

async fn a_key_made_on_another_node_is_found(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    use_it(&node, &token(&fixture, &node, 60).await).await.unwrap();
    let elsewhere = fixture.another().await;
    elsewhere.rotate_signing_key(&fixture.scope()).await.unwrap();
    let scope = node.authenticate(KEY, None, RequestedAccess::Write, origin()).await.unwrap();
    let made = elsewhere.create_token(&scope, TokenCreate::default()).await.unwrap();
    // this node has not heard of it, and looks for it
    use_it(&node, &made.token).await.unwrap();
    assert_eq!(claims(&made.token)["iss"], "loam");
}

async fn a_key_and_its_token_are_told_apart_and_pay_alike(database: Database) {
    let fixture = Fixture::new(database).await;
    let node = fixture.authenticator().await;
    let key = node.authenticate(KEY, None, RequestedAccess::Read, origin()).await.unwrap();
    let by_token = use_it(&node, &token(&fixture, &node, 60).await).await.unwrap();
    assert!(matches!((key.actor(), by_token.actor()), (Actor::ApiKey(a), Actor::KeyToken(b)) if a == b));
    assert_eq!(key.api_key(), by_token.api_key());
    assert!(by_token.is_operator());
}
