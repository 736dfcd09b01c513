//! The second mechanism of tenant isolation on PostgreSQL: the login of tenants' transactions, and the signature of their
//! tenant.
//!
//! Row-level security depends on the role and the tenant of a transaction. Anybody who can execute SQL can set both, so by
//! themselves they protect against mistakes but not against SQL injection. Therefore tenants' transactions use a login that
//! is a member only of `loam_app`, and the tenant is accepted only with a signature, whose key the policies read and no
//! tenant's transaction can.

use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};
use tokio::time::timeout;

use loam_kernel::{TenantId, hex};

use crate::connect::Config;

/// The length of a statement that other connections of the same login can see, by default
/// (`track_activity_query_size`). A signature is placed after it.
const SHOWN_BYTES: usize = 1024;
/// Timeout for testing a login. One that PgBouncer or `pg_hba.conf` doesn't know is refused immediately.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(5);

/// The reach of injected SQL in a tenant's transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Limited to its tenant: the login of tenants' transactions can't switch to another role.
    Contained,
    /// All tenants: it could switch to `loam_system`. Contains the reason why there is no separate login.
    Open(String),
}

/// The pool and signing key of tenants' transactions.
pub(crate) struct TenantIsolation {
    /// The pool of the tenants' login; without such a login the system's pool.
    pub(crate) pool: PgPool,
    pub(crate) containment: Containment,
    secret: Vec<u8>,
    /// Padding that hides what follows it from other connections.
    padding: String,
}

impl TenantIsolation {
    /// Reads the key, and finds or creates the tenants' login.
    pub(crate) async fn connect(
        config: &Config,
        system: &PgPool,
        owner: &PgPool,
        url: &PgConnectOptions,
    ) -> Result<Self, sqlx::Error> {
        let mut tx = system.begin().await?;
        tx.execute("SET LOCAL ROLE loam_system").await?;
        let row = sqlx::raw_sql("SELECT secret, password, current_database()::text FROM tenant_wall")
            .fetch_one(&mut *tx)
            .await?;
        tx.rollback().await?;
        let (secret, password): (Vec<u8>, String) = (row.try_get(0)?, row.try_get(1)?);
        let name = login_of(row.try_get(2)?);
        let found = match config.tenant_url.as_deref() {
            Some(given) => match PgConnectOptions::from_str(given) {
                Ok(options) => {
                    let options = options.extra_float_digits(None).application_name("loam");
                    try_login(&options).await?.map(|()| options)
                }
                Err(e) => Err(format!("`database.tenant_url` is not a PostgreSQL URL: {e}")),
            },
            None => {
                let options = url.clone().username(&name).password(&password);
                connect_own_login(owner, &options, &name, &password).await?.map(|()| options)
            }
        };
        let (pool, containment) = match found {
            Ok(options) => {
                let pool = PgPoolOptions::new()
                    .max_connections(config.max_connections)
                    .acquire_timeout(Duration::from_secs(config.acquire_timeout));
                (pool.connect_lazy_with(options), Containment::Contained)
            }
            Err(why) => {
                tracing::warn!(
                    database.reason = why,
                    "tenants' transactions have no login of their own: row-level security holds up mistakes, but not an \
                     injected statement; see \"Two logins\" in docs/OPERATIONS.md"
                );
                (system.clone(), Containment::Open(why))
            }
        };
        let padding = format!("/*{:-<SHOWN_BYTES$}*/", "");
        Ok(Self { pool, containment, secret, padding })
    }

    /// The statements that put a transaction into a tenant.
    pub(crate) fn enter(&self, tenant: TenantId) -> String {
        format!(
            "SET LOCAL ROLE loam_app; {}SET LOCAL app.tenant = '{}'",
            self.padding,
            sign(&self.secret, tenant)
        )
    }
}

/// A tenant with its signature, as the view `loam_tenant` of the migrations checks it.
pub(crate) fn sign(secret: &[u8], tenant: TenantId) -> String {
    let tenant = tenant.to_string();
    let inner = Sha256::new().chain_update(secret).chain_update(&tenant).finalize();
    let outer = Sha256::new().chain_update(secret).chain_update(inner).finalize();
    format!("{tenant}.{}", hex(outer))
}

/// The name of the tenants' login. Logins belong to the cluster, so it is named after the database.
fn login_of(database: String) -> String {
    let name = format!("loam_tenants_{database}");
    if name.len() <= 63 {
        return name;
    }
    format!("loam_tenants_{}", hex(&Sha256::digest(database)[..16]))
}

/// The result of testing a login, with the reason if it can't be used.
type LoginCheck = Result<(), String>;

/// Connects with Loam's own login, and creates it if that fails.
async fn connect_own_login(
    owner: &PgPool,
    options: &PgConnectOptions,
    name: &str,
    password: &str,
) -> Result<LoginCheck, sqlx::Error> {
    let Err(first) = try_login(options).await? else { return Ok(Ok(())) };
    match create_login(owner, name, password).await {
        Ok(()) => try_login(options).await,
        Err(e) => Ok(Err(format!("{first}; and the owner can't create that login: {e}"))),
    }
}

async fn create_login(owner: &PgPool, name: &str, password: &str) -> Result<(), sqlx::Error> {
    let name = name.replace('"', "\"\"");
    // another node may create it at the same time
    let script = format!(
        "DO $$ BEGIN CREATE ROLE \"{name}\" LOGIN NOCREATEROLE NOCREATEDB; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
         ALTER ROLE \"{name}\" PASSWORD '{password}'; GRANT loam_app TO \"{name}\""
    );
    let mut connection = owner.acquire().await?;
    for attempt in 0.. {
        match connection.execute(AssertSqlSafe(script.as_str())).await {
            // "tuple concurrently updated" by the other node
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("XX000") && attempt < 5 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// Tests a login: whether it can connect, and has exactly the privileges of a tenant's transaction.
///
/// # Errors
/// When the server is unavailable, which says nothing about the login.
async fn try_login(options: &PgConnectOptions) -> Result<LoginCheck, sqlx::Error> {
    let name = options.get_username().to_owned();
    let connect = timeout(LOGIN_TIMEOUT, PgConnection::connect_with(options));
    let mut connection = match connect.await.map_err(|_| sqlx::Error::PoolTimedOut)? {
        Ok(connection) => connection,
        Err(e) if is_unavailable(&e) => return Err(e),
        Err(e) => return Ok(Err(format!("the login `{name}` can't be used: {e}"))),
    };
    let row = sqlx::raw_sql(PRIVILEGES).fetch_one(&mut connection).await?;
    let (too_much, enough): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    // PgBouncer may have mapped it to another user
    let who: String = row.try_get(2)?;
    _ = connection.close().await;
    Ok(match (too_much, enough) {
        (true, _) => Err(format!("the login `{who}` can take on more than `loam_app`")),
        (_, false) => Err(format!("the login `{who}` is not a member of `loam_app`")),
        _ => Ok(()),
    })
}

/// Queries whether a login has too many privileges, whether it has enough, and its name.
const PRIVILEGES: &str = "SELECT rolsuper OR rolbypassrls OR rolcreaterole \
     OR (SELECT bool_or(pg_has_role(session_user, oid, 'MEMBER')) FROM pg_roles WHERE rolname IN ('loam_system', \
     'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', \
     'pg_execute_server_program', 'pg_read_all_stats')) \
     OR (SELECT bool_or(pg_has_role(session_user, relowner, 'MEMBER')) FROM pg_class \
     WHERE relname = 'tenant_wall' AND relnamespace = 'public'::regnamespace), \
     pg_has_role(session_user, 'loam_app', 'MEMBER'), session_user::text FROM pg_roles WHERE rolname = session_user";

/// Whether the server is unavailable or full for any login. PgBouncer refuses an unknown login with a code of the class for
/// lost connections.
fn is_unavailable(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(e) => {
            e.code().is_some_and(|code| code.starts_with("57P") || code.starts_with("53"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_signature_is_of_one_tenant_and_one_key() {
        let tenant = |n| TenantId(Uuid::from_u128(n));
        let signed = sign(b"key", tenant(7));
        // the policies' view computes the same: this value is PostgreSQL's too
        let known = "00000000-0000-0000-0000-000000000007.\
                     94dff47c3fb0b21ad3eaf2c591ea15628fa318e76c0422ec4e227095d2ada818";
        assert_eq!(signed, known);
        let other = sign(b"key", tenant(8));
        assert_ne!(other.rsplit('.').next(), signed.rsplit('.').next());
        assert_ne!(sign(b"kez", tenant(7)), signed);
    }

    #[test]
    fn a_logins_name_fits() {
        assert_eq!(login_of("loam".to_owned()), "loam_tenants_loam");
        assert_eq!(login_of("x".repeat(63)).len(), 45);
        assert_ne!(login_of("x".repeat(63)), login_of("x".repeat(62)));
    }
}
