//! Insight: requests of watched applications with their call trees, sums over them, diagnoses, alerts and metrics.

use crate::schema::OnDelete::{Cascade, Restrict};
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    records(schema);
    sums(schema);
    diagnoses(schema);
    alerts(schema);
    errors(schema);
    // what others tell of their calls of models
    schema.add_columns("usage_stats", |t| _ = t.text("source?"));
    schema.add_columns("tool_calls", |t| {
        t.text("trace_id?").text("span_id?").partial_index(&["trace_id"], "trace_id IS NOT NULL");
    });
}

/// What an application tells of its errors stands beside Loam's own.
fn errors(schema: &mut Schema) {
    schema.add_columns("error_logs", |t| {
        t.text("source?").uuid("project_id?").text("trace_id?").uuid("record_id?").text("endpoint?");
        t.partial_index(&["trace_id"], "trace_id IS NOT NULL");
        t.partial_index(&["project_id", "id"], "project_id IS NOT NULL");
    });
}

fn records(schema: &mut Schema) {
    schema.partitioned_table("performance_records", |t| {
        t.uuid("project_id").text("trace_id").text("call_id").text("source").text("service?");
        t.text("endpoint").text("method?").text("path?").int("status_code?").boolean("is_error");
        t.text("version").bigint("duration_us").bigint("cpu_us?");
        t.bigint("memory_peak?").bigint("memory_delta?").bigint("query_count").bigint("query_us");
        t.bigint("slow_queries").bigint("cache_hits").bigint("cache_misses").bigint("cache_us");
        t.bigint("call_count")
            .boolean("is_cut")
            .int("score?")
            .bytes("details")
            .bytes("findings?")
            .timestamps();
        t.index(&["project_id", "id"]).index(&["trace_id"]).index(&["project_id", "endpoint", "id"]);
        t.index(&["project_id", "duration_us", "id"]).references("tenant_id", "tenants", Restrict);
    });
    schema.partitioned_table("call_trees", |t| {
        t.uuid("project_id").text("trace_id").bytes("calls").bigint("call_count").boolean("is_final");
        t.timestamp("started_at").timestamp("ended_at").timestamps();
        t.global_index(&["trace_id", "tenant_id"], None);
        t.global_index(&["created_at"], Some("NOT is_final")).references("tenant_id", "tenants", Restrict);
    });
    schema.partitioned_table("record_functions", |t| {
        t.uuid("project_id").text("function").timestamp("minute").bytes("records").timestamp("created_at");
        t.index(&["project_id", "function", "id"]);
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("retired_project_keys", |t| {
        t.uuid("project_id").bytes("key_hash").timestamp("expires_at").timestamp("created_at");
        t.global_unique(&["key_hash"]).index(&["project_id"]).references("project_id", "projects", Cascade);
    });
    schema.tenant_table("rejected_records", |t| {
        t.uuid("project_id").text("source").text("code").text("message").text("param?").bytes("payload");
        t.text("state").timestamps();
        t.index(&["project_id", "id"]).references("project_id", "projects", Cascade);
        t.global_index(&["created_at"], None);
    });
}

/// Each node writes rows of its own, so that the sums are read, added to and written back without a lock.
fn sums(schema: &mut Schema) {
    schema.tenant_table("endpoint_stats", |t| {
        t.uuid("node_id").uuid("project_id").text("granularity").timestamp("bucket").text("endpoint");
        t.text("version").bigint("requests").bigint("errors").bigint("duration_us").bigint("cpu_us");
        t.bigint("query_count").bigint("query_us").bigint("slow_queries").bigint("cache_hits");
        t.bigint("cache_misses").bigint("cache_us").bigint("memory_delta").bigint("memory_peak");
        t.bigint("calls").bytes("sketch").timestamps();
        t.index(&["project_id", "granularity", "bucket"]);
        t.index(&["project_id", "endpoint", "granularity", "bucket"]);
        t.global_index(&["granularity", "bucket"], None);
        t.references("project_id", "projects", Cascade);
    });
    schema.tenant_table("function_stats", |t| {
        t.uuid("node_id").uuid("project_id").text("granularity").timestamp("bucket").text("function");
        t.text("version").bigint("calls").bigint("errors").bigint("self_us").bigint("total_us");
        t.bigint("query_count").bigint("query_us").bigint("memory_delta").bytes("sketch").timestamps();
        t.index(&["project_id", "granularity", "bucket"]);
        t.index(&["project_id", "function", "granularity", "bucket"]);
        t.global_index(&["granularity", "bucket"], None);
        t.references("project_id", "projects", Cascade);
    });
    // what the sums tell apart by name: so many of a project, so that nobody fills them with made-up names
    schema.tenant_table("stat_names", |t| {
        t.uuid("project_id").text("kind").text("name").timestamps();
        t.index(&["project_id", "kind"]).global_index(&["updated_at"], None);
        t.references("project_id", "projects", Cascade);
    });
}

fn diagnoses(schema: &mut Schema) {
    schema.partitioned_table("ai_analysis_results", |t| {
        t.uuid("project_id").uuid("record_id?").text("trace_id?").text("endpoint").text("version");
        t.text("analysis_type").text("status").text("provider?").text("model?").text("model_version?");
        t.json("analysis_input")
            .json("analysis_results?")
            .json("metadata")
            .bigint("duration_ms?")
            .double("confidence_score?");
        t.bigint("tokens_used?").bigint("cost_nano_usd?").uuid("llm_call_id?").text("error_message?");
        t.timestamps().timestamp("completed_at?");
        t.index(&["project_id", "id"]).index(&["trace_id"]).global_index(&["id"], Some("status = 'pending'"));
        t.references("tenant_id", "tenants", Restrict);
    });
    // one automatic analysis for each endpoint, version and hour
    schema.tenant_table("auto_analyses", |t| {
        t.uuid("project_id").text("endpoint").text("version").timestamp("hour").uuid("analysis_id");
        t.timestamp("created_at").unique(&["project_id", "endpoint", "version", "hour"]);
        t.global_index(&["created_at"], None).references("project_id", "projects", Cascade);
    });
    schema.tenant_table("suggestions", |t| {
        t.uuid("project_id").text("endpoint").text("function?").text("finding?").text("source");
        t.text("category").text("priority").text("title").text("description").text("code_example?");
        t.text("version").uuid("record_id?").uuid("analysis_id?").text("status").double("predicted_gain?");
        t.double("measured_gain?").json("measured?").text("measured_version?").timestamps();
        t.unique(&["project_id", "endpoint", "source", "title", "version"]).index(&["project_id", "id"]);
        t.references("project_id", "projects", Cascade);
    });
}

fn alerts(schema: &mut Schema) {
    schema.tenant_table("alert_rules", |t| {
        t.uuid("project_id").text("name").text("metric").json("selector").text("comparison");
        t.double("threshold").double("recover_threshold?").int("window_seconds").int("for_seconds");
        t.int("min_samples").text("severity").json("delivery").json("secret?").boolean("is_active");
        t.text("state").timestamp("pending_since?").timestamp("clear_since?").timestamp("evaluated_at?");
        t.double("last_value?").uuid("open_event_id?").json("metadata").timestamps();
        t.unique(&["project_id", "name"]).references("project_id", "projects", Cascade);
    });
    schema.tenant_table("alert_events", |t| {
        t.uuid("rule_id").uuid("project_id").text("state").text("severity").double("value").json("context");
        t.timestamp("opened_at").timestamp("acknowledged_at?").text("acknowledged_by?");
        t.timestamp("resolved_at?").text("resolved_by?").timestamp("notified_at?").timestamps();
        t.index(&["project_id", "id"]).index(&["rule_id", "id"]).references(
            "rule_id",
            "alert_rules",
            Cascade,
        );
    });
    schema.partitioned_table("performance_metrics", |t| {
        t.uuid("project_id").text("metric_name").text("kind").text("unit?").text("series");
        t.double("metric_value").json("tags").timestamp("timestamp").timestamp("created_at");
        t.index(&["project_id", "metric_name", "id"]).index(&["project_id", "id"]);
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("metric_stats", |t| {
        t.uuid("node_id").uuid("project_id").text("granularity").timestamp("bucket").text("metric_name");
        t.text("kind")
            .text("series")
            .json("tags")
            .bigint("samples")
            .double("total")
            .double("least")
            .double("greatest");
        t.double("last").timestamp("last_at").bytes("sketch").timestamps();
        t.index(&["project_id", "metric_name", "granularity", "bucket"]);
        t.global_index(&["granularity", "bucket"], None);
        t.references("project_id", "projects", Cascade);
    });
}
