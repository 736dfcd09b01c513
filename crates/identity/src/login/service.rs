//! The rules of logging in.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, TimeDelta, Utc};
use loam_http::surface::next_version;
use loam_kernel::{
    Actor, Error, Kind, LoginSessionId, Origin, Permissions, Result, Scope, TenantId, UserId, bounded,
};
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

/// How long a password that somebody else set opens the door.
const RESET_HOLDS: TimeDelta = TimeDelta::days(3);
/// Seconds between two looks for the costliest imported hash.
const COSTLIEST_HOLDS: i64 = 60;

/// Who logs in: with either `username` or `email`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    /// Slug of the tenant; `default` unless given.
    pub tenant: Option<String>,
    /// Name to log in with.
    pub username: Option<String>,
    /// Or the e-mail address.
    pub email: Option<String>,
    /// The password.
    #[schema(value_type = String)]
    pub password: Zeroizing<String>,
}

/// A change of one's own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The present one.
    #[schema(value_type = String)]
    pub old_password: Zeroizing<String>,
    /// 8 to 256 characters, other than the present ones.
    #[schema(value_type = String)]
    pub new_password: Zeroizing<String>,
}

/// A log-in just made.
pub(crate) struct LoggedIn {
    /// What the cookie holds: known this once.
    pub(crate) token: Zeroizing<String>,
    pub(crate) session: login_sessions::entity::Model,
    pub(crate) user: users::entity::Model,
    /// What is kept of the password.
    pub(crate) password_hash: String,
    /// The browser, if the user was logged in there before.
    pub(crate) device: Option<Device>,
}

/// A log-in that has been let in, before its password is checked.
struct Checking {
    tenant: Option<tenants::entity::Model>,
    user: Option<users::entity::Model>,
    kept: Option<String>,
    urgency: Urgency,
    origin: Arc<Origin>,
}

const WRONG: &str = "wrong_credentials";

/// The same whether there is no such tenant, no such user, or the password is another.
fn wrong() -> Error {
    let message = "the tenant, the name or the password is wrong";
    Error::new(Kind::Unauthenticated, WRONG, message)
}

impl Identity {
    /// Logs somebody in: always with a new session, so that nobody can prepare one for them. `headers` are the request's.
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
        let tried = self.throttle.begin(&account, source, now)?;
        let urgency = if device.is_some() { Urgency::Known } else { Urgency::LogIn };
        let checking = Checking { tenant, user, kept, urgency, origin };
        match self.check_log_in(checking, new.password).await {
            Ok(mut made) => {
                self.throttle.succeeded(&tried);
                made.device = device;
                Ok(made)
            }
            Err(e) => {
                // what was not found out is nobody's failure: the server was busy, or the database away
                if e.code() != WRONG {
                    self.throttle.take_back(&tried);
                }
                Err(e)
            }
        }
    }

    async fn check_log_in(&self, checking: Checking, password: Zeroizing<String>) -> Result<LoggedIn> {
        let Checking { tenant, user, kept, urgency, origin } = checking;
        self.learn_costliest().await?;
        let place = tenant.as_ref().map_or(TenantId::NIL, |tenant| tenant.id);
        let verdict = self.passwords.verify(urgency, place, password.clone(), kept.clone()).await?;
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

    /// The tenant and its user of this name; as much is looked up where there is no such tenant.
    async fn find_user(
        &self,
        slug: &str,
        column: users::entity::Column,
        name: &str,
    ) -> Result<(Option<tenants::entity::Model>, Option<users::entity::Model>)> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "login")).await?;
        let tenant = tenants::queries::by_slug(&tx, slug).await?;
        let place = tenant.as_ref().map_or(TenantId::NIL, |tenant| tenant.id);
        let find = tx.find_any::<users::entity::Entity>();
        let find = find.filter(users::entity::Column::TenantId.eq(place));
        let user = find.filter(column.eq(name)).one().await?;
        Ok((tenant, user))
    }

    /// The hash that a log-in is checked against; none for who can't log in.
    fn password_of(&self, user: &users::entity::Model) -> Option<String> {
        let outlived = user.password_reset_at.is_some_and(|at| at + RESET_HOLDS <= self.clock.now());
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
        // what was checked may have changed meanwhile
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
        let changes = json!({ "user_id": id, "expires_at": session.expires_at, "password_hash_upgraded": upgraded.is_some() });
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

    /// Changes the caller's own password, and ends the user's other sessions. Whose it is, and what is kept of it.
    pub(crate) async fn change_password(
        &self,
        scope: &Scope,
        new: PasswordChange,
    ) -> Result<(UserId, String)> {
        let (session, id) = scope.session.zip(scope.user).ok_or_else(no_session)?;
        password::check("new_password", &new.new_password)?;
        if *new.old_password == *new.new_password {
            return Err(Error::invalid("new_password", "must be another than the present one"));
        }
        let kept = self.get_user(scope, id).await?.password_hash;
        // whoever found an open browser must not find the password by trying
        let tried = self.throttle.begin_again(id, self.clock.now())?;
        let (urgency, tenant) = (Urgency::Known, scope.tenant());
        match self.passwords.verify(urgency, tenant, new.old_password, kept.clone()).await {
            Ok(Verdict::Wrong) => {
                let error = Error::new(Kind::Forbidden, "wrong_password", "this is not the present password");
                return Err(error.with_param("old_password"));
            }
            Ok(Verdict::Right | Verdict::Outdated) => self.throttle.succeeded(&tried),
            Err(e) => {
                self.throttle.take_back(&tried);
                return Err(e);
            }
        }
        let hash = self.passwords.hash(urgency, tenant, new.new_password).await?;
        self.keep_password(scope, id, session, kept, hash.clone()).await?;
        Ok((id, hash))
    }

    /// Learns once a minute which imported hash costs most to check: other nodes import them too, and log-ins replace
    /// them.
    async fn learn_costliest(&self) -> Result<()> {
        let now = self.clock.now().timestamp();
        let last = self.costliest_read.load(Ordering::Relaxed);
        let due = now - last >= COSTLIEST_HOLDS;
        if !due
            || self.costliest_read.compare_exchange(last, now, Ordering::Relaxed, Ordering::Relaxed).is_err()
        {
            return Ok(());
        }
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "login")).await?;
        let cost = users::service::costliest_import(&tx).await?;
        self.passwords.set_costliest(cost);
        Ok(())
    }

    async fn keep_password(
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
            let message = "the password was changed meanwhile; try again";
            return Err(Error::new(Kind::Conflict, "wrong_state", message));
        }
        let now: DateTime<Utc> = self.clock.now();
        let updated_at = next_version(user.updated_at, now);
        let mut row = user.into_active_model();
        row.password_hash = Set(Some(hash));
        row.password_reset_at = Set(None);
        row.updated_at = Set(updated_at);
        tx.update(row).await?;
        let ended = login_sessions::service::revoke_all(&tx, id, Some(session), now).await?;
        let changes = json!({ "password": "changed", "login_sessions_revoked": ended });
        let notice = self.changes.record(&tx, "change_password", "users", id, changes).await?;
        self.changes.commit(tx, notice).await
    }
}

fn no_session() -> Error {
    let message = "this is for who is logged in with a cookie: `POST /api/v1/login`";
    Error::new(Kind::Forbidden, "not_logged_in", message)
}
