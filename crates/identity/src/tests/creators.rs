//! Keys and their creators.

use loam_kernel::Scope;
use loam_testkit::{Database, on_both};
use sea_orm::{ColumnTrait, QueryFilter};

use super::fixture::{Fixture, origin};
use crate::RequestedAccess;
use crate::api_keys::entity::{Column, Entity};
use crate::api_keys::service::ApiKeyCreate;

on_both![
    a_key_from_before_makers_were_kept_is_an_operators_where_only_they_could_make_it,
    the_costliest_imported_hash_is_found,
];

async fn scope_of(fixture: &Fixture, key: &str) -> Scope {
    fixture.authenticator().await.authenticate(key, None, RequestedAccess::Read, origin()).await.unwrap()
}

async fn a_key_from_before_makers_were_kept_is_an_operators_where_only_they_could_make_it(
    database: Database,
) {
    let fixture = Fixture::new(database).await;
    for (scopes, operator) in [
        (&["*"][..], true),
        (&["projects:read", "tenants:read"], true),
        (&["metrics:read"], true),
        (&["metrics:read", "system_config:write"], false),
        (&["projects:read"], false),
    ] {
        let scopes = scopes.iter().map(|name| (*name).to_owned()).collect();
        let (user_id, project_id, expires_at) = (None, None, None);
        let new = ApiKeyCreate {
            name: "k".to_owned(),
            scopes: Some(scopes),
            user_id,
            project_id,
            allowed_origins: None,
            expires_at,
        };
        let made = fixture.identity.create_api_key(&fixture.scope(), new).await.unwrap();
        assert!(scope_of(&fixture, &made.key).await.is_operator(), "made at the command line");
        let tx = fixture.identity.db.write(&fixture.scope()).await.unwrap();
        let forget = tx.update_many::<Entity>().set(Column::IsOperator, Option::<bool>::None);
        forget.filter(Column::Id.eq(made.row.id)).exec().await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(scope_of(&fixture, &made.key).await.is_operator(), operator, "{}", made.row.scopes);
    }
}

async fn the_costliest_imported_hash_is_found(database: Database) {
    let fixture = Fixture::new(database).await;
    let scope = fixture.scope();
    let max_cost = async || {
        let tx = fixture.identity.db.system_read(&scope).await.unwrap();
        crate::users::service::max_bcrypt_cost(&tx).await.unwrap()
    };
    assert_eq!(max_cost().await, 0, "the operator's is Argon2id");
    for (n, cost) in [(1, 4), (2, 6), (3, 5)] {
        let hash = bcrypt::hash("from elsewhere", cost).unwrap();
        let new = serde_json::json!({ "username": format!("u{n}"), "email": format!("u{n}@example.com"), "password_hash": hash });
        fixture.identity.create_user(&fixture.scope(), serde_json::from_value(new).unwrap()).await.unwrap();
    }
    assert_eq!(max_cost().await, 6);
}
