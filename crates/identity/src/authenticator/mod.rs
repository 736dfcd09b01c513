//! Resolves a credential to a scope, on the hot path of the gateway: known credentials are resolved from memory, also
//! while the database is unavailable; a change on any node invalidates the affected ones within a second.
//!
//! API keys, ingest keys, cookies and tokens are all looked up by their SHA-256. A cached credential costs one digest and
//! one map look-up; so does a token, whose signature was verified at its first use.

mod credential;
mod effective;
mod keys;
mod preflight;
mod project_keys;
mod sessions;
mod tokens;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loam_db::{Db, System, Tx};
use loam_kernel::{Clock, Error, Kind, Origin, Result, Scope, TenantId};
use loam_platform::cache::Cache;
use loam_platform::notices::Notice;

use crate::login::csrf;
use crate::{Identity, jwt, secret};

pub use credential::RequestedAccess;
use credential::{Credential, Source};

/// How long an unknown key is cached as such, in microseconds, so that guessing doesn't query the database each time.
const UNKNOWN_TTL: i64 = 2_000_000;
/// Maximum number of cached unknown keys.
const MAX_UNKNOWN: usize = 10_000;
/// Maximum number of cached sessions and tokens.
const MAX_TEMPORARY: usize = 50_000;
/// Maximum length of a key in bytes.
const MAX_KEY: usize = 200;

type Digest = [u8; 32];
type CredentialCache = RwLock<HashMap<Digest, Arc<Credential>>>;

/// Resolves credentials.
pub struct Authenticator {
    identity: Identity,
    /// API keys and ingest keys.
    known: CredentialCache,
    /// Login sessions and tokens.
    passing: CredentialCache,
    unknown: RwLock<HashMap<Digest, i64>>,
    allowed_origins: Cache<(), Arc<[String]>>,
    /// Counts changes, so that a result from before a change is not cached after it.
    changes: AtomicU64,
}

impl Authenticator {
    /// An authenticator that subscribes to changes and preloads the newest keys.
    pub async fn start(identity: &Identity) -> Result<Arc<Self>> {
        let this = Arc::new(Self {
            identity: identity.clone(),
            known: RwLock::default(),
            passing: RwLock::default(),
            unknown: RwLock::default(),
            allowed_origins: Cache::new(preflight::CACHE, &identity.notices, |_| None),
            changes: AtomicU64::new(0),
        });
        let listener = Arc::downgrade(&this);
        identity.notices.subscribe(move |notice| {
            if let Some(this) = listener.upgrade() {
                this.invalidate(notice);
            }
        });
        this.preload().await?;
        Ok(this)
    }

    /// The scope of an API key or token. `tenant` is the one that the request names, in which an end user's token is
    /// resolved.
    pub async fn authenticate(
        &self,
        text: &str,
        tenant: Option<&str>,
        access: RequestedAccess,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        if text.starts_with(secret::PREFIX) && text.len() <= MAX_KEY {
            let credential = self.key(secret::digest(text)).await?;
            return credential.admit(self.clock().now(), access, origin);
        }
        if jwt::is_jwt(text) {
            return self.authenticate_token(text, tenant, access, origin).await;
        }
        Err(refused())
    }

    /// The scope of a token, where an API key is not accepted.
    pub async fn authenticate_token(
        &self,
        text: &str,
        tenant: Option<&str>,
        access: RequestedAccess,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        if !jwt::is_jwt(text) {
            let message = "only a token of `POST /api/v1/tokens` is accepted here, not an API key";
            return Err(Error::new(Kind::Unauthenticated, "invalid_token", message));
        }
        let credential = Box::pin(self.token(text, tenant)).await?;
        credential.admit(self.clock().now(), access, origin)
    }

    /// The scope of the session with this cookie. A change also needs the CSRF token, from `headers`.
    pub async fn authenticate_session(
        &self,
        cookie: &str,
        headers: &http::HeaderMap,
        safe: bool,
        access: RequestedAccess,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        let credential = self.session(cookie).await?;
        if !safe {
            csrf::check_origin(headers, self.identity.config.public_url.as_deref())?;
            csrf::check(cookie, headers)?;
        }
        credential.admit(self.clock().now(), access, origin)
    }

    /// The scope of an operator in the tenant that the request names.
    pub async fn open_tenant(&self, scope: &Scope, named: &str, access: RequestedAccess) -> Result<Scope> {
        let (tenant, opened) = self.identity.open_tenant(scope, named).await?;
        access.check(tenant.status)?;
        Ok(opened)
    }

    fn clock(&self) -> &Clock {
        &self.identity.clock
    }

    fn db(&self) -> &Db {
        &self.identity.db
    }

    async fn system_read(&self) -> Result<Tx<System>> {
        self.db().system_read(&Scope::system(TenantId::NIL, "authentication")).await
    }

    /// Caches what was read, unless something has changed since.
    fn cache(&self, known: &CredentialCache, digest: Digest, credential: &Arc<Credential>, changes: u64) {
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::Acquire) == changes {
            known.insert(digest, credential.clone());
        }
    }

    /// Like [`Self::cache`], for sessions and tokens, with a maximum number.
    fn cache_temporary(&self, digest: Digest, credential: &Arc<Credential>, changes: u64) {
        let now = self.clock().now();
        {
            let mut passing = self.passing.write().unwrap_or_else(PoisonError::into_inner);
            if passing.len() >= MAX_TEMPORARY {
                passing.retain(|_, credential| credential.is_fresh(now));
            }
            if passing.len() >= MAX_TEMPORARY {
                passing.clear();
            }
        }
        self.cache(&self.passing, digest, credential, changes);
    }

    fn invalidate(&self, notice: &Notice) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        known.retain(|_, credential| !credential.is_affected_by(notice));
        drop(known);
        let mut passing = self.passing.write().unwrap_or_else(PoisonError::into_inner);
        passing.retain(|_, credential| !credential.is_affected_by(notice));
    }

    /// Stores when keys and sessions were last used. Called every half minute.
    pub async fn write_last_used(&self) -> Result<()> {
        let used: Vec<_> = [&self.known, &self.passing]
            .into_iter()
            .flat_map(|known| {
                let known = known.read().unwrap_or_else(PoisonError::into_inner);
                known.values().filter_map(|credential| credential.take_use()).collect::<Vec<_>>()
            })
            .collect();
        if used.is_empty() {
            return Ok(());
        }
        let tx = self.db().system_write(&Scope::system(TenantId::NIL, "authentication")).await?;
        for (tenant, source, at) in used {
            match source {
                Source::Key(id) => keys::write_used(&tx, tenant, id, at).await?,
                Source::Session(id) => sessions::write_used(&tx, tenant, id, at).await?,
                Source::Project | Source::Token => {}
            }
        }
        tx.commit().await
    }
}

fn refused() -> Error {
    Error::new(Kind::Unauthenticated, "invalid_api_key", "this API key is unknown or revoked")
}
