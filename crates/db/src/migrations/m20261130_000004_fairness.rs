//! What the tenants' turns need: the open jobs of each tenant, by kind. And the signature of a tenant, without which
//! PostgreSQL's policies would believe whoever can run SQL.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("jobs", |t| {
        t.partial_index(&["kind", "run_at"], "state IN ('queued', 'running')");
    });
    wall(schema);
}

/// The key that tenants are signed with, the password of the login that Loam makes for their transactions, and the
/// view by which the policies check a signature. Neither can be read by that login.
fn wall(schema: &mut Schema) {
    schema.postgres(
        "CREATE TABLE tenant_wall (id int PRIMARY KEY CHECK (id = 1), secret bytea NOT NULL, password text NOT NULL)",
    );
    let random = "replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')";
    schema.postgres(format!("INSERT INTO tenant_wall VALUES (1, decode({random}, 'hex'), {random})"));
    schema.postgres("REVOKE ALL ON tenant_wall FROM PUBLIC, loam_app, loam_system");
    schema.postgres("GRANT SELECT ON tenant_wall TO loam_system");
    schema.postgres(include_str!("loam_tenant.sql"));
    schema.postgres("REVOKE ALL ON loam_tenant FROM PUBLIC, loam_system");
    schema.postgres("GRANT SELECT ON loam_tenant TO loam_app");
    // a table of a session of the tenants' login would be found before the real one of that name, by whoever has the
    // connection next; only the owner of the database can forbid it
    schema.postgres(
        "DO $$ BEGIN EXECUTE format('REVOKE TEMPORARY ON DATABASE %I FROM PUBLIC', current_database()); \
         EXCEPTION WHEN insufficient_privilege THEN NULL; END $$",
    );
    schema.postgres(
        "DO $$ DECLARE wall record; BEGIN \
         FOR wall IN SELECT tablename FROM pg_policies WHERE schemaname = 'public' AND policyname = 'tenant' LOOP \
         EXECUTE format('ALTER POLICY tenant ON %1$I USING (%2$I = (SELECT id FROM loam_tenant)) WITH CHECK (%2$I = (SELECT id FROM loam_tenant))', \
         wall.tablename, CASE wall.tablename WHEN 'tenants' THEN 'id' ELSE 'tenant_id' END); \
         END LOOP; END $$",
    );
}
