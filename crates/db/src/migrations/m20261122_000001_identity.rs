//! Custom roles, log-in sessions, signing keys, issuers of end users' tokens, and what operators opened.

use crate::schema::OnDelete::{Cascade, Restrict};
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("users", |t| _ = t.timestamp("password_reset_at?"));
    schema.tenant_table("roles", |t| {
        t.text("name").text("description").json("permissions").timestamps();
        t.unique(&["name"]).references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("login_sessions", |t| {
        t.uuid("user_id").bytes("token_hash").text("ip_address?").text("user_agent?");
        t.timestamp("last_seen_at").timestamp("expires_at").timestamp("revoked_at?").timestamps();
        t.global_unique(&["token_hash"]).index(&["user_id"]).global_index(&["expires_at"], None);
        t.references("tenant_id", "tenants", Restrict).references("user_id", "users", Cascade);
    });
    // the instance's own: its rows belong to no tenant
    schema.tenant_table("signing_keys", |t| {
        t.text("kid").text("algorithm").json("public_key").text("private_key?");
        t.timestamp("retired_at?").timestamps();
        t.global_unique(&["kid"]);
    });
    schema.tenant_table("token_issuers", |t| {
        t.text("name").text("issuer").text("audience").text("jwks_url?").json("secret?").json("algorithms");
        t.text("user_claim").text("role").boolean("auto_create_users").boolean("is_active").timestamps();
        t.unique(&["name"]).global_unique(&["issuer", "audience"]);
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("tenant_openings", |t| {
        t.text("operator").timestamp("hour").timestamp("created_at");
        t.unique(&["operator", "hour"]).global_index(&["created_at"], None);
        t.references("tenant_id", "tenants", Restrict);
    });
}
