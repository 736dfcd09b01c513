//! The rules of logging in.

use std::sync::Arc;

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

use crate::password::Verdict;
use crate::tenants::entity::TenantStatus;
use crate::{Identity, login_sessions, secret, tenants, users};

/// How long a password that somebody else set opens the door.
const RESET_HOLDS: TimeDelta = TimeDelta::days(3);

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
}

/// The same whether there is no such tenant, no such user, or the password is another.
fn wrong() -> Error {
    let message = "the tenant, the name or the password is wrong";
    Error::new(Kind::Unauthenticated, "wrong_credentials", message)
}

impl Identity {
    /// Logs somebody in: always with a new session, so that nobody can prepare one for them.
    pub(crate) async fn log_in(&self, origin: Arc<Origin>, new: LogIn) -> Result<LoggedIn> {
        let slug = new.tenant.as_deref().unwrap_or("default");
        bounded("tenant", slug, 63)?;
        let (column, param, name) = match (new.username, new.email) {
            (Some(name), None) => (users::entity::Column::Username, "username", name),
            (None, Some(name)) => (users::entity::Column::Email, "email", name),
            _ => return Err(Error::invalid("username", "give either `username` or `email`")),
        };
        bounded(param, &name, 255)?;
        let account = format!("{slug}/{}", name.to_lowercase());
        let tried = self.throttle.begin(&account, origin.ip_address, self.clock.now())?;
        let found = self.find_user(slug, column, &name).await?;
        let kept = found.as_ref().and_then(|(_, user)| self.password_of(user));
        let verdict = self.passwords.verify(new.password.clone(), kept.clone()).await?;
        let Some((tenant, user)) = found.filter(|_| verdict != Verdict::Wrong) else { return Err(wrong()) };
        if tenant.status == TenantStatus::Archived {
            return Err(tenants::service::archived());
        }
        let upgraded = match verdict {
            Verdict::Outdated => Some(self.passwords.hash_as_it_is(new.password).await?),
            _ => None,
        };
        let scope = Scope::new(tenant.id, Actor::User(user.id), Permissions::default()).with_origin(origin);
        let made = self.make_session(&scope, user.id, kept, upgraded).await?;
        self.throttle.succeeded(&tried);
        Ok(made)
    }

    async fn find_user(
        &self,
        slug: &str,
        column: users::entity::Column,
        name: &str,
    ) -> Result<Option<(tenants::entity::Model, users::entity::Model)>> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "login")).await?;
        let Some(tenant) = tenants::queries::by_slug(&tx, slug).await? else { return Ok(None) };
        let find = tx.find_any::<users::entity::Entity>();
        let find = find.filter(users::entity::Column::TenantId.eq(tenant.id));
        Ok(find.filter(column.eq(name)).one().await?.map(|user| (tenant, user)))
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
        Ok(LoggedIn { token, session, user })
    }

    /// Ends the caller's own session.
    pub(crate) async fn log_out(&self, scope: &Scope) -> Result<()> {
        let session = scope.session.ok_or_else(no_session)?;
        self.revoke_login_session(scope, session).await
    }

    /// Changes the caller's own password, and ends the user's other sessions.
    pub(crate) async fn change_password(&self, scope: &Scope, new: PasswordChange) -> Result<()> {
        let (session, id) = scope.session.zip(scope.user).ok_or_else(no_session)?;
        // whoever found an open browser must not find the password by trying
        let account = format!("password of {id}");
        let tried = self.throttle.begin(&account, scope.origin().ip_address, self.clock.now())?;
        let user = self.get_user(scope, id).await?;
        let kept = user.password_hash;
        if self.passwords.verify(new.old_password.clone(), kept.clone()).await? == Verdict::Wrong {
            let message = "this is not the present password";
            return Err(Error::new(Kind::Forbidden, "wrong_password", message).with_param("old_password"));
        }
        self.throttle.succeeded(&tried);
        if *new.old_password == *new.new_password {
            return Err(Error::invalid("new_password", "must be another than the present one"));
        }
        let hash = self.passwords.hash("new_password", new.new_password.to_string()).await?;
        self.keep_password(scope, id, session, kept, hash).await
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
