//! The rules of token issuers.

use loam_kernel::{Error, ExpectedVersion, Page, PageQuery, Result, Scope, TenantId, TokenIssuerId, bounded};
use loam_platform::changes::{Audited, lock_version};
use loam_platform::seal::{SealedRows, Visit, masked, visit_json};
use sea_orm::{IntoActiveModel, Set};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::entity::{ActiveModel, Column, Entity, Model};
use crate::jwt::Algorithm;
use crate::roles::{built_in, rights};
use crate::{Identity, permissions};

/// A shorter secret could be found by brute force.
const MIN_SECRET: usize = 32;
const MAX_SECRET: usize = 1024;

/// A new token issuer, with either `jwks_url` or `secret`.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuerCreate {
    /// Display name; unique in the tenant.
    pub name: String,
    /// `iss` of its tokens, compared exactly.
    pub issuer: String,
    /// `aud` of its tokens. Issuer and audience together are unique in the tenant; if another tenant registered the same
    /// earlier, requests must name the tenant with `x-loam-tenant`.
    pub audience: String,
    /// URL of its public keys (JWKS), over https.
    pub jwks_url: Option<String>,
    /// A shared secret of 32 to 1,024 bytes; stored sealed.
    pub secret: Option<String>,
    /// Accepted algorithms: with a secret only `HS256`, with a JWKS defaults to all others.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The claim with your application's own id of the user; defaults to `sub`.
    pub user_claim: Option<String>,
    /// The role whose permissions its end users have, regardless of their own roles; defaults to `user`.
    pub role: Option<String>,
    /// Whether a user is created at an end user's first request; otherwise a user with this `external_id` must exist.
    /// Defaults to false.
    pub auto_create_users: Option<bool>,
    /// Whether its tokens are accepted; defaults to true.
    pub is_active: Option<bool>,
}

/// A change of a token issuer: omitted fields stay as they are. A JWKS replaces a secret, and vice versa.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuerUpdate {
    /// URL of its public keys (JWKS).
    pub jwks_url: Option<String>,
    /// A new secret.
    pub secret: Option<String>,
    /// Accepted algorithms.
    pub algorithms: Option<Vec<Algorithm>>,
    /// The claim with your application's own id of the user.
    pub user_claim: Option<String>,
    /// The role whose permissions its end users have.
    pub role: Option<String>,
    /// Whether a user is created at an end user's first request.
    pub auto_create_users: Option<bool>,
    /// Whether its tokens are accepted.
    pub is_active: Option<bool>,
}

impl Identity {
    /// Lists the tenant's token issuers, newest first.
    pub async fn list_token_issuers(&self, scope: &Scope, page: &PageQuery) -> Result<Page<Model>> {
        self.db.read(scope).await?.find::<Entity>().page(page, |row| row.id.0).await
    }

    /// Returns a token issuer.
    pub async fn get_token_issuer(&self, scope: &Scope, id: TokenIssuerId) -> Result<Model> {
        self.db.read(scope).await?.get::<Entity>(id).await?.ok_or_else(Entity::missing)
    }

    /// Creates a token issuer.
    pub async fn create_token_issuer(&self, scope: &Scope, new: TokenIssuerCreate) -> Result<Model> {
        bounded("name", &new.name, 100)?;
        bounded("issuer", &new.issuer, 500)?;
        bounded("audience", &new.audience, 500)?;
        if new.issuer == self.config.issuer() {
            return Err(Error::invalid("issuer", "is Loam's own issuer; use the application's"));
        }
        let user_claim = new.user_claim.unwrap_or_else(|| "sub".to_owned());
        bounded("user_claim", &user_claim, 100)?;
        self.check_source(new.jwks_url.as_deref(), new.secret.as_deref())?;
        let algorithms = check_algorithms(new.secret.is_some(), new.algorithms)?;
        let role = new.role.unwrap_or_else(|| built_in::USER.to_owned());
        let id: TokenIssuerId = self.clock.id();
        let now = self.clock.now();
        let row = ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(id),
            name: Set(new.name),
            issuer: Set(new.issuer),
            audience: Set(new.audience),
            jwks_url: Set(new.jwks_url),
            secret: Set(new.secret.map(|secret| self.seal_secret(id, &secret)).transpose()?),
            algorithms: Set(json!(algorithms)),
            user_claim: Set(user_claim),
            role: Set(role.clone()),
            auto_create_users: Set(new.auto_create_users.unwrap_or(false)),
            is_active: Set(new.is_active.unwrap_or(true)),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let tx = self.db.write(scope).await?;
        self.check_end_users_role(&tx, role).await?;
        self.changes.create(tx, row).await.map_err(duplicate)
    }

    /// Changes a token issuer.
    pub async fn update_token_issuer(
        &self,
        scope: &Scope,
        id: TokenIssuerId,
        version: &ExpectedVersion,
        new: TokenIssuerUpdate,
    ) -> Result<Model> {
        if let Some(claim) = &new.user_claim {
            bounded("user_claim", claim, 100)?;
        }
        let new_source = new.jwks_url.is_some() || new.secret.is_some();
        if new_source {
            self.check_source(new.jwks_url.as_deref(), new.secret.as_deref())?;
        }
        let tx = self.db.write(scope).await?;
        let old = lock_version::<Entity>(&tx, id, version).await?;
        let was_secret = old.secret.is_some();
        let is_secret = if new_source { new.secret.is_some() } else { was_secret };
        let algorithms = match new.algorithms {
            None if is_secret == was_secret => None,
            algorithms => Some(check_algorithms(is_secret, algorithms)?),
        };
        // whoever has the new secret can act as any end user, with the existing role
        let speaks = new_source || new.user_claim.is_some() || new.is_active == Some(true);
        if new.role.is_some() || speaks || algorithms.is_some() {
            self.check_end_users_role(&tx, new.role.clone().unwrap_or_else(|| old.role.clone())).await?;
        }
        let mut row = old.into_active_model();
        if new_source {
            row.secret = Set(new.secret.map(|secret| self.seal_secret(id, &secret)).transpose()?);
            row.jwks_url = Set(new.jwks_url);
        }
        algorithms.map(|algorithms| row.algorithms = Set(json!(algorithms)));
        new.user_claim.map(|claim| row.user_claim = Set(claim));
        new.role.map(|role| row.role = Set(role));
        new.auto_create_users.map(|auto| row.auto_create_users = Set(auto));
        new.is_active.map(|is_active| row.is_active = Set(is_active));
        self.changes.update(tx, row).await
    }

    /// Deletes a token issuer. Its tokens are rejected within a second; its users remain.
    pub async fn delete_token_issuer(&self, scope: &Scope, id: TokenIssuerId) -> Result<()> {
        self.changes.delete::<Entity>(self.db.write(scope).await?, id).await
    }

    /// Whether another tenant registered the same issuer and audience earlier.
    pub(crate) async fn is_claimed_before(&self, row: &Model) -> Result<bool> {
        self.issuers.is_claimed_before(row).await
    }

    fn check_source(&self, jwks_url: Option<&str>, secret: Option<&str>) -> Result<()> {
        match (jwks_url, secret) {
            (Some(url), None) => {
                let uri = self.issuers.client().check_url("jwks_url", url)?;
                let host = uri.host().unwrap_or_default();
                // whoever can modify the keys in transit can act as anybody; on the local machine there is no network between
                let here =
                    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
                match uri.scheme_str() == Some("https") || here {
                    true => bounded("jwks_url", url, 2000),
                    false => Err(Error::invalid("jwks_url", "must begin with https://")),
                }
            }
            (None, Some(secret)) => match (MIN_SECRET..=MAX_SECRET).contains(&secret.len()) {
                true => Ok(()),
                false => Err(Error::invalid("secret", "must be 32 to 1024 bytes long")),
            },
            _ => Err(Error::invalid("jwks_url", "give either `jwks_url` or `secret`")),
        }
    }

    /// Rejects a role that exceeds the caller's permissions, or that has all permissions.
    async fn check_end_users_role(&self, tx: &loam_db::Tx<loam_db::Tenant>, role: String) -> Result<()> {
        let names = [role];
        self.check_roles(tx, "role", &names, rights::Locked::Yes).await?;
        let allowed = rights::of(tx, &names).await?;
        let scope = tx.scope();
        // an issuer can act as any of its end users
        let beyond = permissions::ownership_violation(scope.permissions(), allowed.names());
        if let Some((all, _)) = beyond.filter(|_| scope.user.is_some()) {
            return Err(Error::forbidden(all).with_param("role"));
        }
        match allowed.allows("*") {
            true => Err(Error::invalid("role", "must not be a role with all permissions")),
            false => Ok(()),
        }
    }

    fn seal_secret(&self, id: TokenIssuerId, secret: &str) -> Result<Value> {
        self.keyring.seal_json(&self.clock, &seal_context(id), secret)
    }
}

/// The seal context of an issuer's secret.
pub(crate) fn seal_context(id: TokenIssuerId) -> String {
    format!("token_issuers/{id}/secret")
}

impl SealedRows for Entity {
    const SEALED: &'static [Column] = &[Column::Secret];

    fn each(row: &mut Model, visit: Visit<'_>) -> Result<()> {
        row.secret.as_mut().map_or(Ok(()), |secret| visit_json(&seal_context(row.id), secret, visit))
    }
}

/// A secret allows only HMAC and a published key never does, so a public key can't be used as a secret.
fn check_algorithms(is_secret: bool, given: Option<Vec<Algorithm>>) -> Result<Vec<Algorithm>> {
    let fitting: &[Algorithm] = if is_secret { &[Algorithm::Hs256] } else { &Algorithm::PUBLIC };
    let mut algorithms = given.unwrap_or_else(|| fitting.to_vec());
    algorithms.dedup();
    if algorithms.is_empty() || algorithms.iter().any(|algorithm| !fitting.contains(algorithm)) {
        let names: Vec<&str> = fitting.iter().map(|algorithm| algorithm.name()).collect();
        let with = if is_secret { "a secret" } else { "a JWKS" };
        let message = format!("with {with} can be `{}`", names.join("`, `"));
        return Err(Error::invalid("algorithms", message));
    }
    Ok(algorithms)
}

impl Audited for Entity {
    const NAME: &'static str = "token issuer";
    const UPDATED_AT: Column = Column::UpdatedAt;

    fn view(row: &Model) -> Value {
        json!({
            "name": row.name, "issuer": row.issuer, "audience": row.audience, "jwks_url": row.jwks_url,
            "secret": shown_secret(row), "algorithms": row.algorithms, "user_claim": row.user_claim,
            "role": row.role, "auto_create_users": row.auto_create_users, "is_active": row.is_active,
        })
    }
}

fn duplicate(error: Error) -> Error {
    if !loam_db::is_unique_violation(&error) {
        return error;
    }
    // both databases name the columns in their message
    let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let error = if text.contains("audience") {
        Error::already_exists(
            "audience",
            "this issuer and audience are already registered in this tenant; use another audience",
        )
    } else {
        Error::already_exists("name", "a token issuer with this name already exists")
    };
    error.with_source(text)
}

/// The masked secret.
pub(crate) fn shown_secret(row: &Model) -> Option<Value> {
    row.secret.as_ref().map(masked)
}
