//! Login sessions.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use chrono::DateTime;
use loam_db::{System, Tx};
use loam_kernel::{Actor, Error, Kind, LoginSessionId, Result, Scope, TenantId};
use sea_orm::{ColumnTrait, QueryFilter};

use super::credential::{Credential, Source};
use super::{Authenticator, Digest, MAX_KEY};
use crate::login_sessions::entity::{Column, Entity, Model};
use crate::secret;

fn refused() -> Error {
    Error::new(Kind::Unauthenticated, "invalid_session", "this login session has ended; log in again")
}

impl Authenticator {
    pub(super) async fn session(&self, cookie: &str) -> Result<Arc<Credential>> {
        if cookie.is_empty() || cookie.len() > MAX_KEY {
            return Err(refused());
        }
        let digest = secret::digest(cookie);
        let known = self.passing.read().unwrap_or_else(PoisonError::into_inner).get(&digest).cloned();
        // a session that is idle on this node may have been used on another
        match known.filter(|known| known.is_fresh(self.clock().now())) {
            Some(credential) => Ok(credential),
            None => self.look_up_session(digest).await,
        }
    }

    async fn look_up_session(&self, digest: Digest) -> Result<Arc<Credential>> {
        self.refuse_unknown(&digest).map_err(|_| refused())?;
        let changes = self.changes.load(Ordering::Acquire);
        let tx = self.system_read().await?;
        let row = tx.find_any::<Entity>().filter(Column::TokenHash.eq(digest.to_vec())).one().await?;
        let credential = match row {
            Some(row) => self.load_session(&tx, row).await?,
            None => None,
        };
        let Some(credential) = credential else {
            self.remember_unknown(digest);
            return Err(refused());
        };
        let credential = Arc::new(credential);
        self.cache_temporary(digest, &credential, changes);
        Ok(credential)
    }

    async fn load_session(&self, tx: &Tx<System>, row: Model) -> Result<Option<Credential>> {
        let seconds = i64::try_from(self.identity.config.session_idle_timeout).unwrap_or(i64::MAX);
        let idle = seconds.saturating_mul(1_000_000);
        let (now, seen) = (self.clock().now(), row.last_seen_at.timestamp_micros());
        let ended = row.revoked_at.is_some() || row.expires_at <= now;
        if ended || now.timestamp_micros().saturating_sub(seen) >= idle {
            return Ok(None);
        }
        let Some(active_user) = self.active_user(tx, row.tenant_id, row.user_id).await? else {
            return Ok(None);
        };
        let Some(status) = self.tenant_status(tx, row.tenant_id).await? else { return Ok(None) };
        let actor = Actor::User(row.user_id);
        let mut scope =
            Scope::new(row.tenant_id, actor, active_user.permissions).with_operator(active_user.operator);
        scope.user = Some(row.user_id);
        scope.session = Some(row.id);
        let mut credential = Credential::new(Source::Session(row.id), scope, status);
        credential.roles_of = vec![row.tenant_id];
        credential.must_change_password = active_user.user.password_reset_at.is_some();
        credential.expires_at = Some(row.expires_at);
        credential.idle = idle;
        credential.used_at = seen.into();
        credential.written_at = seen.into();
        Ok(Some(credential))
    }
}

pub(super) async fn write_used(tx: &Tx<System>, tenant: TenantId, id: LoginSessionId, at: i64) -> Result<()> {
    let Some(at) = DateTime::from_timestamp_micros(at) else { return Ok(()) };
    tx.update_all::<Entity>()
        .set(Column::LastSeenAt, at)
        .filter(Column::TenantId.eq(tenant))
        .filter(Column::Id.eq(id))
        .filter(Column::LastSeenAt.lt(at))
        .exec()
        .await?;
    Ok(())
}
