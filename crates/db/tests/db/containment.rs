//! An injected statement: whatever a tenant's transaction could be made to run on PostgreSQL stays within the tenant.

use std::str::FromStr;

use loam_db::{Config, Containment, Db};
use loam_testkit::{Database, Raw};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::kit::{ACME, OTHER, scope};
use crate::rls::{bed, signed};

/// A connection as a tenant's transaction has it, in ACME.
struct Injected {
    raw: Raw,
    /// ACME's signature, and OTHER's, which an attacker doesn't have.
    acme: String,
    other: String,
}

async fn inject(bed: &Database) -> Injected {
    assert_eq!(bed.db.containment().await.unwrap(), Some(Containment::Contained));
    let mut owner = bed.raw().await;
    let (acme, other) = (signed(&mut owner, ACME).await, signed(&mut owner, OTHER).await);
    let password = owner.texts("SELECT password FROM tenant_wall").await.remove(0);
    let name = owner.texts("SELECT 'loam_tenants_' || current_database()").await.remove(0);
    let options = PgConnectOptions::from_str(bed.config.url.as_deref().unwrap()).unwrap();
    let options = options.username(&name).password(&password);
    let mut raw = Raw::Postgres(PgConnection::connect_with(&options).await.unwrap());
    raw.run(format!("BEGIN; SET LOCAL ROLE loam_app; SET LOCAL app.tenant = '{acme}'")).await;
    Injected { raw, acme, other }
}

const ROWS: &str = "SELECT tenant_id::text FROM change_notices UNION ALL SELECT tenant_id::text FROM llm_calls \
                    UNION ALL SELECT id::text FROM tenants";

#[tokio::test]
async fn another_tenants_rows_stay_out_of_reach() {
    let bed = bed().await;
    let Injected { mut raw, .. } = inject(&bed).await;
    assert_eq!(raw.texts(ROWS).await, [ACME.to_string(), ACME.to_string(), ACME.to_string()]);
    let owner =
        bed.raw().await.texts("SELECT tableowner::text FROM pg_tables WHERE tablename = 'tenant_wall'").await;
    let mac = inject(&bed).await.acme.split_once('.').unwrap().1.to_owned();
    let attempts = [
        "SELECT 1".to_owned(),
        "RESET ROLE".to_owned(),
        "SET ROLE NONE".to_owned(),
        "SELECT set_config('role', 'none', true)".to_owned(),
        "SET ROLE loam_system".to_owned(),
        "RESET ROLE; SET ROLE loam_system".to_owned(),
        "SELECT set_config('role', 'loam_system', true)".to_owned(),
        "RESET ROLE; SELECT set_config('role', 'loam_system', false)".to_owned(),
        format!("SET ROLE {}", owner[0]),
        format!("SET SESSION AUTHORIZATION {}", owner[0]),
        "SET SESSION AUTHORIZATION loam_system".to_owned(),
        "RESET SESSION AUTHORIZATION".to_owned(),
        "GRANT loam_system TO CURRENT_USER".to_owned(),
        "RESET ROLE; GRANT loam_system TO SESSION_USER".to_owned(),
        "ALTER ROLE loam_app BYPASSRLS".to_owned(),
        // the tenant itself
        format!("SELECT set_config('app.tenant', '{OTHER}', true)"),
        format!("SELECT set_config('app.tenant', '{OTHER}.{mac}', true)"),
        format!("SELECT set_config('app.tenant', '{ACME}.{mac}.{OTHER}', true)"),
        format!("SELECT set_config('app.tenant_id', '{OTHER}', true)"),
        format!("SET app.tenant = '{OTHER}.'"),
        "RESET app.tenant".to_owned(),
        "SELECT secret::text FROM tenant_wall".to_owned(),
        "RESET ROLE; SELECT password FROM tenant_wall".to_owned(),
        // the policies
        "SET row_security = off".to_owned(),
        "ALTER TABLE change_notices DISABLE ROW LEVEL SECURITY".to_owned(),
        "DROP POLICY tenant ON change_notices".to_owned(),
        format!("CREATE OR REPLACE VIEW loam_tenant AS SELECT '{OTHER}'::uuid AS id"),
        "ALTER VIEW loam_tenant OWNER TO CURRENT_USER".to_owned(),
        "SELECT id::text FROM loam_tenant FOR UPDATE".to_owned(),
        format!("UPDATE loam_tenant SET id = '{OTHER}'"),
        // a function of another schema before PostgreSQL's own
        "CREATE SCHEMA mine".to_owned(),
        "CREATE FUNCTION public.sha256(bytea) RETURNS bytea LANGUAGE sql AS 'SELECT null::bytea'".to_owned(),
        "CREATE TEMP TABLE change_notices (tenant_id uuid)".to_owned(),
        // around SQL
        "COPY change_notices TO PROGRAM 'cat'".to_owned(),
        "SELECT pg_read_file('PG_VERSION')".to_owned(),
        "SELECT lo_import('/etc/passwd')".to_owned(),
        "SELECT rolpassword FROM pg_authid".to_owned(),
    ];
    for attempt in attempts {
        let Injected { mut raw, .. } = inject(&bed).await;
        // refused outright, or of no use
        if raw.try_run(attempt.as_str()).await.is_ok() {
            match raw.try_texts(ROWS).await {
                Ok(seen) => assert!(seen.iter().all(|row| *row == ACME.to_string()), "{attempt}: {seen:?}"),
                Err(said) => assert!(
                    said.contains("not signed")
                        || said.contains("row-level security")
                        || said.contains("permission denied"),
                    "{attempt}: {said}"
                ),
            }
        }
    }
    // and with a signature it is let in, so the attempts above failed for want of it
    let Injected { mut raw, other, .. } = inject(&bed).await;
    raw.run(format!("SET LOCAL app.tenant = '{other}'")).await;
    assert_eq!(raw.texts(ROWS).await, [OTHER.to_string(), OTHER.to_string(), OTHER.to_string()]);
}

#[tokio::test]
async fn a_partition_is_no_way_round() {
    let bed = bed().await;
    let partitions = bed
        .raw()
        .await
        .texts("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
        .await;
    assert!(!partitions.is_empty());
    for partition in partitions {
        for role in ["loam_app", "NONE"] {
            let Injected { mut raw, .. } = inject(&bed).await;
            raw.run(format!("SET LOCAL ROLE {role}")).await;
            let said = raw.try_texts(format!("SELECT tenant_id::text FROM {partition}")).await.unwrap_err();
            assert!(said.contains("permission denied"), "{partition}: {said}");
        }
    }
}

#[tokio::test]
async fn the_signatures_of_others_cannot_be_watched() {
    let bed = bed().await;
    let Injected { mut raw, other, .. } = inject(&bed).await;
    // begun and nothing after it, so that this is the statement that is shown
    let watched = bed.db.read(&scope(OTHER)).await.unwrap();
    let all = "SELECT query FROM pg_stat_activity WHERE usename = session_user AND pid <> pg_backend_pid()";
    raw.run("RESET ROLE").await;
    let seen = raw.texts(all).await;
    assert!(seen.iter().any(|query| query.starts_with("BEGIN READ ONLY")), "{seen:?}");
    let mac = other.split_once('.').unwrap().1;
    assert!(seen.iter().all(|query| !query.contains(mac) && !query.contains(&OTHER.to_string())), "{seen:?}");
    drop(watched);
}

#[tokio::test]
async fn what_a_session_was_left_with_does_not_reach_the_next_tenant() {
    let bed = bed().await;
    let Injected { mut raw, acme, other } = inject(&bed).await;
    raw.run(format!("SET ROLE NONE; SET app.tenant = '{acme}'; COMMIT")).await;
    raw.run(format!("BEGIN; SET LOCAL ROLE loam_app; SET LOCAL app.tenant = '{other}'")).await;
    assert_eq!(raw.texts(ROWS).await, [OTHER.to_string(), OTHER.to_string(), OTHER.to_string()]);
}

#[tokio::test]
async fn without_a_login_of_its_own_it_works_and_says_so() {
    let bed = bed().await;
    let mut owner = bed.raw().await;
    let name = owner.texts("SELECT 'plain_' || current_database()").await.remove(0);
    owner.run(format!("CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE loam_app, loam_system")).await;
    let superuser = bed.config.url.clone().unwrap();
    let plain = superuser.replacen("postgres@", &format!("{name}:x@"), 1);
    let open = |config: Config| async move {
        let db = Db::connect(&config, bed_folder()).await.unwrap();
        let containment = db.containment().await.unwrap().unwrap();
        db.read(&scope(ACME)).await.unwrap().commit().await.unwrap();
        db.close().await;
        containment
    };
    // nobody has made the login in this database yet, and this one may not
    let config = Config { url: Some(plain.clone()), ..Config::default() };
    let Containment::Open(why) = open(config).await else { panic!("contained by itself") };
    assert!(why.contains("can't create that login"), "{why}");
    // one that could do more contains nothing
    let config =
        Config { url: Some(plain.clone()), tenant_url: Some(superuser.clone()), ..Config::default() };
    let Containment::Open(why) = open(config).await else { panic!("contained by a superuser") };
    assert!(why.contains("more than `loam_app`"), "{why}");
    // the owner makes it, and from then on nobody needs the owner
    let config = Config { url: Some(plain.clone()), owner_url: Some(superuser), ..Config::default() };
    assert_eq!(open(config).await, Containment::Contained);
    let config = Config { url: Some(plain.clone()), ..Config::default() };
    assert_eq!(open(config).await, Containment::Contained);
    // a login made by hand
    owner.run(format!("CREATE ROLE {name}_tenants LOGIN PASSWORD 'y' IN ROLE loam_app")).await;
    let own = plain.replacen(&format!("{name}:x@"), &format!("{name}_tenants:y@"), 1);
    let config = Config { url: Some(plain), tenant_url: Some(own), ..Config::default() };
    assert_eq!(open(config).await, Containment::Contained);
}

/// PostgreSQL needs no folder.
fn bed_folder() -> &'static std::path::Path {
    std::path::Path::new("/nonexistent")
}
