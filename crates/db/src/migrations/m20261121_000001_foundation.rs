//! Tenants and what belongs to them, the call ledger, jobs, the audit trail, and what the journal needs.

use crate::schema::OnDelete::{Cascade, Restrict};
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    roles(schema);
    identity(schema);
    gateway(schema);
    platform(schema);
}

/// The two roles that Loam acts as. The owner, who runs this, is the third, and is needed for migrations alone.
fn roles(schema: &mut Schema) {
    for role in ["loam_app", "loam_system"] {
        // roles belong to the cluster: another database on it may have made them already
        schema.postgres(format!(
            "DO $$ BEGIN CREATE ROLE {role} NOLOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
        ));
        // granted once: databases that are migrated at the same time can't both change it
        schema.postgres(format!(
            "DO $$ BEGIN IF NOT pg_has_role('{role}', 'USAGE') THEN GRANT {role} TO CURRENT_USER; END IF; END $$"
        ));
        schema.postgres(format!("GRANT USAGE ON SCHEMA public TO {role}"));
    }
    schema.postgres("GRANT SELECT ON seaql_migrations TO loam_app, loam_system");
    schema.postgres(include_str!("ensure_partition.sql"));
    schema.postgres("REVOKE ALL ON FUNCTION loam_ensure_partition(text, date) FROM PUBLIC");
    schema.postgres("GRANT EXECUTE ON FUNCTION loam_ensure_partition(text, date) TO loam_system");
}

fn identity(schema: &mut Schema) {
    schema.tenants_table(|t| {
        t.text("slug")
            .text("name")
            .text("status")
            .text("plan?")
            .json("quotas")
            .json("settings")
            .json("metadata");
        t.timestamps().global_unique(&["slug"]);
    });
    schema.tenant_table("users", |t| {
        t.text("username").text("email").text("password_hash?").text("full_name?").json("roles");
        t.text("external_id?").boolean("is_active").json("metadata").timestamps();
        t.unique(&["username"]).unique(&["email"]).unique(&["external_id"]);
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("projects", |t| {
        t.text("name")
            .text("description?")
            .text("framework?")
            .uuid("owner_id?")
            .text("project_key")
            .bytes("key_hash");
        t.text("monitoring_status")
            .json("config")
            .text("delivery_status")
            .json("tech_stack")
            .json("timeline");
        t.timestamp("deadline?").timestamp("last_activity?").json("metadata").timestamps();
        t.unique(&["name"]).global_unique(&["key_hash"]).index(&["owner_id"]);
        t.references("tenant_id", "tenants", Restrict).references("owner_id", "users", Restrict);
    });
    schema.tenant_table("api_keys", |t| {
        t.text("name").text("prefix").bytes("key_hash").json("scopes").uuid("user_id?").uuid("project_id?");
        t.timestamp("expires_at?").timestamp("last_used_at?").timestamp("revoked_at?").timestamps();
        t.global_unique(&["key_hash"]).index(&["user_id"]).index(&["project_id"]);
        t.references("tenant_id", "tenants", Restrict);
        t.references("user_id", "users", Cascade).references("project_id", "projects", Cascade);
    });
    schema.tenant_table("idempotency_keys", |t| {
        t.text("key").bytes("fingerprint").int("status?").text("answer?").timestamp("created_at");
        t.unique(&["key"]).global_index(&["created_at"], None);
    });
}

fn gateway(schema: &mut Schema) {
    schema.tenant_table("ai_providers", |t| {
        t.text("name")
            .text("kind")
            .text("display_name")
            .json("config")
            .boolean("is_active")
            .json("metadata")
            .timestamps();
        t.unique(&["name"]).references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("model_prices", |t| {
        t.text("provider").text("model").bigint("input_nano_usd").bigint("cached_input_nano_usd?");
        t.bigint("output_nano_usd").timestamps();
        t.unique(&["provider", "model"]).references("tenant_id", "tenants", Restrict);
    });
    schema.partitioned_table("llm_calls", |t| {
        t.uuid("node_id").text("state").text("source").text("provider").text("model").text("endpoint");
        t.uuid("api_key_id?").uuid("user_id?").uuid("project_id?").text("session_id?").text("request_id");
        t.text("trace_id?").text("span_id?").boolean("streamed").int("status_code?").text("error_message?");
        t.bigint("prompt_tokens?")
            .bigint("completion_tokens?")
            .bigint("total_tokens?")
            .bigint("cached_tokens?");
        t.bigint("cost_nano_usd?").bigint("latency_us?").bigint("first_token_us?").json("attempts");
        t.bytes("request_data?").bytes("response_data?").timestamps();
        t.partial_index(&["session_id", "id"], "session_id IS NOT NULL");
        t.partial_index(&["user_id", "id"], "user_id IS NOT NULL");
        t.partial_index(&["project_id", "id"], "project_id IS NOT NULL");
        t.partial_index(&["trace_id"], "trace_id IS NOT NULL");
        t.partial_index(&["state", "id"], "state <> 'settled'");
        t.global_index(&["node_id"], Some("state = 'open'"));
    });
}

fn platform(schema: &mut Schema) {
    schema.partitioned_table("audit_logs", |t| {
        t.bigint("sequence")
            .text("action")
            .text("resource_type")
            .text("resource_id")
            .text("actor")
            .json("changes");
        t.text("request_id?").text("ip_address?").text("user_agent?").bytes("previous_hash").bytes("hash");
        t.timestamp("created_at");
        t.index(&["resource_type", "resource_id"]).index(&["sequence"]);
    });
    schema.tenant_table("audit_heads", |t| {
        t.bigint("sequence").bytes("hash");
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("jobs", |t| {
        t.text("kind").json("payload").text("state").int("attempts").int("max_attempts").timestamp("run_at");
        t.timestamp("lease_until?").uuid("lease_owner?").text("last_error?").text("unique_key?");
        t.timestamp("finished_at?").timestamps();
        t.unique(&["kind", "unique_key"]).partial_index(&["kind", "id"], "state <> 'succeeded'");
        t.global_index(&["run_at"], Some("state IN ('queued', 'running')"));
        t.global_index(&["finished_at"], Some("finished_at IS NOT NULL"));
    });
    schema.system_table("journal_checkpoints", &["node_id"], |t| {
        t.uuid("node_id").bigint("position").timestamp("updated_at");
    });
    schema.tenant_table("journal_quarantine", |t| {
        t.uuid("node_id")
            .bigint("position")
            .int("kind")
            .bytes("frame")
            .text("reason")
            .timestamp("created_at");
        t.global_unique(&["node_id", "position"]);
    });
    schema.tenant_table("change_notices", |t| {
        t.text("topic").uuid("subject_id").timestamp("created_at");
        t.global_index(&["id"], None);
    });
}
