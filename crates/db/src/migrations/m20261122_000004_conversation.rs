//! Conversations: sessions, turns, messages, settings, preferences, channels, and the use of tools.

use crate::schema::OnDelete::{Cascade, Restrict};
use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.postgres(include_str!("ensure_partition_v2.sql"));
    schema.add_columns("change_notices", |t| _ = t.uuid("owner_id?"));
    conversations(schema);
    channels(schema);
    schema.tenant_table("user_preferences", |t| {
        t.uuid("user_id").text("key").json("value").timestamps();
        t.unique(&["user_id", "key"]).references("user_id", "users", Cascade);
    });
    schema.partitioned_table("tool_calls", |t| {
        t.uuid("session_id?").uuid("turn_id?").uuid("message_id?").uuid("llm_call_id?").uuid("user_id?");
        t.text("call_id").text("tool_name").text("tool_args").text("result?").text("status");
        t.bigint("duration_ms?").text("error_message?").timestamps();
        t.index(&["session_id", "id"]).index(&["session_id", "call_id"]).index(&["llm_call_id"]);
        t.index(&["user_id", "id"]).global_index(&["id"], Some("status = 'running'"));
        t.references("tenant_id", "tenants", Restrict);
    });
}

fn conversations(schema: &mut Schema) {
    schema.tenant_table("chat_sessions", |t| {
        t.uuid("user_id?").uuid("project_id?").uuid("channel_id?").text("external_id?").text("title");
        t.uuid("provider_id?").text("model?").text("system_prompt?").text("status").boolean("is_active");
        t.bigint("message_count").uuid("head_id?").timestamp("first_message_at?");
        t.timestamp("last_message_at?").timestamp("last_activity").json("metadata").timestamps();
        t.unique(&["external_id"]).index(&["last_activity", "id"]);
        t.index(&["user_id", "is_active", "last_activity", "id"]).index(&[
            "project_id",
            "last_activity",
            "id",
        ]);
        t.index(&["user_id", "last_activity", "id"]).index(&["provider_id"]).index(&["channel_id"]);
        t.references("tenant_id", "tenants", Restrict);
    });
    schema.tenant_table("session_configs", |t| {
        t.uuid("session_id").text("key").json("value").timestamps();
        t.unique(&["session_id", "key"]).references("session_id", "chat_sessions", Cascade);
    });
    schema.tenant_table("turns", |t| {
        t.uuid("session_id").uuid("parent_turn_id?").uuid("parent_id?").uuid("user_message_id?");
        t.uuid("assistant_message_id?").text("state").text("model?").json("input").bytes("events?");
        t.uuid("llm_call_id?").uuid("node_id").text("error?").boolean("stop_requested");
        t.timestamp("lease_until?").timestamp("started_at?").timestamp("ended_at?").timestamps();
        t.index(&["session_id", "id"]).references("session_id", "chat_sessions", Cascade);
        t.global_index(&["node_id"], Some("ended_at IS NULL"));
        t.global_index(&["lease_until"], Some("ended_at IS NULL"));
    });
    schema.tenant_table("turn_parts", |t| {
        t.uuid("turn_id").bigint("position").bytes("events").timestamp("created_at");
        t.index(&["turn_id", "position"]);
    });
    schema.tenant_table("session_summaries", |t| {
        t.uuid("session_id").uuid("up_to_id").bigint("up_to_number").text("content").text("model");
        t.uuid("llm_call_id?").timestamp("created_at");
        t.unique(&["session_id", "up_to_id"]).references("session_id", "chat_sessions", Cascade);
    });
    // numbers are unique in each partition by an index of its own: one over all would have to hold the id
    schema.partitioned_table("messages", |t| {
        t.uuid("session_id").uuid("turn_id?").uuid("parent_id?").uuid("sender_id?");
        t.bigint("sequence_number").text("role").text("content").json("parts?").json("tool_calls?");
        t.text("tool_call_id?").text("model?").bigint("prompt_tokens?").bigint("completion_tokens?");
        t.uuid("llm_call_id?").text("finish_reason?").json("metadata").timestamp("deleted_at?").timestamps();
        t.unique_in_partition(&["session_id", "sequence_number"]);
        t.references("tenant_id", "tenants", Restrict);
    });
}

fn channels(schema: &mut Schema) {
    schema.tenant_table("channels", |t| {
        t.uuid("project_id?").text("kind").text("name").json("config").json("secret").json("old_secret?");
        t.timestamp("old_secret_until?").json("settings").boolean("is_active").json("metadata").timestamps();
        t.unique(&["name"]).index(&["project_id"]).references("tenant_id", "tenants", Restrict);
        // whoever sends a message in knows the channel, but not its tenant
        t.global_unique(&["id"]);
    });
    schema.tenant_table("channel_chats", |t| {
        t.uuid("channel_id").text("external_id").text("title?").boolean("is_group").uuid("session_id");
        t.timestamps().unique(&["channel_id", "external_id"]).index(&["session_id"]);
        t.references("channel_id", "channels", Cascade).references("session_id", "chat_sessions", Cascade);
    });
    schema.tenant_table("channel_senders", |t| {
        t.uuid("channel_id").text("external_id").text("name?").uuid("user_id?").timestamps();
        t.unique(&["channel_id", "external_id"]).index(&["user_id"]);
        t.references("channel_id", "channels", Cascade);
    });
    schema.tenant_table("channel_events", |t| {
        t.uuid("channel_id").text("event_id").uuid("chat_id?").uuid("session_id?").uuid("message_id?");
        t.uuid("turn_id?").json("question?").text("state").text("error_message?").timestamps();
        t.unique(&["channel_id", "event_id"]).index(&["chat_id", "state", "id"]);
        t.global_index(&["created_at"], None).references("channel_id", "channels", Cascade);
    });
    schema.tenant_table("webhook_deliveries", |t| {
        t.uuid("channel_id?").text("kind").text("lane?").text("target").json("payload").text("state");
        t.int("attempts").int("status_code?").text("error_message?").timestamp("next_attempt_at?");
        t.timestamp("attempt_until?").timestamp("delivered_at?").timestamps();
        t.index(&["state", "id"]).index(&["channel_id", "id"]).index(&["lane", "state", "id"]);
        t.global_index(&["updated_at"], Some("state <> 'pending'"));
    });
}
