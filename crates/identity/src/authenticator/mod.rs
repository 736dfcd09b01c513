//! From a credential to a scope, at the speed of a gateway: known ones are answered from memory, and go on working while
//! the database is away; a change anywhere empties what it touches within a second.
//!
//! API keys, keys of projects, cookies and tokens are all known by their SHA-256. A key that is known costs one digest and one look into a
//! map; so does a token, whose signature was checked when it came first.

mod credential;
mod keys;
mod makers;
mod project_keys;
mod sessions;
mod tokens;
mod users;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loam_db::{Db, System, Tx};
use loam_kernel::{Clock, Error, Kind, Origin, Result, Scope, TenantId};
use loam_platform::notices::Notice;

use crate::login::csrf;
use crate::{Identity, jwt, secret};

pub use credential::Asks;
use credential::{Credential, Source};

/// How long an unknown key is remembered as such, so that guessing doesn't reach the database each time.
const UNKNOWN_FOR: i64 = 2_000_000;
/// Unknown keys remembered at most.
const MAX_UNKNOWN: usize = 10_000;
/// Sessions and tokens remembered at most.
const MAX_PASSING: usize = 50_000;
/// Longer ones are no credential of ours.
const MAX_KEY: usize = 200;

type Digest = [u8; 32];
type Known = RwLock<HashMap<Digest, Arc<Credential>>>;

/// Knows credentials.
pub struct Authenticator {
    identity: Identity,
    /// API keys, and those of projects.
    known: Known,
    /// Log-in sessions and tokens, which come and go.
    passing: Known,
    unknown: RwLock<HashMap<Digest, i64>>,
    /// Counts changes, so that what was read before one is not kept after it.
    changes: AtomicU64,
}

impl Authenticator {
    /// An authenticator that hears of changes, and knows the newest keys from the start.
    pub async fn start(identity: &Identity) -> Result<Arc<Self>> {
        let this = Arc::new(Self {
            identity: identity.clone(),
            known: RwLock::default(),
            passing: RwLock::default(),
            unknown: RwLock::default(),
            changes: AtomicU64::new(0),
        });
        let listener = Arc::downgrade(&this);
        identity.notices.subscribe(move |notice| {
            if let Some(this) = listener.upgrade() {
                this.forget(notice);
            }
        });
        this.preload().await?;
        Ok(this)
    }

    /// The scope of whoever holds an API key or sends a token. `tenant` is the one that the request names: an end user's
    /// token is matched within it.
    pub async fn authenticate(
        &self,
        text: &str,
        tenant: Option<&str>,
        asks: Asks,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        if text.starts_with(secret::PREFIX) && text.len() <= MAX_KEY {
            let credential = self.key(secret::digest(text)).await?;
            return credential.admit(self.clock().now(), asks, origin);
        }
        if jwt::is_jwt(text) {
            let credential = Box::pin(self.token(text, tenant)).await?;
            return credential.admit(self.clock().now(), asks, origin);
        }
        Err(refused())
    }

    /// The scope of whoever is logged in with this cookie. Who changes something must also show that it is a page of
    /// this site that asks: `headers` are the request's.
    pub async fn authenticate_session(
        &self,
        cookie: &str,
        headers: &http::HeaderMap,
        safe: bool,
        asks: Asks,
        origin: Arc<Origin>,
    ) -> Result<Scope> {
        let credential = self.session(cookie).await?;
        if !safe {
            csrf::check_origin(headers, self.identity.config.public_url.as_deref())?;
            csrf::check(cookie, headers)?;
        }
        credential.admit(self.clock().now(), asks, origin)
    }

    /// The scope of an operator in the tenant that it names.
    pub async fn open_tenant(&self, scope: &Scope, named: &str, asks: Asks) -> Result<Scope> {
        let (tenant, opened) = self.identity.open_tenant(scope, named).await?;
        asks.check(tenant.status)?;
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

    /// Keeps what was read, unless something has changed since.
    fn keep(&self, known: &Known, digest: Digest, credential: &Arc<Credential>, changes: u64) {
        let mut known = known.write().unwrap_or_else(PoisonError::into_inner);
        if self.changes.load(Ordering::Acquire) == changes {
            known.insert(digest, credential.clone());
        }
    }

    /// The same for what comes and goes, with a limit on how much of it there is.
    fn keep_passing(&self, digest: Digest, credential: &Arc<Credential>, changes: u64) {
        let now = self.clock().now();
        {
            let mut passing = self.passing.write().unwrap_or_else(PoisonError::into_inner);
            if passing.len() >= MAX_PASSING {
                passing.retain(|_, credential| credential.is_fresh(now));
            }
            if passing.len() >= MAX_PASSING {
                passing.clear();
            }
        }
        self.keep(&self.passing, digest, credential, changes);
    }

    fn forget(&self, notice: &Notice) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.changes.fetch_add(1, Ordering::AcqRel);
        known.retain(|_, credential| !credential.is_touched(notice));
        drop(known);
        let mut passing = self.passing.write().unwrap_or_else(PoisonError::into_inner);
        passing.retain(|_, credential| !credential.is_touched(notice));
    }

    /// Writes down when keys and sessions were last used. Called every half minute.
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
    Error::new(Kind::Unauthenticated, "invalid_api_key", "this API key is not known, or has been revoked")
}
