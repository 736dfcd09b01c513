//! The second wall, without the first: raw SQL under the roles that Loam acts as, with the tenant's filter left out.

use loam_db::OnConflict::Fail;
use loam_kernel::{Clock, TenantId};
use loam_testkit::{Database, Raw};

use crate::kit::{ACME, OTHER, empty_call, note, scope, write_calls, write_notes};

/// Tables of the instance, which no tenant may read.
pub(crate) const SYSTEM_TABLES: [&str; 1] = ["journal_checkpoints"];

/// A database with a note and a call of each of two tenants.
pub(crate) async fn bed() -> Database {
    let bed = Database::postgres().await;
    let now = Clock::system().now();
    bed.db.ensure_partitions(&scope(TenantId::NIL), now).await.unwrap();
    write_notes(&bed.db, &[note(ACME, "mine"), note(OTHER, "theirs")]).await;
    write_calls(&bed.db, &[empty_call(ACME, now), empty_call(OTHER, now)], Fail).await.unwrap();
    let tenants: Vec<String> = [ACME, OTHER]
        .iter()
        .map(|id| format!("('{id}', 's-{id}', 'n', 'active', '{{}}', '{{}}', '{{}}', now(), now())"))
        .collect();
    let sql = "INSERT INTO tenants (id, slug, name, status, quotas, settings, metadata, created_at, updated_at) VALUES ";
    bed.raw().await.run(sql.to_owned() + &tenants.join(", ")).await;
    bed
}

/// A transaction such as the data layer begins, but for what follows.
async fn begin(bed: &Database, role: &str, tenant: Option<TenantId>) -> Raw {
    let mut raw = bed.raw().await;
    let signed = match tenant {
        Some(tenant) => format!("SET LOCAL app.tenant = '{}'; ", signed(&mut raw, tenant).await),
        None => String::new(),
    };
    raw.run(format!("BEGIN; {signed}SET LOCAL ROLE {role}")).await;
    raw
}

/// A tenant with its signature, computed by PostgreSQL for somebody who may read the key.
pub(crate) async fn signed(raw: &mut Raw, tenant: TenantId) -> String {
    let mac = format!(
        "SELECT encode(sha256(secret || sha256(secret || convert_to('{tenant}', 'UTF8'))), 'hex') FROM tenant_wall"
    );
    format!("{tenant}.{}", raw.texts(mac).await.remove(0))
}

/// What the database says to one statement within such a transaction.
async fn refusal(bed: &Database, role: &str, tenant: Option<TenantId>, sql: &str) -> String {
    match begin(bed, role, tenant).await.try_run(sql).await {
        Err(said) => said,
        Ok(rows) => panic!("{role} got through with `{sql}`: {rows} rows"),
    }
}

fn insert(tenant: TenantId) -> String {
    let id: uuid::Uuid = Clock::system().id();
    format!(
        "INSERT INTO change_notices (tenant_id, id, topic, subject_id, created_at) VALUES ('{tenant}', '{id}', 't', '{id}', now())"
    )
}

const TENANTS_OF: [&str; 2] =
    ["SELECT tenant_id::text FROM change_notices", "SELECT tenant_id::text FROM llm_calls"];

#[tokio::test]
async fn without_a_tenant_there_is_nothing_to_see_or_write() {
    let bed = bed().await;
    // never set, and set to nothing, which is what an ended `SET LOCAL` leaves on a connection
    for unset in ["SELECT 1", "SET LOCAL app.tenant = ''"] {
        let mut raw = begin(&bed, "loam_app", None).await;
        raw.run(unset).await;
        for query in TENANTS_OF {
            assert!(raw.texts(query).await.is_empty(), "{query}");
        }
        assert!(raw.texts("SELECT id::text FROM tenants").await.is_empty());
        for change in
            ["UPDATE change_notices SET topic = 'x'", "DELETE FROM change_notices", "DELETE FROM llm_calls"]
        {
            assert_eq!(raw.run(change).await, 0, "{change}");
        }
        let said = raw.try_run(insert(ACME)).await.unwrap_err();
        assert!(said.contains("row-level security"), "{said}");
    }
}

#[tokio::test]
async fn a_tenant_sees_and_changes_its_own_rows_though_nobody_filters() {
    let bed = bed().await;
    let mut raw = begin(&bed, "loam_app", Some(ACME)).await;
    for query in TENANTS_OF {
        assert_eq!(raw.texts(query).await, [ACME.to_string()], "{query}");
    }
    assert_eq!(raw.texts("SELECT id::text FROM tenants").await, [ACME.to_string()]);
    assert_eq!(
        raw.texts(format!("SELECT topic FROM change_notices WHERE tenant_id = '{OTHER}'")).await,
        [""; 0]
    );
    assert_eq!(raw.run("UPDATE change_notices SET topic = 'x'").await, 1);
    assert_eq!(raw.run("UPDATE llm_calls SET model = 'x'").await, 1);
    assert_eq!(raw.run(insert(ACME)).await, 1);
    assert_eq!(raw.run("DELETE FROM change_notices").await, 2);
    assert_eq!(raw.run("DELETE FROM llm_calls").await, 1);
}

#[tokio::test]
async fn a_row_cannot_be_given_to_another_tenant() {
    let bed = bed().await;
    let moved = format!("UPDATE change_notices SET tenant_id = '{OTHER}'");
    let call = format!("UPDATE llm_calls SET tenant_id = '{OTHER}'");
    for sql in [insert(OTHER), moved, call] {
        let said = refusal(&bed, "loam_app", Some(ACME), &sql).await;
        assert!(said.contains("row-level security"), "{sql}: {said}");
    }
}

#[tokio::test]
async fn the_system_role_sees_all_without_being_a_superuser() {
    let bed = bed().await;
    let mut raw = begin(&bed, "loam_system", None).await;
    for query in TENANTS_OF {
        assert_eq!(raw.texts(query).await.len(), 2, "{query}");
    }
    let powers = "SELECT rolname::text FROM pg_roles WHERE rolname IN ('loam_app', 'loam_system') \
                  AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolcanlogin)";
    assert!(raw.texts(powers).await.is_empty());
}

#[tokio::test]
async fn a_partition_named_directly_is_refused() {
    let bed = bed().await;
    let partitions = bed
        .raw()
        .await
        .texts("SELECT relname::text FROM pg_class WHERE relispartition AND relkind = 'r'")
        .await;
    // five months of each
    assert_eq!(partitions.len(), loam_db::PARTITIONED.len() * 5);
    for partition in partitions {
        for role in ["loam_app", "loam_system"] {
            for sql in [
                format!("SELECT * FROM {partition}"),
                format!("UPDATE {partition} SET id = id"),
                format!("DELETE FROM {partition}"),
                format!("INSERT INTO {partition} SELECT * FROM {partition}"),
                format!("TRUNCATE {partition}"),
            ] {
                let said = refusal(&bed, role, Some(ACME), &sql).await;
                assert!(said.contains("permission denied"), "{role}: {sql}: {said}");
            }
        }
    }
}

#[tokio::test]
async fn the_application_may_not_change_tenants_nor_read_the_instances_tables() {
    let bed = bed().await;
    let mut refused = vec![
        format!("UPDATE tenants SET name = 'x' WHERE id = '{ACME}'"),
        format!("DELETE FROM tenants WHERE id = '{ACME}'"),
        "INSERT INTO tenants SELECT * FROM tenants".to_owned(),
        "INSERT INTO seaql_migrations VALUES ('m', 1)".to_owned(),
    ];
    for table in SYSTEM_TABLES.into_iter().chain(["tenant_wall"]) {
        refused.extend([format!("SELECT * FROM {table}"), format!("DELETE FROM {table}")]);
    }
    for sql in refused {
        let said = refusal(&bed, "loam_app", Some(ACME), &sql).await;
        assert!(said.contains("permission denied"), "{sql}: {said}");
    }
}

#[tokio::test]
async fn the_application_may_not_change_the_schema() {
    let bed = bed().await;
    let only_app = ["SELECT loam_ensure_partition('llm_calls', '2020-01-01')"];
    let neither = [
        "CREATE TABLE mine (id uuid)",
        "CREATE TABLE llm_calls_2020_01 PARTITION OF llm_calls FOR VALUES FROM ('00000000-0000-0000-0000-000000000000') TO ('00000000-0000-0000-0000-000000000001')",
        "ALTER TABLE change_notices NO FORCE ROW LEVEL SECURITY",
        "ALTER TABLE change_notices DISABLE ROW LEVEL SECURITY",
        "DROP POLICY tenant ON change_notices",
        "CREATE POLICY open ON change_notices USING (true)",
        "DROP TABLE change_notices",
        "TRUNCATE change_notices",
    ];
    let cases = only_app.iter().map(|sql| ("loam_app", sql));
    for (role, sql) in cases.chain(neither.iter().flat_map(|sql| [("loam_app", sql), ("loam_system", sql)])) {
        let said = refusal(&bed, role, Some(ACME), sql).await;
        assert!(
            said.contains("permission denied") || said.contains("must be owner"),
            "{role}: {sql}: {said}"
        );
    }
    let said =
        refusal(&bed, "loam_system", None, "SELECT loam_ensure_partition('change_notices', '2020-01-01')")
            .await;
    assert!(said.contains("not a partitioned table"), "{said}");
}

/// Lists the tables from the database itself, so that a new one can't be forgotten.
#[tokio::test]
async fn every_table_has_its_wall() {
    let bed = bed().await;
    let mut raw = bed.raw().await;
    let tables = "FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition \
                  AND relname NOT IN ('seaql_migrations', 'tenant_wall')";
    assert!(raw.texts(format!("SELECT relname::text {tables}")).await.len() >= 14);
    let open = format!("SELECT relname::text {tables} AND NOT (relrowsecurity AND relforcerowsecurity)");
    assert_eq!(raw.texts(open).await, [""; 0], "tables without forced row-level security");
    let policies = format!(
        "SELECT relname || ': ' || coalesce((SELECT string_agg(array_to_string(roles, ',') || ' ' || (qual = with_check OR qual = 'true'), ', ' \
         ORDER BY policyname) FROM pg_policies WHERE tablename = relname), 'none') {tables} ORDER BY 1"
    );
    for line in raw.texts(policies).await {
        let (table, found) = line.split_once(": ").unwrap();
        let expected = if SYSTEM_TABLES.contains(&table) {
            "loam_system true"
        } else {
            "loam_system true, loam_app true"
        };
        assert_eq!(found, expected, "the policies of {table}");
    }
    let wide = "SELECT tablename || ' ' || qual FROM pg_policies WHERE 'loam_app' = ANY (roles) \
                AND qual !~ '^\\((tenant_)?id = \\( SELECT loam_tenant.id\\s+FROM loam_tenant\\)\\)$'";
    assert_eq!(raw.texts(wide).await, [""; 0], "policies of the application that ask for no tenant");
    // a view runs with its owner's rights, and so round the wall
    let views = "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('v', 'm') \
                 AND relname <> 'loam_tenant'";
    assert_eq!(raw.texts(views).await, [""; 0]);
}
