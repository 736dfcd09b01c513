//! The handle of this crate.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use loam_db::Db;
use loam_http::client::Client;
use loam_kernel::{Clock, Error, Result, Scope, TenantId};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;
use utoipa_axum::router::OpenApiRouter;

use crate::erasures::{Draining, Places};
use crate::login::Throttle;
use crate::opened::Recorded;
use crate::password::Passwords;
use crate::projects::directory::Directory;
use crate::signing_keys::SigningKeys;
use crate::tenants::entity::TenantStatus;
use crate::token_issuers::Issuers;
use crate::user_preferences::service::Preferences;
use crate::users::end_user::EndUsers;
use crate::{
    Config, api_keys, erasures, exports, login, login_sessions, projects, roles, signing_keys, tenants,
    token_issuers, tokens, user_preferences, users,
};

/// Tenants, users, roles, projects, keys, log-ins and tokens. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    pub(crate) notices: Notices,
    pub(crate) changes: Changes,
    pub(crate) keyring: Keyring,
    pub(crate) config: Arc<Config>,
    pub(crate) passwords: Passwords,
    /// When the costliest imported hash was last looked for, in seconds since 1970.
    pub(crate) costliest_read: Arc<AtomicI64>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) issuers: Issuers,
    pub(crate) preferences: Preferences,
    pub(crate) directory: Directory,
    pub(crate) end_users: EndUsers,
    pub(crate) recorded: Arc<Recorded>,
    /// The tenant whose operators manage the others; known after the first start.
    pub(crate) default_tenant: Arc<OnceLock<TenantId>>,
    /// Where something of people may be.
    places: Arc<OnceLock<Places>>,
    /// What an erasure waits for; none on the command line.
    pub(crate) draining: Arc<OnceLock<Draining>>,
    /// Remembers who is erased.
    pub(crate) guard: Guard,
}

/// What identity stands on.
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// Opens signing keys and issuers' secrets.
    pub keyring: Keyring,
    /// The way out, to issuers' public keys.
    pub client: Client,
    /// Settings, which have been checked.
    pub config: Config,
}

impl Identity {
    /// A handle on a migrated database.
    pub fn new(parts: Parts) -> Self {
        let Parts { db, clock, notices, keyring, client, config } = parts;
        Self {
            passwords: Passwords::new(config.password_threads),
            costliest_read: Arc::default(),
            throttle: Arc::new(Throttle::new(config.account_failures, config.address_failures)),
            signing_keys: SigningKeys::new(db.clone(), clock.clone(), keyring.clone(), &notices),
            issuers: Issuers::new(db.clone(), keyring.clone(), client, &notices),
            directory: Directory::new(&notices),
            end_users: EndUsers::new(&notices),
            preferences: Preferences::new(db.clone(), &notices),
            changes: Changes::new(clock.clone(), notices.clone()),
            recorded: Arc::default(),
            default_tenant: Arc::default(),
            places: Arc::default(),
            draining: Arc::default(),
            guard: Guard::new(keyring.clone()),
            config: Arc::new(config),
            db,
            clock,
            notices,
            keyring,
        }
    }

    /// The routes of this crate.
    pub fn router(&self) -> OpenApiRouter {
        OpenApiRouter::new()
            .merge(tenants::routes::router(self.clone()))
            .merge(users::routes::router(self.clone()))
            .merge(user_preferences::routes::router(self.clone()))
            .merge(projects::routes::router(self.clone()))
            .merge(api_keys::routes::router(self.clone()))
            .merge(roles::routes::router(self.clone()))
            .merge(login::routes::router(self.clone()))
            .merge(login_sessions::routes::router(self.clone()))
            .merge(tokens::routes::router(self.clone()))
            .merge(token_issuers::routes::router(self.clone()))
            .merge(signing_keys::routes::router(self.clone()))
            .merge(erasures::routes::router(self.clone()))
            .merge(exports::routes::router(self.clone()))
    }

    /// Says where something of people may be. Once, before the first erasure.
    pub fn hold_places(&self, places: Places) {
        _ = self.places.set(places);
    }

    /// Says what an erasure waits for.
    pub fn follow_drain(&self, draining: Draining) {
        _ = self.draining.set(draining);
    }

    /// Where something of people may be.
    pub(crate) fn places(&self) -> Result<&Places> {
        self.places.get().ok_or_else(|| Error::internal("nobody said where something of people may be"))
    }

    /// The tenant whose operators manage the others.
    pub fn default_tenant(&self) -> Option<TenantId> {
        self.default_tenant.get().copied()
    }

    /// Where browsers and platforms reach this Loam, if that is configured.
    pub fn public_url(&self) -> Option<&str> {
        self.config.public_url.as_deref()
    }

    /// What a tenant may do, for what comes without a credential of a user or key; one that isn't there may do nothing.
    pub async fn tenant_status(&self, tenant: TenantId) -> Result<TenantStatus> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "authentication")).await?;
        let row = tenants::queries::get(&tx, tenant).await?;
        Ok(row.map_or(TenantStatus::Archived, |row| row.status))
    }

    /// Learns which tenant that is, if the first start has been.
    pub async fn learn_default_tenant(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "start")).await?;
        if let Some(tenant) = tenants::queries::oldest(&tx).await? {
            _ = self.default_tenant.set(tenant.id);
        }
        Ok(())
    }

    /// Refuses everybody but operators.
    pub(crate) fn require_operator(&self, scope: &Scope) -> Result<()> {
        if scope.is_operator() { Ok(()) } else { Err(Error::forbidden("operator")) }
    }
}
