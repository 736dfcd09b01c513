//! The rules of logging in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use loam_kernel::{
    Actor, Error, Kind, LoginSessionId, Origin, Permissions, Result, Scope, TenantId, UserId, bounded,
};
use loam_platform::changes::Audited;
use sea_orm::{ColumnTrait, IntoActiveModel, QueryFilter, Set};
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::device::{self, Device};
use super::throttle::{Account, Source};
use crate::password::{Urgency, Verdict};
use crate::tenants::entity::TenantStatus;
use crate::{Identity, login_sessions, password, secret, tenants, users};

/// How long a password that was set by somebody else is valid.
const RESET_VALIDITY: TimeDelta = TimeDelta::days(3);
/// Seconds between queries for the highest cost of imported hashes.
const COST_REFRESH_SECONDS: i64 = 60;

/// A log-in, with either `username` or `email`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// Slug of the tenant; defaults to `default`.
    pub tenant: Option<String>,
    /// Name to log in with.
    pub username: Option<String>,
    /// E-mail address, instead of `username`.
    pub email: Option<String>,
    /// The password.
    #[schema(value_type = String)]
    pub password: Zeroizing<String>,
}

/// A change of one's own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The current password.
    #[schema(value_type = String)]
    pub old_password: Zeroizing<String>,
    /// The new password: 8 to 256 characters, different from the current one.
    #[schema(value_type = String)]
    pub new_password: Zeroizing<String>,
}

/// A completed log-in.
pub(crate) struct LoggedIn {
    /// The session token for the cookie, available only here.
    pub(crate) token: Zeroizing<String>,
    pub(crate) session: login_sessions::entity::Model,
    pub(crate) user: users::entity::Model,
    /// The stored hash of the password.
    pub(crate) password_hash: String,
    /// The known browser, if it is one.
    pub(crate) device: Option<Device>,
}

/// A log-in that the throttle has admitted, before its password is verified.
struct PendingLogIn {
    tenant: Option<tenants::entity::Model>,
    user: Option<users::entity::Model>,
    kept: Option<String>,
    urgency: Urgency,
    origin: Arc<Origin>,
}

const WRONG: &str = "wrong_credentials";

/// The same error for an unknown tenant, an unknown user and a wrong password.
fn wrong() -> Error {
    let message = "the tenant, the name or the password is wrong";
    Error::new(Kind::Unauthenticated, WRONG, message)
}

impl Identity {
    /// Logs a user in, always with a new session, which prevents session fixation. `headers` are the request's.
    pub(crate) async fn log_in(
        &self,
        origin: Arc<Origin>,
        headers: &HeaderMap,
        new: LogIn,
    ) -> Result<LoggedIn> {
        let slug = new.tenant.as_deref().unwrap_or("default");
        bounded("tenant", slug, 63)?;
        let (column, param, name) = match (new.username, new.email) {
            (Some(name), None) => (users::entity::Column::Username, "username", name),
            (None, Some(name)) => (users::entity::Column::Email, "email", name),
            _ => return Err(Error::invalid("username", "give either `username` or `email`")),
        };
        bounded(param, &name, 255)?;
        if !device::claimed(headers) {
            self.throttle.check_address(origin.ip_address, self.clock.now())?;
        }
        let (tenant, user) = self.find_user(slug, column, &name).await?;
        let now = self.clock.now();
        let kept = user.as_ref().and_then(|user| self.password_of(user));
        let device = user.as_ref().zip(kept.as_deref());
        let device = device.and_then(|(user, hash)| device::of(headers, &origin, user.id, hash, now));
        let account = Account { tenant: slug, name: &name, user: user.as_ref().map(|user| user.id) };
        let source = Source { address: origin.ip_address, device: device.as_ref().map(|known| &known.0[..]) };
        let attempt = self.throttle.begin(&account, source, now)?;
        let urgency = if device.is_some() { Urgency::Known } else { Urgency::LogIn };
        let pending = PendingLogIn { tenant, user, kept, urgency, origin };
        match self.check_log_in(pending, new.password).await {
            Ok(mut made) => {
                self.throttle.succeeded(&attempt);
                made.device = device;
                Ok(made)
            }
            Err(e) => {
                // the password was not checked: the server is busy or the database unavailable; not a failure of the user
                if e.code() != WRONG {
                    self.throttle.undo(&attempt);
                }
                Err(e)
            }
        }
    }

    async fn check_log_in(&self, pending: PendingLogIn, password: Zeroizing<String>) -> Result<LoggedIn> {
        let PendingLogIn { tenant, user, kept, urgency, origin } = pending;
        self.refresh_max_bcrypt_cost().await?;
        let tenant_id = tenant.as_ref().map_or(TenantId::NIL, |tenant| tenant.id);
        let verdict = self.passwords.verify(urgency, tenant_id, password.clone(), kept.clone()).await?;
        let found = tenant.zip(user).filter(|_| verdict != Verdict::Wrong);
        let Some((tenant, user)) = found else { return Err(wrong()) };
        if tenant.status == TenantStatus::Archived {
            return Err(tenants::service::archived());
        }
        let upgraded = match verdict {
            Verdict::Outdated => Some(self.passwords.hash(urgency, tenant.id, password).await?),
            _ => None,
        };
        let scope = Scope::new(tenant.id, Actor::User(user.id), Permissions::default()).with_origin(origin);
        self.make_session(&scope, user.id, kept, upgraded).await
    }

    /// The tenant and its user with this name; it runs the same queries if there is no such tenant.
    async fn find_user(
        &self,
        slug: &str,
        column: users::entity::Column,
        name: &str,
    ) -> Result<(Option<tenants::entity::Model>, Option<users::entity::Model>)> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "login")).await?;
        let tenant = tenants::queries::by_slug(&tx, slug).await?;
        let tenant_id = tenant.as_ref().map_or(TenantId::NIL, |tenant| tenant.id);
        let find = tx.find_any::<users::entity::Entity>();
        let find = find.filter(users::entity::Column::TenantId.eq(tenant_id));
        let users = find.filter(users::names::named(column, name)).all().await?;
        Ok((tenant, users::names::closest(users, column, name)))
    }

    /// The hash that a log-in is verified against; none for a user who can't log in.
    fn password_of(&self, user: &users::entity::Model) -> Option<String> {
        let outlived = user.password_reset_at.is_some_and(|at| at + RESET_VALIDITY <= self.clock.now());
        user.password_hash.clone().filter(|_| user.is_active && !outlived)
    }

    async fn make_session(
        &self,
        scope: &Scope,
        id: UserId,
        checked: Option<String>,
        upgraded: Option<String>,
    ) -> Result<LoggedIn> {
        let token = Zeroizing::new(URL_SAFE_NO_PAD.encode(Zeroizing::new(self.clock.random::<32>())));
        let now = self.clock.now();
        let lifetime = i64::try_from(self.config.session_lifetime).map_err(Error::internal)?;
        let tx = self.db.write(scope).await?;
        // the verified hash may have changed meanwhile
        let user = tx.get_locked::<users::entity::Entity>(id).await?;
        let user = user.filter(|user| user.is_active && user.password_hash == checked).ok_or_else(wrong)?;
        if let Some(hash) = &upgraded {
            tx.update_many::<users::entity::Entity>()
                .set(users::entity::Column::PasswordHash, hash.clone())
                .filter(users::entity::Column::Id.eq(id))
                .exec()
                .await?;
        }
        let row = login_sessions::entity::ActiveModel {
            tenant_id: Set(TenantId::NIL),
            id: Set(self.clock.id()),
            user_id: Set(id),
            token_hash: Set(secret::digest(&token).to_vec()),
            ip_address: Set(scope.origin().ip_address.map(|address| address.to_string())),
            user_agent: Set(scope.origin().user_agent.clone()),
            last_seen_at: Set(now),
            expires_at: Set(now + TimeDelta::seconds(lifetime)),
            revoked_at: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        let session = tx.insert(row).await?;
        let mut changes = login_sessions::entity::Entity::view(&session);
        changes["password_hash_upgraded"] = upgraded.is_some().into();
        let notice = self.changes.record(&tx, "log_in", "login_sessions", session.id, changes).await?;
        self.changes.commit(tx, notice).await?;
        let password_hash = upgraded.or(checked).unwrap_or_default();
        Ok(LoggedIn { token, session, user, password_hash, device: None })
    }

    /// Ends the caller's own session.
    pub(crate) async fn log_out(&self, scope: &Scope) -> Result<()> {
        let session = scope.session.ok_or_else(no_session)?;
        self.revoke_login_session(scope, session).await
    }

    /// Changes the caller's own password and ends the user's other sessions. Returns the user and the new hash.
    pub(crate) async fn change_password(
        &self,
        scope: &Scope,
        new: PasswordChange,
    ) -> Result<(UserId, String)> {
        let (session, id) = scope.session.zip(scope.user).ok_or_else(no_session)?;
        password::check("new_password", &new.new_password)?;
        if *new.old_password == *new.new_password {
            return Err(Error::invalid("new_password", "must differ from the current password"));
        }
        let kept = self.get_user(scope, id).await?.password_hash;
        // whoever finds an open browser must not be able to guess the password
        let attempt = self.throttle.begin_reauthentication(id, self.clock.now())?;
        let (urgency, tenant) = (Urgency::Known, scope.tenant());
        match self.passwords.verify(urgency, tenant, new.old_password, kept.clone()).await {
            Ok(Verdict::Wrong) => {
                let error = Error::new(Kind::Forbidden, "wrong_password", "this is not the current password");
                return Err(error.with_param("old_password"));
            }
            Ok(Verdict::Right | Verdict::Outdated) => self.throttle.succeeded(&attempt),
            Err(e) => {
                self.throttle.undo(&attempt);
                return Err(e);
            }
        }
        let hash = self.passwords.hash(urgency, tenant, new.new_password).await?;
        self.store_password(scope, id, session, kept, hash.clone()).await?;
        Ok((id, hash))
    }

    /// Queries once a minute for the highest cost of imported hashes: other nodes import them too, and log-ins replace them.
    async fn refresh_max_bcrypt_cost(&self) -> Result<()> {
        let now = self.clock.now().timestamp();
        let last = self.costliest_read.load(Ordering::Relaxed);
        let due = now - last >= COST_REFRESH_SECONDS;
        if !due
            || self.costliest_read.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Ok(());
        }
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "login")).await?;
        let cost = users::service::max_bcrypt_cost(&tx).await?;
        self.passwords.set_max_bcrypt_cost(cost);
        Ok(())
    }

    async fn store_password(
        &self,
        scope: &Scope,
        id: UserId,
        session: LoginSessionId,
        checked: Option<String>,
        hash: String,
    ) -> Result<()> {
        let tx = self.db.write(scope).await?;
        let user =
            tx.get_locked::<users::entity::Entity>(id).await?.ok_or_else(|| Error::not_found("user"))?;
        if user.password_hash != checked {
            let message = "the password was changed at the same time; try again";
            return Err(Error::new(Kind::Conflict, "wrong_state", message));
        }
        let now: DateTime<Utc> = self.clock.now();
        let mut row = user.into_active_model();
        row.password_hash = Set(Some(hash));
        row.password_reset_at = Set(None);
        self.changes.save(&tx, row).await?;
        let ended = login_sessions::service::revoke_all(&tx, id, Some(session), now).await?;
        let changes = json!({ "password": "changed", "login_sessions_revoked": ended });
        let notice = self.changes.record(&tx, "change_password", "users", id, changes).await?;
        self.changes.commit(tx, notice).await
    }
}

fn no_session() -> Error {
    let message = "this needs a login session: `POST /api/v1/login`";
    Error::new(Kind::Forbidden, "not_logged_in", message)
}
