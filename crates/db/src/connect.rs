//! Opening a database, and beginning transactions on it.

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use loam_kernel::{Error, FairLimits, FairPermit, FairShare, Kind, Result, Scope, TenantId};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, PgPool, Row, SqlitePool};
use tokio::sync::{Mutex, OnceCell};

use crate::conn::{Conn, Naming};
use crate::error::{from_sqlx, is_transient_sqlx};
use crate::isolation::{Containment, TenantIsolation};
use crate::overwrite::mark_secure;
use crate::tx::{System, Tenant, Tx};

/// Configuration of the database.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host/name`; without it an SQLite file in the data folder. Behind PgBouncer in
    /// transaction mode add `?statement-cache-capacity=0`.
    pub url: Option<String>,
    /// The owner's URL for migrations, where `url` names a login that is only a member of `loam_app` and `loam_system`.
    pub owner_url: Option<String>,
    /// The URL for tenants' transactions, of a login that is a member only of `loam_app`. By default Loam creates such a
    /// login if the owner may create roles.
    pub tenant_url: Option<String>,
    /// Connections to PostgreSQL for tenants' transactions, and as many at most for the instance's own; or readers of the
    /// SQLite file. One tenant has at most half of them; on SQLite at most as many as there are processors, and two at
    /// least.
    pub max_connections: u32,
    /// Seconds to wait for a free connection before a request fails with `Retry-After`.
    pub acquire_timeout: u64,
    /// Timeout of a statement on PostgreSQL in seconds.
    pub statement_timeout: u64,
    /// Number of retries for beginning a transaction after a transient failure.
    pub retries: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            owner_url: None,
            tenant_url: None,
            max_connections: 8,
            acquire_timeout: 5,
            statement_timeout: 30,
            retries: 3,
        }
    }
}

/// The two databases that Loam runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The embedded one.
    Sqlite,
    /// PostgreSQL 14 or newer.
    Postgres,
}

impl FromStr for Dialect {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" => Ok(Self::Postgres),
            _ => Err(Error::invalid("dialect", "must be `sqlite` or `postgres`")),
        }
    }
}

/// A database. Cheap to clone.
#[derive(Clone)]
pub struct Db {
    pub(crate) pools: Pools,
    config: Arc<Config>,
    shares: Shares,
}

/// The connections, shared among tenants.
#[derive(Clone)]
struct Shares {
    /// PostgreSQL's, or SQLite's readers.
    connections: FairShare,
    /// SQLite's one writer.
    writer: FairShare,
}

/// Maximum number of waiting transactions per tenant, which only bounds memory, as each waits for a few seconds.
const WAITING: usize = 4096;

impl Shares {
    fn new(config: &Config) -> Self {
        let units = usize::try_from(config.max_connections).unwrap_or(usize::MAX).max(1);
        let timeout = Duration::from_secs(config.acquire_timeout);
        let share = |units, each| FairShare::new(FairLimits { units, each, waiting: WAITING, timeout });
        // an SQLite reader computes in this process: more readers than processors would only wait for each other
        let each = match config.url {
            None => {
                (units - units / 4).min(std::thread::available_parallelism().map_or(2, usize::from).max(2))
            }
            Some(_) => units.div_ceil(2),
        };
        Self { connections: share(units, each), writer: share(1, 1) }
    }
}

#[derive(Clone)]
pub(crate) enum Pools {
    /// Exactly one writer, so that `database is locked` can't happen within the process, and several readers.
    Sqlite { writer: SqlitePool, readers: SqlitePool },
    Postgres {
        /// The pool of system transactions, which see every tenant.
        pool: PgPool,
        owner: PgPool,
        naming: Naming,
        /// The login of `pool`.
        login: Arc<PgConnectOptions>,
        /// The pool of tenants' transactions, initialised by the first one.
        isolation: Arc<OnceCell<TenantIsolation>>,
    },
}

/// Usage of a pool, for `/metrics`.
#[derive(Clone, Debug, Serialize)]
pub struct PoolUse {
    /// `writer`, `readers`, `postgres` or `tenants`.
    pub name: &'static str,
    /// Open connections.
    pub open: u32,
    /// Idle connections.
    pub idle: usize,
    /// Maximum number of connections.
    pub max: u32,
}

impl Db {
    /// Connects. An SQLite file is created in `data` if there is none; migrations are not applied.
    pub async fn connect(config: &Config, data: &Path) -> Result<Self> {
        let pools = match config.url.as_deref() {
            None => open_sqlite(config, &data.join("loam.db")).await?,
            Some(url) if url.starts_with("postgres://") || url.starts_with("postgresql://") => {
                open_postgres(config, url).await?
            }
            Some(_) => return Err(Error::invalid("database.url", "must begin with `postgres://`")),
        };
        Ok(Self { pools, config: Arc::new(config.clone()), shares: Shares::new(config) })
    }

    /// A database that never connects, for building the routes of the API document.
    pub fn unconnected() -> Self {
        let pool = || SqlitePoolOptions::new().connect_lazy_with(SqliteConnectOptions::new().in_memory(true));
        let config = Config::default();
        let (pools, shares) = (Pools::Sqlite { writer: pool(), readers: pool() }, Shares::new(&config));
        Self { pools, config: Arc::new(config), shares }
    }

    /// Whether no other process writes to it while this server runs: the embedded database.
    pub fn is_embedded(&self) -> bool {
        self.dialect() == Dialect::Sqlite
    }

    /// Which database this is.
    pub fn dialect(&self) -> Dialect {
        match self.pools {
            Pools::Sqlite { .. } => Dialect::Sqlite,
            Pools::Postgres { .. } => Dialect::Postgres,
        }
    }

    /// Begins a transaction that only reads, within the tenant of the scope.
    pub async fn read(&self, scope: &Scope) -> Result<Tx<Tenant>> {
        Ok(Tx::new(self.begin(Role::Tenant(scope.tenant()), false).await?, scope))
    }

    /// Begins a transaction that writes, within the tenant of the scope.
    pub async fn write(&self, scope: &Scope) -> Result<Tx<Tenant>> {
        let tx = Tx::new(self.begin(Role::Tenant(scope.tenant()), true).await?, scope);
        tx.claim_idempotency().await?;
        Ok(tx)
    }

    /// Begins a read transaction that sees every tenant. Only for looking up credentials, instance-wide lists for operators,
    /// jobs and the drainer.
    pub async fn system_read(&self, scope: &Scope) -> Result<Tx<System>> {
        Ok(Tx::new(self.begin(Role::System, false).await?, scope))
    }

    /// Begins a writing transaction that sees every tenant; see [`Db::system_read`].
    pub async fn system_write(&self, scope: &Scope) -> Result<Tx<System>> {
        let tx = Tx::new(self.begin(Role::System, true).await?, scope);
        tx.claim_idempotency().await?;
        Ok(tx)
    }

    async fn begin(&self, role: Role, write: bool) -> Result<(Conn, Option<FairPermit>)> {
        let share = self.share(role, write).await.map_err(from_sqlx)?;
        let mut pause = Duration::from_millis(50);
        for _ in 0..self.config.retries {
            match self.try_begin(role, write).await {
                // an exhausted pool fails immediately: a retry would only lengthen the queue
                Err(e) if is_transient_sqlx(&e) && !matches!(e, sqlx::Error::PoolTimedOut) => {
                    tracing::debug!(error = %e, "beginning a transaction failed; trying again");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                other => return other.map(|conn| (conn, share)).map_err(from_sqlx),
            }
        }
        self.try_begin(role, write).await.map(|conn| (conn, share)).map_err(from_sqlx)
    }

    /// The tenant's permit for a connection. On PostgreSQL the system has its own connections.
    async fn share(&self, role: Role, write: bool) -> Result<Option<FairPermit>, sqlx::Error> {
        let (share, tenant) = match (&self.pools, role) {
            (Pools::Postgres { .. }, Role::System) => return Ok(None),
            (Pools::Sqlite { .. }, _) if write => (&self.shares.writer, role.tenant()),
            _ => (&self.shares.connections, role.tenant()),
        };
        share.acquire(tenant).await.map(Some).map_err(|_| sqlx::Error::PoolTimedOut)
    }

    async fn try_begin(&self, role: Role, write: bool) -> Result<Conn, sqlx::Error> {
        match &self.pools {
            Pools::Sqlite { writer, .. } if write => {
                Ok(Conn::Sqlite(Mutex::new(writer.begin_with("BEGIN IMMEDIATE").await?)))
            }
            Pools::Sqlite { readers, .. } => {
                Ok(Conn::Sqlite(Mutex::new(readers.begin_with("BEGIN DEFERRED").await?)))
            }
            Pools::Postgres { pool, naming, .. } => {
                let mode = if write { "" } else { " READ ONLY" };
                let (pool, enter) = match role {
                    Role::System => (pool, "SET LOCAL ROLE loam_system".to_owned()),
                    Role::Tenant(tenant) => {
                        let isolation = self.isolation().await?;
                        (&isolation.pool, isolation.enter(tenant))
                    }
                };
                // a single message: a round trip for each would cost more than the statement itself
                let begin = format!(
                    "BEGIN{mode}; SET LOCAL statement_timeout = '{}s'; {enter}",
                    self.config.statement_timeout
                );
                Ok(Conn::Postgres(Mutex::new(pool.begin_with(AssertSqlSafe(begin)).await?), *naming))
            }
        }
    }

    async fn isolation(&self) -> Result<&TenantIsolation, sqlx::Error> {
        match &self.pools {
            Pools::Postgres { pool, owner, login, isolation, .. } => {
                isolation.get_or_try_init(|| TenantIsolation::connect(&self.config, pool, owner, login)).await
            }
            Pools::Sqlite { .. } => Err(sqlx::Error::BeginFailed),
        }
    }

    /// The containment of injected SQL on PostgreSQL; none on SQLite, which has no roles.
    pub async fn containment(&self) -> Result<Option<Containment>> {
        match &self.pools {
            Pools::Sqlite { .. } => Ok(None),
            Pools::Postgres { .. } => {
                self.isolation().await.map(|isolation| Some(isolation.containment.clone())).map_err(from_sqlx)
            }
        }
    }

    /// The number of transactions that wait for SQLite's writer; always 0 on PostgreSQL.
    pub fn writers_waiting(&self) -> usize {
        self.shares.writer.usage().waiting
    }

    /// Usage of the pools.
    pub fn pool_use(&self) -> Vec<PoolUse> {
        let max = self.config.max_connections;
        match &self.pools {
            Pools::Sqlite { writer, readers } => vec![
                PoolUse { name: "writer", open: writer.size(), idle: writer.num_idle(), max: 1 },
                PoolUse { name: "readers", open: readers.size(), idle: readers.num_idle(), max },
            ],
            Pools::Postgres { pool, isolation, .. } => {
                let usage =
                    |name, pool: &PgPool| PoolUse { name, open: pool.size(), idle: pool.num_idle(), max };
                let own = isolation.get().filter(|isolation| isolation.containment == Containment::Contained);
                std::iter::once(usage("postgres", pool))
                    .chain(own.map(|isolation| usage("tenants", &isolation.pool)))
                    .collect()
            }
        }
    }

    /// Checks that the database is available.
    pub async fn ping(&self) -> Result<()> {
        // not prepared, here and below: outside of a transaction PgBouncer may execute it on another connection than it was
        // prepared on
        match &self.pools {
            Pools::Sqlite { readers, .. } => sqlx::raw_sql("SELECT 1").execute(readers).await.map(drop),
            Pools::Postgres { pool, .. } => sqlx::raw_sql("SELECT 1").execute(pool).await.map(drop),
        }
        .map_err(from_sqlx)
    }

    /// The size of the database in bytes.
    pub async fn size_bytes(&self) -> Result<i64> {
        match &self.pools {
            Pools::Sqlite { readers, .. } => {
                let sql = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()";
                sqlx::query_scalar(sql).fetch_one(readers).await
            }
            Pools::Postgres { pool, .. } => {
                let sql = "SELECT pg_database_size(current_database())";
                sqlx::raw_sql(sql).fetch_one(pool).await.and_then(|row| row.try_get(0))
            }
        }
        .map_err(from_sqlx)
    }

    /// Closes every connection; an SQLite file is left fully checkpointed.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres { pool, owner, isolation, .. } => {
                if let Some(isolation) = isolation.get() {
                    isolation.pool.close().await;
                }
                pool.close().await;
                owner.close().await;
            }
        }
    }
}

/// The role of a transaction.
#[derive(Clone, Copy)]
enum Role {
    Tenant(TenantId),
    System,
}

impl Role {
    /// The tenant whose share it uses.
    fn tenant(self) -> TenantId {
        match self {
            Self::Tenant(tenant) => tenant,
            Self::System => TenantId::NIL,
        }
    }
}

async fn open_sqlite(config: &Config, path: &Path) -> Result<Pools> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // large enough for a batch of the drainer, so that its pages are written once; memory is allocated on demand
        .pragma("cache_size", "-16384")
        .pragma("wal_autocheckpoint", "4000")
        // deleted data is overwritten with zeros, also in free pages, which `FAST` would skip
        .pragma("secure_delete", "ON")
        // another process, such as the command line, may hold the write lock for a moment
        .busy_timeout(Duration::from_secs(config.acquire_timeout));
    let timeout = Duration::from_secs(config.acquire_timeout);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .min_connections(1)
        .acquire_timeout(timeout)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone().create_if_missing(true))
        .await
        .map_err(|e| cannot_open(path, e))?;
    let objects: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema")
        .fetch_one(&writer)
        .await
        .map_err(|e| cannot_open(path, e))?;
    if objects == 0 {
        mark_secure(&writer).await.map_err(|e| cannot_open(path, e))?;
    }
    let readers = SqlitePoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(timeout)
        .connect_lazy_with(options.read_only(true));
    Ok(Pools::Sqlite { writer, readers })
}

fn cannot_open(path: &Path, error: sqlx::Error) -> Error {
    Error::new(Kind::Unavailable, "database_unavailable", format!("cannot open {}: {error}", path.display()))
        .with_source(error)
}

async fn open_postgres(config: &Config, url: &str) -> Result<Pools> {
    let parse = |url: &str, param: &str| {
        PgConnectOptions::from_str(url)
            // not needed since PostgreSQL 12, and PgBouncer rejects it
            .map(|options| options.extra_float_digits(None).application_name("loam"))
            .map_err(|e| Error::invalid(param, format!("is not a PostgreSQL URL: {e}")))
    };
    let timeout = Duration::from_secs(config.acquire_timeout);
    let login = parse(url, "database.url")?;
    if let Some(url) = &config.tenant_url {
        parse(url, "database.tenant_url")?;
    }
    let pool = PgPoolOptions::new()
        .max_connections(config.max_connections)
        .acquire_timeout(timeout)
        .connect_lazy_with(login.clone());
    let owner_url = config.owner_url.as_deref().unwrap_or(url);
    // two, as one holds the migration lock while the other migrates; none is kept open afterwards
    let owner = PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(timeout)
        .idle_timeout(Duration::from_secs(10))
        .connect_lazy_with(parse(owner_url, "database.owner_url")?);
    // sqlx names statements even with a cache capacity of 0
    let naming = if url.contains("statement-cache-capacity=0") { Naming::Unnamed } else { Naming::Named };
    Ok(Pools::Postgres { pool, owner, naming, login: Arc::new(login), isolation: Arc::default() })
}
