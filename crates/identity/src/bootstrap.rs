//! The first start: tenant `default`, its operator, and a key with every right.

use loam_db::Db;
use loam_kernel::{Actor, Permissions, Result, Scope, TenantId};
use sea_orm::Set;
use serde_json::{Map, json};
use zeroize::Zeroizing;

use crate::api_keys::service::NewRow;
use crate::tenants::entity::{ActiveModel, TenantStatus};
use crate::users::service::UserCreate;
use crate::{Identity, api_keys, secret, tenants, users};

/// What automation may set for the first start.
#[derive(Default)]
pub struct Bootstrap {
    /// The first key; made unless given.
    pub key: Option<Zeroizing<String>>,
    /// The operator's password; made unless given.
    pub password: Option<Zeroizing<String>>,
}

/// What the first start made, to be shown once. What automation gave is not repeated.
pub struct FirstKey {
    /// The key, when it was made.
    pub key: Option<Zeroizing<String>>,
    /// The operator's password, when it was made.
    pub password: Option<Zeroizing<String>>,
}

/// The name of the first tenant.
const DEFAULT: &str = "default";

impl Identity {
    /// Makes the first tenant if there is none, and learns which one it is. Answers with what to show, at the first start.
    pub async fn bootstrap(&self, given: Bootstrap) -> Result<Option<FirstKey>> {
        let scope = Scope::new(TenantId::NIL, Actor::System("first_start"), Permissions::all());
        if let Some(tenant) = tenants::queries::oldest(&self.db.system_read(&scope).await?).await? {
            _ = self.default_tenant.set(tenant.id);
            return Ok(None);
        }
        if let Some(key) = &given.key {
            secret::check(key)?;
        }
        let key = given.key.clone().unwrap_or_else(|| secret::generate(&self.clock));
        let password = given.password.clone().unwrap_or_else(|| secret::one_time(&self.clock));
        let operator = self
            .new_user(
                TenantId::NIL,
                UserCreate {
                    username: "operator".to_owned(),
                    email: "operator@localhost".to_owned(),
                    password: Some(password.to_string()),
                    password_hash: None,
                    full_name: None,
                    roles: Some(vec!["operator".to_owned(), "owner".to_owned()]),
                    external_id: None,
                    is_active: Some(true),
                    metadata: Map::new(),
                },
            )
            .await?;
        let now = self.clock.now();
        let mut tx = self.db.system_write(&scope).await?;
        let tenant = ActiveModel {
            id: Set(self.clock.id()),
            slug: Set(DEFAULT.to_owned()),
            name: Set("Default".to_owned()),
            status: Set(TenantStatus::Active),
            plan: Set(None),
            quotas: Set(json!({})),
            settings: Set(json!({})),
            metadata: Set(json!({})),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tenant = match tx.insert_any(tenant).await {
            // another node was first: everything is there, and it has shown the key
            Err(e) if loam_db::is_unique_violation(&e) => {
                tx.rollback().await?;
                let tenant = tenants::queries::by_slug(&self.db.system_read(&scope).await?, DEFAULT).await?;
                tenant.map(|tenant| self.default_tenant.set(tenant.id));
                return Ok(None);
            }
            other => other?,
        };
        tx.act_in(tenant.id);
        self.changes.record(&tx, "create", "tenants", tenant.id, json!({ "slug": DEFAULT })).await?;
        let operator = users::service::insert(&tx, operator).await?;
        self.changes
            .record(&tx, "create", "users", operator.id, json!({ "username": operator.username }))
            .await?;
        api_keys::service::insert_key(self, &tx, NewRow::first(true), key.clone()).await?;
        tx.commit().await?;
        _ = self.default_tenant.set(tenant.id);
        Ok(Some(FirstKey {
            key: given.key.is_none().then_some(key),
            password: given.password.is_none().then_some(password),
        }))
    }
}

/// Whether the first start has been: before it nothing can have been sealed.
pub async fn has_tenants(db: &Db) -> Result<bool> {
    let scope = Scope::system(TenantId::NIL, "first_start");
    Ok(tenants::queries::oldest(&db.system_read(&scope).await?).await?.is_some())
}
