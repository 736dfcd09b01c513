//! Builds columns from rows, for bulk inserts.

use loam_db::{Bulk, Column, OnConflict};
use loam_kernel::Error;
use sea_orm::ActiveEnum;
use uuid::Uuid;

use crate::chat_sessions::entity as sessions;
use crate::messages::entity as messages;
use crate::session_configs::entity as configs;

fn uuid<T>(rows: &[T], of: impl Fn(&T) -> Option<Uuid>) -> Column {
    Column::Uuid(rows.iter().map(of).collect())
}

fn text<T>(rows: &[T], of: impl Fn(&T) -> Option<String>) -> Column {
    Column::Text(rows.iter().map(of).collect())
}

fn number<T>(rows: &[T], of: impl Fn(&T) -> Option<i64>) -> Column {
    Column::BigInt(rows.iter().map(of).collect())
}

fn time<T>(rows: &[T], of: impl Fn(&T) -> Option<chrono::DateTime<chrono::Utc>>) -> Column {
    Column::Time(rows.iter().map(of).collect())
}

fn json<T>(rows: &[T], of: impl Fn(&T) -> Option<&serde_json::Value>) -> Column {
    Column::Json(rows.iter().map(|row| of(row).map(ToString::to_string)).collect())
}

/// New sessions.
pub(super) fn of_sessions(rows: &[sessions::Model]) -> Bulk {
    let columns = vec![
        ("id", uuid(rows, |row| Some(row.id.0))),
        ("user_id", uuid(rows, |row| row.user_id.map(|id| id.0))),
        ("project_id", uuid(rows, |row| row.project_id.map(|id| id.0))),
        ("channel_id", uuid(rows, |row| row.channel_id.map(|id| id.0))),
        ("external_id", text(rows, |row| row.external_id.clone())),
        ("title", text(rows, |row| Some(row.title.clone()))),
        ("provider_id", uuid(rows, |row| row.provider_id.map(|id| id.0))),
        ("model", text(rows, |row| row.model.clone())),
        ("system_prompt", text(rows, |row| row.system_prompt.clone())),
        ("status", text(rows, |row| Some(row.status.to_value()))),
        ("is_active", Column::Bool(rows.iter().map(|row| Some(row.is_active)).collect())),
        ("message_count", number(rows, |row| Some(row.message_count))),
        ("head_id", uuid(rows, |row| row.head_id.map(|id| id.0))),
        ("first_message_at", time(rows, |row| row.first_message_at)),
        ("last_message_at", time(rows, |row| row.last_message_at)),
        ("last_activity", time(rows, |row| Some(row.last_activity))),
        ("metadata", json(rows, |row| Some(&row.metadata))),
        ("created_at", time(rows, |row| Some(row.created_at))),
        ("updated_at", time(rows, |row| Some(row.updated_at))),
    ];
    Bulk::of::<sessions::Entity>(columns, OnConflict::Fail)
}

/// Messages.
pub(super) fn of_messages(rows: &[messages::Model]) -> Bulk {
    let columns = vec![
        ("id", uuid(rows, |row| Some(row.id.0))),
        ("session_id", uuid(rows, |row| Some(row.session_id.0))),
        ("parent_id", uuid(rows, |row| row.parent_id.map(|id| id.0))),
        ("sender_id", uuid(rows, |row| row.sender_id.map(|id| id.0))),
        ("sequence_number", number(rows, |row| Some(row.sequence_number))),
        ("role", text(rows, |row| Some(row.role.to_value()))),
        ("content", text(rows, |row| Some(row.content.clone()))),
        ("parts", json(rows, |row| row.parts.as_ref())),
        ("tool_calls", json(rows, |row| row.tool_calls.as_ref())),
        ("tool_call_id", text(rows, |row| row.tool_call_id.clone())),
        ("model", text(rows, |row| row.model.clone())),
        ("prompt_tokens", number(rows, |row| row.prompt_tokens)),
        ("completion_tokens", number(rows, |row| row.completion_tokens)),
        ("finish_reason", text(rows, |row| row.finish_reason.map(|reason| reason.to_value()))),
        ("metadata", json(rows, |row| Some(&row.metadata))),
        ("deleted_at", time(rows, |row| row.deleted_at)),
        ("created_at", time(rows, |row| Some(row.created_at))),
        ("updated_at", time(rows, |row| Some(row.updated_at))),
    ];
    Bulk::of::<messages::Entity>(columns, OnConflict::Fail).without(&["turn_id", "llm_call_id"])
}

/// Settings.
pub(super) fn of_configs(rows: &[configs::Model]) -> Bulk {
    let columns = vec![
        ("id", uuid(rows, |row| Some(row.id.0))),
        ("session_id", uuid(rows, |row| Some(row.session_id.0))),
        ("key", text(rows, |row| Some(row.key.clone()))),
        ("value", text(rows, |row| Some(row.value.to_string()))),
        ("created_at", time(rows, |row| Some(row.created_at))),
        ("updated_at", time(rows, |row| Some(row.updated_at))),
    ];
    Bulk::of::<configs::Entity>(columns, OnConflict::Fail)
}

/// The error for a session of the file that another request created during the import.
pub(super) fn session_conflict(error: Error) -> Error {
    let message = "another request created a session of this file during the import; check the existing sessions, then import again";
    loam_db::already_exists("external_id", message)(error)
}
