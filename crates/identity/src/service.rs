//! The handle of this crate.

use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use loam_db::Db;
use loam_http::client::Client;
use loam_kernel::{Clock, Error, ProjectId, Result, Scope, TenantId};
use loam_platform::changes::Changes;
use loam_platform::notices::Notices;
use loam_platform::personal::Guard;
use loam_platform::seal::Keyring;

use crate::erasures::{DataLocations, DrainProgress};
use crate::login::Throttle;
use crate::operator_access::AuditedAccess;
use crate::password::Passwords;
use crate::projects::directory::Directory;
use crate::signing_keys::SigningKeys;
use crate::tenants::entity::TenantStatus;
use crate::token_issuers::Issuers;
use crate::user_preferences::service::Preferences;
use crate::users::end_user::EndUsers;
use crate::{Config, tenants};

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
    /// When the highest cost of imported hashes was last queried, in seconds since 1970.
    pub(crate) costliest_read: Arc<AtomicI64>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) signing_keys: SigningKeys,
    pub(crate) issuers: Issuers,
    pub(crate) preferences: Preferences,
    pub(crate) directory: Directory,
    pub(crate) end_users: EndUsers,
    pub(crate) recorded: Arc<AuditedAccess>,
    /// The default tenant, whose operators manage the others; set after the first start.
    pub(crate) default_tenant: Arc<OnceLock<TenantId>>,
    /// The locations of personal data.
    data_locations: Arc<OnceLock<DataLocations>>,
    /// The drain progress that an erasure waits for; none on the command line.
    pub(crate) drain_progress: Arc<OnceLock<DrainProgress>>,
    /// Whether a project's requests can be analysed automatically.
    auto_analysis_check: Arc<OnceLock<AutoAnalysisCheck>>,
    /// The digests of erased subjects.
    pub(crate) guard: Guard,
}

/// Fails, with the reason, when a project's requests can't be analysed automatically.
pub type AutoAnalysisCheck = Box<dyn Fn(TenantId, ProjectId) -> Result<()> + Send + Sync>;

/// The dependencies of [`Identity`].
pub struct Parts {
    /// The database.
    pub db: Db,
    /// Time and ids.
    pub clock: Clock,
    /// Notices of change.
    pub notices: Notices,
    /// The master keys, for signing keys and issuers' secrets.
    pub keyring: Keyring,
    /// The HTTP client, for issuers' public keys.
    pub client: Client,
    /// The validated configuration.
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
            data_locations: Arc::default(),
            drain_progress: Arc::default(),
            auto_analysis_check: Arc::default(),
            guard: Guard::new(keyring.clone()),
            config: Arc::new(config),
            db,
            clock,
            notices,
            keyring,
        }
    }

    /// Sets the locations of personal data. Called once, before the first erasure.
    pub fn set_data_locations(&self, data_locations: DataLocations) {
        _ = self.data_locations.set(data_locations);
    }

    /// Sets the drain progress that an erasure waits for.
    pub fn set_drain_progress(&self, drain_progress: DrainProgress) {
        _ = self.drain_progress.set(drain_progress);
    }

    /// Sets the check of whether a project's requests can be analysed automatically.
    pub fn set_auto_analysis_check(&self, check: AutoAnalysisCheck) {
        _ = self.auto_analysis_check.set(check);
    }

    /// Rejects `auto_analysis` for a project whose requests can't be analysed.
    pub(crate) fn check_auto_analysis(&self, tenant: TenantId, project: ProjectId) -> Result<()> {
        self.auto_analysis_check.get().map_or(Ok(()), |check| check(tenant, project))
    }

    /// The locations of personal data.
    pub(crate) fn data_locations(&self) -> Result<&DataLocations> {
        self.data_locations.get().ok_or_else(|| Error::internal("the locations of personal data are not set"))
    }

    /// The default tenant, whose operators manage the others.
    pub fn default_tenant(&self) -> Option<TenantId> {
        self.default_tenant.get().copied()
    }

    /// The configured URL at which browsers and platforms reach this server.
    pub fn public_url(&self) -> Option<&str> {
        self.config.public_url.as_deref()
    }

    /// The status of a tenant, for requests without a user's or key's credential; an unknown tenant counts as archived.
    pub async fn tenant_status(&self, tenant: TenantId) -> Result<TenantStatus> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "authentication")).await?;
        let row = tenants::queries::get(&tx, tenant).await?;
        Ok(row.map_or(TenantStatus::Archived, |row| row.status))
    }

    /// Loads the id of the default tenant, if the first start has happened.
    pub async fn learn_default_tenant(&self) -> Result<()> {
        let tx = self.db.system_read(&Scope::system(TenantId::NIL, "start")).await?;
        if let Some(tenant) = tenants::queries::oldest(&tx).await? {
            _ = self.default_tenant.set(tenant.id);
        }
        Ok(())
    }

    /// Rejects everybody but operators.
    pub(crate) fn require_operator(&self, scope: &Scope) -> Result<()> {
        if scope.is_operator() { Ok(()) } else { Err(Error::forbidden("operator")) }
    }
}
