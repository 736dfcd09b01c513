//! Routes, limits, usage, and what calls keep of them.

use crate::schema::OnDelete::Restrict;
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.tenant_table("model_routes", |t| {
        t.text("alias").json("targets").json("timeouts").json("retries").json("cool_down");
        t.int("cache_seconds?").boolean("is_active").json("metadata").timestamps();
        t.unique(&["alias"]).references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("limits", |t| {
        t.text("subject_type").uuid("subject_id");
        t.bigint("requests_per_minute?").bigint("tokens_per_minute?").bigint("concurrency?");
        t.bigint("budget_day_nano_usd?").bigint("budget_month_nano_usd?").timestamps();
        t.unique(&["subject_type", "subject_id"]).references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("usage_stats", |t| {
        t.uuid("node_id").text("granularity").timestamp("bucket");
        t.uuid("api_key_id?").uuid("user_id?").uuid("project_id?").text("provider").text("model");
        t.bigint("calls").bigint("errors").bigint("estimated").bigint("orphaned").bigint("cache_hits");
        t.bigint("prompt_tokens").bigint("completion_tokens").bigint("total_tokens");
        t.bigint("cached_tokens").bigint("cost_nano_usd").bigint("unsettled_nano_usd");
        t.bytes("latency").timestamp("updated_at");
        t.index(&["granularity", "bucket"]);
    });
    schema.add_columns("llm_calls", |t| {
        t.text("route?").text("cache?").bigint("reserved_nano_usd?").bigint("cache_write_tokens?");
    });
    schema.add_columns("model_prices", |t| _ = t.bigint("cache_write_nano_usd?"));
}
