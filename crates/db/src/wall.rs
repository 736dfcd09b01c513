//! The second wall on PostgreSQL: the login that tenants' transactions connect by, and the signature that says which
//! tenant they are in.
//!
//! Row-level security asks for the role and the tenant of a transaction. Both can be set by whoever can run SQL, so by
//! themselves they would hold up a mistake but no attack. Here they can't be: tenants' transactions connect by a login
//! that is a member of `loam_app` and nothing else, and the tenant counts only with a signature of it, whose key the
//! policies look up and no tenant's transaction can read.

use std::str::FromStr;
use std::time::Duration;

use sha2::{Digest, Sha256};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Row};
use tokio::time::timeout;

use loam_kernel::TenantId;

use crate::connect::Config;

/// What the other connections of the same login show of a statement, unless the server is set to show more
/// (`track_activity_query_size`). A signature stands behind it.
const SHOWN: usize = 1024;
/// How long a login is tried for. One that PgBouncer or `pg_hba.conf` doesn't know is refused at once.
const TRIAL: Duration = Duration::from_secs(5);

/// How far an injected statement of a tenant's would come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Containment {
    /// Not beyond its tenant: the login of tenants' transactions can take on no other role.
    Contained,
    /// To every tenant: it could take on `loam_system`. Says why there is no login of its own.
    Open(String),
}

/// What tenants' transactions need.
pub(crate) struct Wall {
    /// By the tenants' login; where there is none the same as the system's.
    pub(crate) pool: PgPool,
    pub(crate) containment: Containment,
    secret: Vec<u8>,
    /// Hides what follows it from the other connections.
    padding: String,
}

impl Wall {
    /// Reads the key, and finds the tenants' login or makes it.
    pub(crate) async fn raise(
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
                made_login(owner, &options, &name, &password).await?.map(|()| options)
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
        let padding = format!("/*{:-<SHOWN$}*/", "");
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
    outer.iter().fold(tenant + ".", |signed, byte| signed + &format!("{byte:02x}"))
}

/// The login of a database's tenants. Logins belong to the cluster, so it is named after the database.
fn login_of(database: String) -> String {
    let name = format!("loam_tenants_{database}");
    if name.len() <= 63 {
        return name;
    }
    let digest = Sha256::digest(database);
    digest.iter().take(16).fold("loam_tenants_".to_owned(), |name, byte| name + &format!("{byte:02x}"))
}

/// What came of trying a login: why it can't serve.
type Tried = Result<(), String>;

/// Connects by the login that Loam makes itself, and makes it if that fails.
async fn made_login(
    owner: &PgPool,
    options: &PgConnectOptions,
    name: &str,
    password: &str,
) -> Result<Tried, sqlx::Error> {
    let Err(first) = try_login(options).await? else { return Ok(Ok(())) };
    match make_login(owner, name, password).await {
        Ok(()) => try_login(options).await,
        Err(e) => Ok(Err(format!("{first}; and the owner can't make that login: {e}"))),
    }
}

async fn make_login(owner: &PgPool, name: &str, password: &str) -> Result<(), sqlx::Error> {
    let name = name.replace('"', "\"\"");
    // another node may make it at the same time
    let script = format!(
        "DO $$ BEGIN CREATE ROLE \"{name}\" LOGIN NOCREATEROLE NOCREATEDB; \
         EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$; \
         ALTER ROLE \"{name}\" PASSWORD '{password}'; GRANT loam_app TO \"{name}\""
    );
    let mut connection = owner.acquire().await?;
    for attempt in 0.. {
        match connection.execute(AssertSqlSafe(script.as_str())).await {
            // "tuple concurrently updated" by that other node
            Err(sqlx::Error::Database(e)) if e.code().as_deref() == Some("XX000") && attempt < 5 => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other.map(drop),
        }
    }
    Ok(())
}

/// Whether one can connect so, and can do no more then than a tenant's transaction may.
///
/// # Errors
/// When nobody can connect at the moment, which says nothing about the login.
async fn try_login(options: &PgConnectOptions) -> Result<Tried, sqlx::Error> {
    let name = options.get_username().to_owned();
    let connect = timeout(TRIAL, PgConnection::connect_with(options));
    let mut connection = match connect.await.map_err(|_| sqlx::Error::PoolTimedOut)? {
        Ok(connection) => connection,
        Err(e) if is_away(&e) => return Err(e),
        Err(e) => return Ok(Err(format!("the login `{name}` can't be used: {e}"))),
    };
    let row = sqlx::raw_sql(POWERS).fetch_one(&mut connection).await?;
    let (too_much, enough): (bool, bool) = (row.try_get(0)?, row.try_get(1)?);
    // PgBouncer may have made somebody else of it
    let who: String = row.try_get(2)?;
    _ = connection.close().await;
    Ok(match (too_much, enough) {
        (true, _) => Err(format!("the login `{who}` can take on more than `loam_app`")),
        (_, false) => Err(format!("the login `{who}` is not a member of `loam_app`")),
        _ => Ok(()),
    })
}

/// Whether a login can do more than it should, and as much as it should; and which it is.
const POWERS: &str = "SELECT rolsuper OR rolbypassrls OR rolcreaterole \
     OR (SELECT bool_or(pg_has_role(session_user, oid, 'MEMBER')) FROM pg_roles WHERE rolname IN ('loam_system', \
     'pg_read_all_data', 'pg_write_all_data', 'pg_read_server_files', 'pg_write_server_files', \
     'pg_execute_server_program', 'pg_read_all_stats')) \
     OR (SELECT bool_or(pg_has_role(session_user, relowner, 'MEMBER')) FROM pg_class \
     WHERE relname = 'tenant_wall' AND relnamespace = 'public'::regnamespace), \
     pg_has_role(session_user, 'loam_app', 'MEMBER'), session_user::text FROM pg_roles WHERE rolname = session_user";

/// Whether the server is away or full, for whoever it may be. PgBouncer refuses an unknown login by a code of lost
/// connections.
fn is_away(error: &sqlx::Error) -> bool {
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
