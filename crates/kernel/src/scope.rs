//! Who asks, and for which tenant: what every query and every change carries.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::{ApiKeyId, Error, LoginSessionId, ProjectId, Result, TenantId, UserId};

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// An API key.
    ApiKey(ApiKeyId),
    /// A user who logged in.
    User(UserId),
    /// A short-lived token that an API key got for itself.
    KeyToken(ApiKeyId),
    /// A short-lived token that a user who logged in got.
    UserToken(UserId),
    /// An end user of the tenant's application, by the application's own id of them and under its own token.
    EndUser(Arc<str>),
    /// An application, with the key that its telemetry is sent with.
    ProjectKey(ProjectId),
    /// Somebody at the machine's own command line.
    CommandLine,
    /// Loam itself: the named part of it.
    System(&'static str),
}

impl Actor {
    /// The actor as the audit trail shows it.
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

/// What a credential may do: `*`, or a list of `resource:action`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Permissions(Arc<[String]>);

impl Permissions {
    /// The permissions named.
    pub fn new(scopes: impl IntoIterator<Item = String>) -> Self {
        Self(scopes.into_iter().collect())
    }

    /// Everything.
    pub fn all() -> Self {
        Self::new(["*".to_owned()])
    }

    /// Whether the permission is among them.
    pub fn allows(&self, permission: &str) -> bool {
        self.0.iter().any(|held| held == "*" || held == permission)
    }

    /// What both allow: a key of a user never exceeds what the user may do.
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

    /// The permissions by name; `*` for everything.
    pub fn names(&self) -> &[String] {
        &self.0
    }

    /// Whether everything that `scopes` allow is allowed here too: nobody can hand on more than they have.
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
    /// The id that the answer carries as `x-request-id`.
    pub request_id: String,
    /// The client's address.
    pub ip_address: Option<IpAddr>,
    /// The client's `User-Agent`.
    pub user_agent: Option<String>,
}

/// The claim that a request with an `Idempotency-Key` makes in the transaction of its effect.
#[derive(Debug)]
pub struct Idempotency {
    /// The id of the row that keeps the answer.
    pub id: Uuid,
    /// What the client sent.
    pub key: String,
    /// A digest of method, path, caller and body.
    pub fingerprint: Vec<u8>,
    /// When the request came.
    pub at: DateTime<Utc>,
    used: AtomicBool,
}

impl Idempotency {
    /// A claim not yet made.
    pub fn new(id: Uuid, key: String, fingerprint: Vec<u8>, at: DateTime<Utc>) -> Self {
        Self { id, key, fingerprint, at, used: AtomicBool::new(false) }
    }

    /// True for the first caller only: the claim belongs to the first transaction.
    pub fn take(&self) -> bool {
        !self.used.swap(true, Ordering::AcqRel)
    }

    /// Whether a transaction made the claim.
    pub fn is_taken(&self) -> bool {
        self.used.load(Ordering::Acquire)
    }
}

/// The tenant and the caller on whose behalf something is done. There is no query of a tenant's table without one.
#[derive(Clone, Debug)]
pub struct Scope {
    tenant: TenantId,
    actor: Actor,
    permissions: Permissions,
    origin: Arc<Origin>,
    operator: bool,
    /// The user who acts: who logged in, whom a key or token belongs to, the end user. None for a key of nobody's.
    pub user: Option<UserId>,
    /// The log-in session, of a request that came with its cookie.
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
            user: None,
            session: None,
            project: None,
            idempotency: None,
        }
    }

    /// A scope for Loam's own work in a tenant.
    pub fn system(tenant: TenantId, part: &'static str) -> Self {
        Self::new(tenant, Actor::System(part), Permissions::all())
    }

    /// The user whose rows alone the caller may see, where the permission `all` is what opens every one's; none: all rows.
    /// A key of nobody's acts for the application.
    pub fn own_only(&self, all: &str) -> Option<UserId> {
        self.user.filter(|_| !self.permissions.allows(all))
    }

    /// Says where the request came from.
    #[must_use]
    pub fn with_origin(mut self, origin: Arc<Origin>) -> Self {
        self.origin = origin;
        self
    }

    /// The same caller acting in another tenant. Only for what manages tenants.
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

    /// The same caller in the name of another: a token acts for the key that got it.
    #[must_use]
    pub fn acting_as(mut self, actor: Actor) -> Self {
        self.actor = actor;
        self
    }

    /// The same caller with no more than these rights.
    #[must_use]
    pub fn limited_to(mut self, permissions: &Permissions) -> Self {
        self.permissions = self.permissions.within(permissions);
        self
    }

    /// Says whether the caller is an operator of the instance. It ends where another tenant begins.
    #[must_use]
    pub fn with_operator(mut self, operator: bool) -> Self {
        self.operator = operator;
        self
    }

    /// Whether the caller is an operator of the instance, and acts as such.
    pub fn is_operator(&self) -> bool {
        self.operator || self.actor == Actor::CommandLine
    }

    /// The key that pays, whether it came itself or sent a token that it got.
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

    /// What the caller may do.
    pub fn permissions(&self) -> &Permissions {
        &self.permissions
    }

    /// Where the request came from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Refuses a caller who lacks the permission.
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
        assert!(!claim.is_taken());
        assert!(claim.take() && !claim.take() && claim.is_taken());
    }
}
