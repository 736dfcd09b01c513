//! Live configuration with its versions, and the records of requests and errors.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    // rows of the instance carry the nil tenant, so there is no reference to `tenants`
    schema.tenant_table("system_config", |t| {
        t.text("config_key").json("config_value").text("description").text("category");
        t.boolean("is_active").bigint("version").timestamps();
        t.unique(&["config_key"]);
    });
    schema.tenant_table("system_config_versions", |t| {
        t.text("config_key").bigint("version").text("action").json("old_value?").json("new_value?");
        t.text("actor").text("request_id?").timestamp("created_at");
        t.unique(&["config_key", "version"]);
    });
    schema.partitioned_table("api_logs", |t| {
        t.uuid("node_id")
            .text("request_id")
            .text("method")
            .text("path")
            .json("query_params?")
            .json("headers?");
        t.bytes("body?")
            .bytes("response_body?")
            .int("status_code")
            .bigint("response_bytes")
            .bigint("latency_us");
        t.text("session_id?").uuid("user_id?").uuid("api_key_id?").uuid("project_id?");
        t.text("user_agent?").text("ip_address?").timestamp("created_at");
        t.index(&["request_id"]).global_index(&["id"], None);
        t.partial_index(&["user_id", "id"], "user_id IS NOT NULL");
        t.partial_index(&["api_key_id", "id"], "api_key_id IS NOT NULL");
        t.partial_index(&["status_code", "id"], "status_code >= 400");
    });
    schema.partitioned_table("error_logs", |t| {
        t.uuid("node_id").text("error_type").text("error_message").text("stack_trace?").text("request_id?");
        t.json("context").text("fingerprint").timestamp("created_at");
        t.global_index(&["id"], None)
            .index(&["fingerprint", "id"])
            .partial_index(&["request_id"], "request_id IS NOT NULL");
    });
    // the id is made from the fingerprint, so that every node counts into the same row
    schema.tenant_table("error_groups", |t| {
        t.text("fingerprint").text("error_type").text("error_message").bigint("count");
        t.uuid("last_error_id").timestamp("first_seen").timestamp("last_seen");
        t.index(&["last_seen", "id"]).global_index(&["last_seen"], None);
    });
}
