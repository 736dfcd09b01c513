//! All issuers in memory: a token of an unknown issuer costs no query.
//!
//! Several tenants may register the same `iss` and `aud`, as Loam can't verify who they belong to. A request that names its
//! tenant is resolved within that tenant. One that names none is resolved by its signature, oldest registration first:
//! neither a later registration nor an earlier one with other keys can take over anybody's tokens.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use loam_db::{Db, System, Tx};
use loam_http::client::Client;
use loam_kernel::{Error, Kind, Result, Scope, TenantId, TokenIssuerId};
use loam_platform::notices::Notices;
use loam_platform::seal::Keyring;
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder};

use super::entity::{Column, Entity, Model};
use super::jwks::Jwks;
use super::service::seal_context;
use crate::jwt::{Algorithm, Token, VerifyingKey, invalid, refused};
use crate::tenants;

/// Maximum number of registrations of one `iss` and `aud` that are tried for a token without a named tenant.
const MAX_CLAIMS: usize = 16;

/// An issuer, ready to verify tokens.
pub(crate) struct Issuer {
    pub(crate) id: TokenIssuerId,
    pub(crate) tenant: TenantId,
    /// The tenant's slug.
    slug: String,
    pub(crate) role: String,
    pub(crate) user_claim: String,
    pub(crate) auto_create_users: bool,
    audience: String,
    algorithms: Vec<Algorithm>,
    keys: Keys,
}

#[derive(Clone)]
enum Keys {
    Secret(Arc<VerifyingKey>),
    Published(Arc<Jwks>),
}

/// By `iss`, then each audience, the oldest first.
type ByName = HashMap<String, Vec<Arc<Issuer>>>;

/// A cache of the issuers. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Issuers(Arc<Inner>);

struct Inner {
    db: Db,
    keyring: Keyring,
    client: Client,
    known: RwLock<Option<(u64, Arc<ByName>)>>,
    /// Counts changes, so that a result from before a change is not used after it.
    changes: AtomicU64,
    /// Locked by the task that reads.
    reading: tokio::sync::Mutex<()>,
}

impl Issuers {
    pub(crate) fn new(db: Db, keyring: Keyring, client: Client, notices: &Notices) -> Self {
        let changes = AtomicU64::new(0);
        let (known, reading) = (RwLock::default(), tokio::sync::Mutex::default());
        let this = Self(Arc::new(Inner { db, keyring, client, known, changes, reading }));
        let listener = Arc::downgrade(&this.0);
        notices.subscribe(move |notice| {
            if let Some(inner) = listener.upgrade().filter(|_| notice.topic == "token_issuers") {
                inner.changes.fetch_add(1, Ordering::AcqRel);
            }
        });
        this
    }

    /// The HTTP client, for validating addresses.
    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    /// The issuer of a token, by its `iss`, its `aud` and its signature; of the tenant that the request names, by slug or
    /// id, if it names one.
    pub(crate) async fn of(
        &self,
        token: &Token<'_>,
        tenant: Option<&str>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<Arc<Issuer>> {
        let all = self.get().await?;
        let claims = token.claims.iss.as_deref().and_then(|iss| all.get(iss)).into_iter().flatten();
        let here: Vec<_> = claims.filter(|issuer| tenant.is_none_or(|named| issuer.is_of(named))).collect();
        if here.is_empty() {
            return Err(refused("unknown_issuer", "the issuer of the token (`iss`) is not registered"));
        }
        let meant = here.into_iter().filter(|issuer| token.claims.aud.holds(&issuer.audience));
        let mut failed = None;
        for issuer in meant.take(MAX_CLAIMS) {
            match self.verify(issuer, token, now).await {
                Ok(()) => return Ok(issuer.clone()),
                Err(e) => failed = failed.or(Some(e)),
            }
        }
        Err(failed.unwrap_or_else(|| refused("wrong_audience", "the token is for another audience (`aud`)")))
    }

    /// Whether another tenant registered the same `iss` and `aud` earlier: tokens of a request that doesn't name its tenant may
    /// be resolved to the other tenant.
    pub(crate) async fn is_claimed_before(&self, row: &Model) -> Result<bool> {
        let all = self.get().await?;
        let mut claims = all.get(&row.issuer).into_iter().flatten();
        Ok(claims.any(|claim| {
            claim.audience == row.audience && claim.tenant != row.tenant_id && claim.id.0 < row.id.0
        }))
    }

    /// Verifies a token of this issuer.
    async fn verify(
        &self,
        issuer: &Issuer,
        token: &Token<'_>,
        now: chrono::DateTime<chrono::Utc>,
    ) -> Result<()> {
        let algorithm = token.algorithm(&issuer.algorithms)?;
        let verify = |key: &VerifyingKey| token.verify(key, algorithm, now);
        match &issuer.keys {
            Keys::Secret(key) => verify(key),
            Keys::Published(jwks) => {
                let found = jwks.with(&self.0.client, token.kid.as_deref(), algorithm, verify).await?;
                let unknown = || refused("unknown_signing_key", "the issuer has no such key (`kid`)");
                found.ok_or_else(unknown)?
            }
        }
    }

    fn known(&self) -> Option<(u64, Arc<ByName>)> {
        self.0.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn get(&self) -> Result<Arc<ByName>> {
        let current = |known: Option<(u64, Arc<ByName>)>| {
            known.filter(|(at, _)| *at == self.0.changes.load(Ordering::Acquire)).map(|(_, issuers)| issuers)
        };
        if let Some(issuers) = current(self.known()) {
            return Ok(issuers);
        }
        // one task reads for all, so that all share the fetched keys
        let _reading = self.0.reading.lock().await;
        if let Some(issuers) = current(self.known()) {
            return Ok(issuers);
        }
        let last = self.known().map(|(_, issuers)| issuers);
        match (self.read(last.as_deref()).await, last) {
            // while the database is unavailable, the last known issuers stay in use
            (Err(e), Some(last)) if e.kind() == Kind::Unavailable => Ok(last),
            (read, _) => read,
        }
    }

    async fn read(&self, before: Option<&ByName>) -> Result<Arc<ByName>> {
        // loaded before the rows are read: a change meanwhile makes them outdated immediately
        let changes = self.0.changes.load(Ordering::Acquire);
        let tx = self.0.db.system_read(&Scope::system(TenantId::NIL, "authentication")).await?;
        let active = tx.find_any::<Entity>().filter(Column::IsActive.eq(true));
        let rows = active.order_by_asc(Column::Id).all().await?;
        let slugs = slugs(&tx, &rows).await?;
        let mut issuers = ByName::new();
        for row in rows {
            let (id, name) = (row.id, row.issuer.clone());
            let slug = slugs.get(&row.tenant_id).cloned().unwrap_or_default();
            match self.open(row, slug, before) {
                Ok(issuer) => issuers.entry(name).or_default().push(Arc::new(issuer)),
                // an issuer that can't be opened must not affect the others
                Err(e) => tracing::error!(issuer.id = %id, error = ?e, "a token issuer can't be used"),
            }
        }
        let issuers = Arc::new(issuers);
        *self.0.known.write().unwrap_or_else(PoisonError::into_inner) = Some((changes, issuers.clone()));
        Ok(issuers)
    }

    fn open(&self, row: Model, slug: String, before: Option<&ByName>) -> Result<Issuer> {
        let keys = match (row.jwks_url, row.secret) {
            (None, Some(secret)) => {
                let secret = self.0.keyring.open_json(&seal_context(row.id), &secret)?;
                Keys::Secret(Arc::new(VerifyingKey::secret(secret.as_bytes())))
            }
            (Some(url), None) => {
                let all = before.into_iter().flat_map(ByName::values).flatten();
                let fetched =
                    all.filter(|issuer| issuer.id == row.id).find_map(|issuer| match &issuer.keys {
                        Keys::Published(jwks) if jwks.url == url => Some(jwks.clone()),
                        _ => None,
                    });
                Keys::Published(fetched.unwrap_or_else(|| Arc::new(Jwks::new(url))))
            }
            _ => return Err(invalid("an issuer has either a JWKS or a secret")),
        };
        Ok(Issuer {
            id: row.id,
            tenant: row.tenant_id,
            slug,
            role: row.role,
            user_claim: row.user_claim,
            auto_create_users: row.auto_create_users,
            audience: row.audience,
            algorithms: serde_json::from_value(row.algorithms).map_err(Error::internal)?,
            keys,
        })
    }
}

impl Issuer {
    fn is_of(&self, named: &str) -> bool {
        self.slug == named || named.parse::<TenantId>().is_ok_and(|id| id == self.tenant)
    }
}

/// The slugs of these issuers' tenants.
async fn slugs(tx: &Tx<System>, rows: &[Model]) -> Result<HashMap<TenantId, String>> {
    let mut ids: Vec<TenantId> = rows.iter().map(|row| row.tenant_id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut slugs = HashMap::with_capacity(ids.len());
    // a statement takes a limited number of values
    for ids in ids.chunks(500) {
        let find = tx.find_any::<tenants::entity::Entity>();
        let found = find.filter(tenants::entity::Column::Id.is_in(ids.iter().copied())).all().await?;
        slugs.extend(found.into_iter().map(|tenant| (tenant.id, tenant.slug)));
    }
    Ok(slugs)
}
