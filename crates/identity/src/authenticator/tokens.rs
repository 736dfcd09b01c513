//! Tokens: Loam's own, and those that tenants' applications issue for their end users.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use chrono::TimeDelta;
use loam_db::{System, Tx};
use loam_kernel::{
    Actor, ApiKeyId, Error, Kind, Permissions, Result, Scope, TenantId, UserId, bounded, digest_of,
};
use sea_orm::{ColumnTrait, QueryFilter};
use serde_json::json;

use super::Authenticator;
use super::credential::{Credential, RequestedAccess, Source};
use super::effective::Lookups;
use crate::api_keys;
use crate::jwt::{Algorithm, Token, invalid, refused};
use crate::roles::rights;
use crate::tokens::service::AUDIENCE;
use crate::users::entity::{Column, Entity};

/// How long a token is accepted before its signature is verified again.
const VERIFICATION_TTL: TimeDelta = TimeDelta::minutes(5);

impl Authenticator {
    /// A token, of the tenant that the request names, if it names one.
    pub(super) async fn token(&self, text: &str, tenant: Option<&str>) -> Result<Arc<Credential>> {
        let parts = [Some(text), tenant];
        let digest = digest_of(parts.into_iter().flatten().map(str::as_bytes));
        let known = self.passing.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        let now = self.clock().now();
        if let Some(credential) = known.filter(|known| known.is_fresh(now)) {
            return Ok(credential);
        }
        let changes = self.changes.load(Ordering::Acquire);
        let token = Token::read(text)?;
        let mut credential = if token.claims.iss.as_deref() == Some(self.identity.config.issuer()) {
            self.own_token(&token).await?
        } else {
            self.end_user(&token, tenant).await?
        };
        let ends = [credential.expires_at, token.expires_at()];
        credential.expires_at = ends.into_iter().flatten().min();
        credential.fresh_until = (now + VERIFICATION_TTL).timestamp_micros();
        let credential = Arc::new(credential);
        self.cache_temporary(digest, &credential, changes);
        Ok(credential)
    }

    /// A token that Loam issued for a key or a user, which must still be valid: its permissions are the intersection.
    async fn own_token(&self, token: &Token<'_>) -> Result<Credential> {
        let algorithm = token.algorithm(&[Algorithm::EdDsa])?;
        let kid = token.kid.as_deref().ok_or_else(|| invalid("the token has no `kid`"))?;
        let now = self.clock().now();
        let checked = self.identity.signing_keys.with(kid, |key| token.verify(key, algorithm, now)).await?;
        checked.ok_or_else(|| {
            refused("unknown_signing_key", "the signing key of the token (`kid`) is unknown")
        })??;
        if !token.claims.aud.holds(AUDIENCE) {
            return Err(refused("wrong_audience", "the token is for another audience (`aud`)"));
        }
        let unreadable = || invalid("the token has no valid `sub`");
        let tenant: TenantId = token.text("tid").and_then(|id| id.parse().ok()).ok_or_else(unreadable)?;
        let names = token.claims.more.get("permissions").cloned().ok_or_else(unreadable)?;
        let allowed =
            Permissions::new(serde_json::from_value::<Vec<String>>(names).map_err(|_| unreadable())?);
        let (kind, id) = token.text("sub").and_then(|sub| sub.split_once(':')).ok_or_else(unreadable)?;
        let tx = self.system_read().await?;
        let behind = match kind {
            "api_key" => self.token_of_key(&tx, tenant, id.parse().map_err(|_| unreadable())?).await?,
            "user" => self.token_of_user(&tx, tenant, id.parse().map_err(|_| unreadable())?).await?,
            _ => return Err(unreadable()),
        };
        let gone = || refused("invalid_token", "the key or user of this token is revoked or inactive");
        let mut credential = behind.ok_or_else(gone)?;
        credential.scope = credential.scope.limited_to(&allowed);
        Ok(credential)
    }

    async fn token_of_key(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: ApiKeyId,
    ) -> Result<Option<Credential>> {
        let find = tx.find_any::<api_keys::entity::Entity>();
        let find = find.filter(api_keys::entity::Column::TenantId.eq(tenant));
        let Some(row) = find.filter(api_keys::entity::Column::Id.eq(id)).one().await? else {
            return Ok(None);
        };
        let Some(mut credential) = self.load_key(tx, &row, &mut Lookups::default()).await? else {
            return Ok(None);
        };
        credential.source = Source::Token;
        credential.scope = credential.scope.acting_as(Actor::KeyToken(id));
        Ok(Some(credential))
    }

    async fn token_of_user(
        &self,
        tx: &Tx<System>,
        tenant: TenantId,
        id: UserId,
    ) -> Result<Option<Credential>> {
        let Some(active_user) = self.active_user(tx, tenant, id).await? else { return Ok(None) };
        let Some(status) = self.tenant_status(tx, tenant).await? else { return Ok(None) };
        let actor = Actor::UserToken(id);
        let mut scope =
            Scope::new(tenant, actor, active_user.permissions).with_operator(active_user.operator);
        scope.user = Some(id);
        let mut credential = Credential::new(Source::Token, scope, status);
        credential.roles_of = vec![tenant];
        credential.must_change_password = active_user.user.password_reset_at.is_some();
        Ok(Some(credential))
    }

    /// A token that a tenant's application issued for an end user. Its permissions are those of the issuer's role, whatever
    /// the user's roles are.
    async fn end_user(&self, token: &Token<'_>, tenant: Option<&str>) -> Result<Credential> {
        let issuer = self.identity.issuers.of(token, tenant, self.clock().now()).await?;
        let id = match token.text(&issuer.user_claim) {
            Some(id) if bounded(&issuer.user_claim, id, 255).is_ok() => id,
            _ => return Err(invalid(format!("the token has no valid `{}`", issuer.user_claim))),
        };
        let tx = self.system_read().await?;
        let Some(status) = self.tenant_status(&tx, issuer.tenant).await? else {
            return Err(invalid("the token's tenant does not exist any more"));
        };
        let permissions = rights::of_any(&tx, issuer.tenant, std::slice::from_ref(&issuer.role)).await?;
        if permissions.allows("*") {
            let message =
                "the role of this token's issuer now has all permissions; assign another role to the issuer";
            return Err(Error::new(Kind::Forbidden, "role_not_allowed", message));
        }
        let find = tx.find_any::<Entity>().filter(Column::TenantId.eq(issuer.tenant));
        let found = find.filter(Column::ExternalId.eq(id)).one().await?;
        drop(tx);
        let user = match found {
            Some(user) => user,
            None if issuer.auto_create_users => {
                RequestedAccess::Write.check(status)?;
                let scope = Scope::new(issuer.tenant, Actor::EndUser(id.into()), Permissions::default());
                let metadata = json!({ "token_issuer_id": issuer.id });
                self.identity.provision_user(&scope, id, metadata).await?
            }
            None => {
                return Err(refused(
                    "unknown_user",
                    "there is no user with this `external_id` in the tenant",
                ));
            }
        };
        if !user.is_active {
            return Err(refused("inactive_user", "this user is not active"));
        }
        let mut scope = Scope::new(issuer.tenant, Actor::EndUser(id.into()), permissions);
        scope.user = Some(user.id);
        let mut credential = Credential::new(Source::Token, scope, status);
        credential.roles_of = vec![issuer.tenant];
        credential.issuer = Some(issuer.id);
        Ok(credential)
    }
}
