//! A resolved credential and its dependencies.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Utc};
use loam_kernel::{ApiKeyId, Error, Kind, LoginSessionId, Origin, Result, Scope, TenantId, TokenIssuerId};
use loam_platform::notices::Notice;
use uuid::Uuid;

use crate::tenants::entity::TenantStatus;
use crate::tenants::service::{archived, suspended};
use crate::web_origins;

/// The kind of access that a request needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestedAccess {
    /// Reading.
    Read,
    /// A change, or a model call.
    Write,
    /// An export, which is allowed for an archived tenant.
    Export,
    /// Reading or ending the caller's own login session.
    Own,
    /// Changing the caller's own password.
    OwnPassword,
}

impl RequestedAccess {
    /// Rejects access that the tenant's status does not allow.
    ///
    /// # Errors
    /// 403 `tenant_suspended`, `tenant_archived`.
    pub fn check(self, status: TenantStatus) -> Result<()> {
        match (status, self) {
            (TenantStatus::Active, _) | (_, Self::Export) => Ok(()),
            (TenantStatus::Suspended, Self::Read | Self::Own) => Ok(()),
            (TenantStatus::Suspended, Self::Write | Self::OwnPassword) => Err(suspended()),
            (TenantStatus::Archived, _) => Err(archived()),
        }
    }

    fn is_own(self) -> bool {
        matches!(self, Self::Own | Self::OwnPassword)
    }
}

/// The kind and id of a credential.
#[derive(Clone, Copy)]
pub(super) enum Source {
    Key(ApiKeyId),
    /// The key of a project.
    Project,
    Session(LoginSessionId),
    Token,
}

pub(super) struct Credential {
    pub(super) source: Source,
    pub(super) scope: Scope,
    pub(super) tenant_status: TenantStatus,
    /// Keys and users that it depends on besides those of its scope: its creators.
    pub(super) behind: Vec<Uuid>,
    /// The tenants whose roles grant its permissions.
    pub(super) roles_of: Vec<TenantId>,
    /// Web origins whose pages can use it; `None`: those of the instance.
    pub(super) allowed_origins: Option<Arc<[String]>>,
    /// The issuer of an end user's token.
    pub(super) issuer: Option<TokenIssuerId>,
    /// Whether it is only valid for changing the password.
    pub(super) must_change_password: bool,
    /// Expiry time.
    pub(super) expires_at: Option<DateTime<Utc>>,
    /// When it is verified again although nothing has changed, in microseconds since 1970: a token whose issuer may have
    /// withdrawn its key.
    pub(super) fresh_until: i64,
    /// Idle timeout, in microseconds.
    pub(super) idle: i64,
    /// Microseconds since 1970.
    pub(super) used_at: AtomicI64,
    /// The last use that is in the database.
    pub(super) written_at: AtomicI64,
}

impl Credential {
    /// A credential that is valid until something changes.
    pub(super) fn new(source: Source, scope: Scope, tenant_status: TenantStatus) -> Self {
        Self {
            source,
            scope,
            tenant_status,
            behind: Vec::new(),
            roles_of: Vec::new(),
            allowed_origins: None,
            issuer: None,
            must_change_password: false,
            expires_at: None,
            fresh_until: i64::MAX,
            idle: i64::MAX,
            used_at: AtomicI64::new(0),
            written_at: AtomicI64::new(0),
        }
    }

    /// The scope for a request, if the credential is still valid, the tenant's status allows the access, and the page that
    /// sends it may use the credential.
    pub(super) fn admit(
        &self,
        now: DateTime<Utc>,
        access: RequestedAccess,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        if self.expires_at.is_some_and(|at| at <= now) {
            return Err(self.expired());
        }
        access.check(self.tenant_status)?;
        if self.must_change_password && !access.is_own() {
            let message =
                "this password was set by somebody else: change it with `POST /api/v1/session/password`";
            return Err(Error::new(Kind::Forbidden, "password_change_required", message));
        }
        let mut scope = self.scope.clone();
        if let (Some(allowed), Some(web_origin)) = (&self.allowed_origins, &origin.web_origin) {
            if !web_origins::allows(allowed, web_origin) {
                let message = "pages of this origin can't use this credential: see its `allowed_origins`";
                return Err(Error::new(Kind::Forbidden, "origin_not_allowed", message));
            }
            scope.web_origin_allowed = true;
        }
        self.used_at.store(now.timestamp_micros(), Ordering::Relaxed);
        Ok(scope.with_origin(origin))
    }

    fn expired(&self) -> Error {
        let (code, message) = match self.source {
            Source::Key(_) => ("expired_key", "this API key has expired; create a new one"),
            Source::Project => {
                ("retired_project_key", "this key has been replaced; use the project's new key")
            }
            Source::Session(_) => ("expired_session", "this login session has ended; log in again"),
            Source::Token => ("expired_token", "the token has expired; get a new one"),
        };
        Error::new(Kind::Unauthenticated, code, message)
    }

    /// Whether the cached credential can be used: it is neither expired nor idle for too long, as far as this node knows.
    pub(super) fn is_fresh(&self, now: DateTime<Utc>) -> bool {
        let micros = now.timestamp_micros();
        let idle_since = self.used_at.load(Ordering::Relaxed);
        self.expires_at.is_none_or(|at| now < at)
            && micros < self.fresh_until
            && micros.saturating_sub(idle_since) < self.idle
    }

    /// Whether the change may affect it.
    pub(super) fn is_affected_by(&self, notice: &Notice) -> bool {
        let subject = notice.subject;
        let behind = self.behind.contains(&subject);
        match notice.topic.as_str() {
            "api_keys" => behind || self.scope.api_key().is_some_and(|id| id.0 == subject),
            "users" => behind || self.scope.user.is_some_and(|id| id.0 == subject),
            "projects" => self.scope.project.is_some_and(|id| id.0 == subject),
            "tenants" => self.scope.tenant().0 == subject,
            "roles" => self.roles_of.contains(&notice.tenant),
            "login_sessions" => self.scope.session.is_some_and(|id| id.0 == subject),
            "token_issuers" => self.issuer.is_some_and(|id| id.0 == subject),
            "signing_keys" => matches!(self.source, Source::Token) && self.issuer.is_none(),
            _ => false,
        }
    }

    /// The time of the last use, if it is not in the database yet.
    pub(super) fn take_use(&self) -> Option<(TenantId, Source, i64)> {
        let used = self.used_at.load(Ordering::Relaxed);
        let new = self.written_at.swap(used, Ordering::Relaxed) != used;
        let kept = matches!(self.source, Source::Key(_) | Source::Session(_));
        (new && kept).then(|| (self.scope.tenant(), self.source, used))
    }
}
