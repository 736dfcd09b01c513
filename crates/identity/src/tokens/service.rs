//! The rules of tokens.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Actor, Error, Kind, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::MAX_TOKEN_LIFETIME;
use crate::{Identity, api_keys, jwt, permissions, users};

/// The audience of Loam's own tokens.
pub(crate) const AUDIENCE: &str = "loam";

/// A new token.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// Permissions, limited to your own; defaults to all of yours.
    pub permissions: Option<Vec<String>>,
    /// Lifetime in seconds, 1 to 3,600; defaults to the server's `identity.token_lifetime` (900).
    pub expires_in: Option<u64>,
}

/// A new token, available only here.
pub struct NewToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// Expiry time.
    pub expires_at: DateTime<Utc>,
    /// Maximum permissions.
    pub permissions: Vec<String>,
}

/// The claims of a token.
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    aud: &'a str,
    sub: String,
    /// The tenant.
    tid: Uuid,
    permissions: &'a [String],
    iat: i64,
    nbf: i64,
    exp: i64,
    jti: Uuid,
}

impl Identity {
    /// Exchanges a key or a login session for a short-lived token. Its effective permissions are its own, limited by the
    /// key's or user's current ones, and it becomes invalid with them.
    pub async fn create_token(&self, scope: &Scope, new: TokenCreate) -> Result<NewToken> {
        let allowed = match new.permissions {
            Some(names) => {
                permissions::check("permissions", &names)?;
                let lacking = |lacking: String| Error::forbidden(&lacking).with_param("permissions");
                scope.permissions().cover(&names).map_err(lacking)?;
                names
            }
            None => scope.permissions().names().to_vec(),
        };
        let seconds = match new.expires_in {
            None => self.config.token_lifetime,
            Some(seconds) if (1..=MAX_TOKEN_LIFETIME.as_secs()).contains(&seconds) => seconds,
            Some(_) => return Err(Error::invalid("expires_in", "must be between 1 and 3600 seconds")),
        };
        let sub = self.subject(scope).await?;
        let now = self.clock.now();
        let expires_at = now + TimeDelta::seconds(i64::try_from(seconds).map_err(Error::internal)?);
        let claims = Claims {
            iss: self.config.issuer(),
            aud: AUDIENCE,
            sub,
            tid: scope.tenant().0,
            permissions: &allowed,
            iat: now.timestamp(),
            nbf: now.timestamp(),
            exp: expires_at.timestamp(),
            jti: self.clock.id(),
        };
        let keys = self.signing_keys().await?;
        let signer = keys.signer.as_ref().ok_or_else(|| Error::internal("there is no signing key"))?;
        let token = Zeroizing::new(jwt::sign(signer, &claims)?);
        Ok(NewToken { token, expires_at, permissions: allowed })
    }

    /// The subject of the token: a key or user of this tenant.
    async fn subject(&self, scope: &Scope) -> Result<String> {
        let refused = |message: &str| Err(Error::new(Kind::Forbidden, "not_exchangeable", message));
        let tx = self.db.read(scope).await?;
        let here = match scope.actor() {
            Actor::ApiKey(id) => tx.get::<api_keys::entity::Entity>(*id).await?.is_some(),
            Actor::User(id) => tx.get::<users::entity::Entity>(*id).await?.is_some(),
            _ => {
                return refused(
                    "create the token with an API key or a login session, not with another token",
                );
            }
        };
        match here {
            true => Ok(scope.actor().label()),
            false => refused("an operator who accesses another tenant can't create a token in it"),
        }
    }
}
