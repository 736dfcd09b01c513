//! The rules of tokens.

use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{Actor, Error, Kind, Result, Scope};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::config::MAX_TOKEN_LIFETIME;
use crate::{Identity, api_keys, jwt, permissions, users};

/// Whom Loam's own tokens are for.
pub(crate) const AUDIENCE: &str = "loam";

/// A token to be made.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenCreate {
    /// What it may do, nothing that you may not; all that you may unless given.
    pub permissions: Option<Vec<String>>,
    /// Seconds that it lasts, 1 to 3,600; as the server is set (900) unless given.
    pub expires_in: Option<u64>,
}

/// A token just made: the only time that it is known.
pub struct NewToken {
    /// The token.
    pub token: Zeroizing<String>,
    /// When it ends.
    pub expires_at: DateTime<Utc>,
    /// What it may do at most.
    pub permissions: Vec<String>,
}

/// What the token says of itself.
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
    /// Exchanges a key or a log-in for a token that ends by itself. It may do what it says and its maker still may at
    /// the time of use; it ends with its maker.
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

    /// Who stands behind the token: somebody of this very tenant.
    async fn subject(&self, scope: &Scope) -> Result<String> {
        let refused = |message: &str| Err(Error::new(Kind::Forbidden, "not_exchangeable", message));
        let tx = self.db.read(scope).await?;
        let here = match scope.actor() {
            Actor::ApiKey(id) => tx.get::<api_keys::entity::Entity>(*id).await?.is_some(),
            Actor::User(id) => tx.get::<users::entity::Entity>(*id).await?.is_some(),
            _ => return refused("a token is made with an API key or a log-in, not with another token"),
        };
        match here {
            true => Ok(scope.actor().label()),
            false => refused("an operator who has opened a tenant can't take a token of it along"),
        }
    }
}
