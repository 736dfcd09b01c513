//! The caller and its tenant, which every query and every change carries.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ApiKeyId, Error, LoginSessionId, ProjectId, Result, TenantId, UserId};

/// Who performs an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An API key.
    ApiKey(ApiKeyId),
    /// A logged-in user.
    User(UserId),
    /// A short-lived token of an API key.
    KeyToken(ApiKeyId),
    /// A short-lived token of a logged-in user.
    UserToken(UserId),
    /// An end user of the tenant's application, by the application's own id and with a token that it issued.
    EndUser(Arc<str>),
    /// An application, with its ingest key.
    ProjectKey(ProjectId),
    /// The command line on the machine.
    CommandLine,
    /// Loam itself: the named component.
    System(&'static str),
}

impl Actor {
    /// The actor as shown in the audit trail.
    pub fn label(&self) -> String {
        match self {
            Self::ApiKey(id) => format!("api_key:{id}"),
            Self::User(id) => format!("user:{id}"),
            Self::KeyToken(id) => format!("service:api_key:{id}"),
            Self::UserToken(id) => format!("service:user:{id}"),
            Self::EndUser(id) => format!("end_user:{id}"),
            Self::ProjectKey(id) => format!("project_key:{id}"),
            Self::CommandLine => "command_line".to_owned(),
            Self::System(part) => format!("system:{part}"),
        }
    }
}

/// The permissions of a credential: `*`, or a list of `resource:action`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Arc<[String]>);

impl Permissions {
    /// A set of named permissions.
    pub fn new(scopes: impl IntoIterator<Item = String>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// All permissions.
    pub fn all() -> Self {
        Self::new(["*".to_owned()])
    }

    /// Whether the permission is included.
    pub fn allows(&self, permission: &str) -> bool {
        self.0.iter().any(|held| held == "*" || held == permission)
    }

    /// The intersection of both: a user's key never exceeds the user's permissions.
    #[must_use]
    pub fn within(&self, other: &Self) -> Self {
        if other.allows("*") {
            return self.clone();
        }
        if self.allows("*") {
            return other.clone();
        }
        Self::new(self.0.iter().filter(|held| other.allows(held)).cloned())
    }

    /// The names of the permissions; `*` for all.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether all of `scopes` are included: nobody can grant more than they have. The error is the first missing one.
    pub fn cover<'a>(&self, scopes: impl IntoIterator<Item = &'a String>) -> Result<(), String> {
        match scopes.into_iter().find(|scope| !self.allows(scope)) {
            Some(scope) => Err(scope.clone()),
            None => Ok(()),
        }
    }
}

/// Where a request came from, for the audit trail.
#[derive(Clone, Debug, Default)]
pub struct Origin {
    /// The id that the response carries as `x-request-id`.
    pub request_id: String,
    /// The client's address.
    pub ip_address: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
    /// The web origin of the page that sent the request, if it is of another site.
    pub web_origin: Option<String>,
}

/// The claim that a request with an `Idempotency-Key` makes in the transaction of its effect.
#[derive(Debug)]
pub struct Idempotency {
    /// The id of the row that stores the response.
    pub id: Uuid,
    /// The key that the client sent.
    pub key: String,
    /// A digest of method, path, caller and body.
    pub fingerprint: Vec<u8>,
    /// Time of the request.
    pub at: DateTime<Utc>,
    used: AtomicBool,
}

impl Idempotency {
    /// A claim that is not made yet.
    pub fn new(id: Uuid, key: String, fingerprint: Vec<u8>, at: DateTime<Utc>) -> Self {
        Self { id, key, fingerprint, at, used: AtomicBool::new(false) }
    }

    /// Claims it; true for the first caller only, as the claim belongs to the first transaction.
    pub fn claim(&self) -> bool {
        !self.used.swap(true, Ordering::AcqRel)
    }

    /// Whether a transaction has claimed it.
    pub fn is_claimed(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }
}

/// The tenant and the caller of an operation. No query of a tenant's table is possible without one.
#[derive(Clone, Debug)]
pub struct Scope {
    tenant: TenantId,
    actor: Actor,
    permissions: Permissions,
    origin: Arc<Origin>,
    operator: bool,
    /// Whether the credential's own list of web origins has that of the request.
    pub web_origin_allowed: bool,
    /// The acting user: the logged-in user, the owner of the key or token, or the end user. None for a key without a user.
    pub user: Option<UserId>,
    /// The login session, for a request with its cookie.
    pub session: Option<LoginSessionId>,
    /// The project a key is bound to.
    pub project: Option<ProjectId>,
    /// Set on a `POST` with an `Idempotency-Key`.
    pub idempotency: Option<Arc<Idempotency>>,
}

impl Scope {
    /// A scope for a caller with the given permissions.
    pub fn new(tenant: TenantId, actor: Actor, permissions: Permissions) -> Self {
        let origin = Arc::default();
        Self {
            tenant,
            actor,
            permissions,
            origin,
            operator: false,
            web_origin_allowed: false,
            user: None,
            session: None,
            project: None,
            idempotency: None,
        }
    }

    /// A scope for Loam's own operations in a tenant.
    pub fn system(tenant: TenantId, part: &'static str) -> Self {
        Self::new(tenant, Actor::System(part), Permissions::all())
    }

    /// The user to whose rows the caller is restricted, where the permission `all` grants access to all rows; none: all
    /// rows. A key without a user acts for the application.
    pub fn own_only(&self, all: &str) -> Option<UserId> {
        self.user.filter(|_| !self.permissions.allows(all))
    }

    /// Sets where the request came from.
    #[must_use]
    pub fn with_origin(mut self, origin: Arc<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// The same caller acting in another tenant. Only for the management of tenants.
    #[must_use]
    pub fn in_tenant(&self, tenant: TenantId) -> Self {
        Self {
            tenant,
            operator: false,
            user: None,
            session: None,
            project: None,
            idempotency: None,
            ..self.clone()
        }
    }

    /// The same caller as another actor: a token acts for the key that requested it.
    #[must_use]
    pub fn acting_as(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The same caller, limited to these permissions.
    #[must_use]
    pub fn limited_to(mut self, permissions: &Permissions) -> Self {
        self.permissions = self.permissions.within(permissions);
        self
    }

    /// Sets whether the caller is an operator of the instance. [`Scope::in_tenant`] resets it.
    #[must_use]
    pub fn with_operator(mut self, operator: bool) -> Self {
        self.operator = operator;
        self
    }

    /// Whether the caller acts as an operator of the instance.
    pub fn is_operator(&self) -> bool {
        self.operator || self.actor == Actor::CommandLine
    }

    /// The API key that the request is charged to: the key itself, or the key of the token.
    pub fn api_key(&self) -> Option<ApiKeyId> {
        match self.actor {
            Actor::ApiKey(id) | Actor::KeyToken(id) => Some(id),
            _ => None,
        }
    }

    /// The tenant.
    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    /// The caller.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// The caller's permissions.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Rejects a caller without the permission.
    pub fn require(&self, permission: &str) -> Result<()> {
        if self.permissions.allows(permission) { Ok(()) } else { Err(Error::forbidden(permission)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissions(scopes: &[&str]) -> Permissions {
        Permissions::new(scopes.iter().map(|scope| (*scope).to_owned()))
    }

    fn owned(scopes: &[&str]) -> Vec<String> {
        scopes.iter().map(|scope| (*scope).to_owned()).collect()
    }

    #[test]
    fn a_permission_is_had_by_its_whole_name_or_by_the_star() {
        let some = permissions(&["users:read", "projects:*"]);
        assert!(some.allows("users:read"));
        for lacking in ["users:write", "users", "users:", "user:read", "projects:read", "*", ""] {
            assert!(!some.allows(lacking), "{lacking}");
        }
        assert!(Permissions::all().allows("users:write"));
        assert!(!Permissions::default().allows("users:read"));
    }

    #[test]
    fn nobody_hands_on_more_than_they_have() {
        let some = permissions(&["users:read", "users:write"]);
        assert_eq!(some.cover(&owned(&["users:write", "users:read"])), Ok(()));
        assert_eq!(some.cover(&owned(&["users:read", "*"])), Err("*".to_owned()));
        assert_eq!(some.cover(&owned(&["jobs:read"])), Err("jobs:read".to_owned()));
        assert_eq!(Permissions::all().cover(&owned(&["*", "jobs:read"])), Ok(()));
    }

    #[test]
    fn a_key_of_a_user_may_what_both_may() {
        let (key, user) =
            (permissions(&["users:read", "jobs:read"]), permissions(&["users:read", "users:write"]));
        assert_eq!(key.within(&user), permissions(&["users:read"]));
        assert_eq!(Permissions::all().within(&user), user);
        assert_eq!(key.within(&Permissions::all()), key);
        assert_eq!(key.within(&Permissions::default()), Permissions::default());
    }

    #[test]
    fn a_key_pays_for_the_tokens_that_it_got() {
        let key = ApiKeyId(Uuid::from_u128(3));
        let scope = |actor| Scope::new(TenantId::NIL, actor, Permissions::all());
        assert_eq!(scope(Actor::ApiKey(key)).api_key(), Some(key));
        assert_eq!(scope(Actor::KeyToken(key)).api_key(), Some(key));
        assert_eq!(scope(Actor::User(UserId::NIL)).api_key(), None);
        assert_eq!(scope(Actor::EndUser("u-1".into())).actor().label(), "end_user:u-1");
    }

    #[test]
    fn a_missing_permission_is_a_403_that_names_it() {
        let tenant = TenantId(Uuid::from_u128(1));
        let scope = Scope::new(tenant, Actor::CommandLine, permissions(&["users:read"]));
        assert!(scope.require("users:read").is_ok());
        let error = scope.require("users:write").unwrap_err();
        assert!(error.status() == 403 && error.message().contains("users:write"), "{error}");
    }

    #[test]
    fn what_belongs_to_one_tenant_is_not_taken_to_another() {
        let (here, there) = (TenantId(Uuid::from_u128(1)), TenantId(Uuid::from_u128(2)));
        let mut scope =
            Scope::new(here, Actor::ApiKey(ApiKeyId(Uuid::from_u128(3))), permissions(&["users:read"]));
        scope.user = Some(UserId(Uuid::from_u128(4)));
        scope.session = Some(LoginSessionId(Uuid::from_u128(6)));
        scope.project = Some(ProjectId(Uuid::from_u128(5)));
        scope.idempotency =
            Some(Arc::new(Idempotency::new(Uuid::nil(), "k".to_owned(), Vec::new(), DateTime::UNIX_EPOCH)));
        let scope = scope.with_operator(true);
        let moved = scope.in_tenant(there);
        assert!(scope.is_operator() && !moved.is_operator() && moved.session.is_none());
        assert_eq!((moved.tenant(), moved.user, moved.project), (there, None, None));
        assert!(moved.idempotency.is_none());
        assert_eq!((moved.actor(), moved.permissions()), (scope.actor(), scope.permissions()));
    }

    #[test]
    fn a_claim_belongs_to_the_first_who_takes_it() {
        let claim = Idempotency::new(Uuid::nil(), "k".to_owned(), Vec::new(), DateTime::UNIX_EPOCH);
        assert!(!claim.is_claimed());
        assert!(claim.claim() && !claim.claim() && claim.is_claimed());
    }
}
