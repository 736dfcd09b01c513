//! Converts conversations to columns for bulk inserts.

use chrono::{DateTime, Utc};
use loam_conversation::chat_sessions::entity::SessionStatus;
use loam_db::{Bulk, Column, OnConflict};
use loam_kernel::{NodeId, TenantId};
use sea_orm::ActiveEnum;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::conversation::Conversation;
use crate::ids::NODE;
use crate::users::Person;

/// Rows of a table, from which columns are built.
struct Table<'a, T>(TenantId, Vec<&'a T>);

impl<T> Table<'_, T> {
    fn uuid(&self, of: impl Fn(&T) -> Option<Uuid>) -> Column {
        Column::Uuid(self.1.iter().map(|row| of(row)).collect())
    }

    fn text(&self, of: impl Fn(&T) -> Option<String>) -> Column {
        Column::Text(self.1.iter().map(|row| of(row)).collect())
    }

    fn json(&self, of: impl Fn(&T) -> Option<String>) -> Column {
        Column::Json(self.1.iter().map(|row| of(row)).collect())
    }

    fn int(&self, of: impl Fn(&T) -> Option<u64>) -> Column {
        Column::BigInt(self.1.iter().map(|row| of(row).and_then(|n| i64::try_from(n).ok())).collect())
    }

    fn time(&self, of: impl Fn(&T) -> DateTime<Utc>) -> Column {
        Column::Time(self.1.iter().map(|row| Some(of(row))).collect())
    }

    fn flag(&self, of: impl Fn(&T) -> bool) -> Column {
        Column::Bool(self.1.iter().map(|row| Some(of(row))).collect())
    }

    fn rows(self, table: &'static str, columns: Vec<(&'static str, Column)>) -> Bulk {
        let mut all = vec![("tenant_id", Column::Uuid(vec![Some(self.0.0); self.1.len()]))];
        all.extend(columns);
        Bulk::partial(table, all, OnConflict::Fail)
    }
}

/// The users.
pub(crate) fn users(tenant: TenantId, people: &[Person]) -> Bulk {
    let table = Table(tenant, people.iter().collect());
    let metadata = |person: &Person| {
        Some(json!({ crate::catalog::MARK: true, "language": person.language.code() }).to_string())
    };
    let columns = vec![
        ("id", table.uuid(|person| Some(person.id.0))),
        ("username", table.text(|person| Some(person.username.clone()))),
        ("email", table.text(|person| Some(format!("{}@sample.example", person.username)))),
        ("full_name", table.text(|person| Some(person.full_name.clone()))),
        ("roles", table.json(|_| Some(r#"["user"]"#.to_owned()))),
        ("is_active", table.flag(|_| true)),
        ("metadata", table.json(metadata)),
        ("created_at", table.time(|person| person.created_at)),
        ("updated_at", table.time(|person| person.created_at)),
    ];
    table.rows("users", columns)
}

/// The preferences of the users.
pub(crate) fn preferences(tenant: TenantId, people: &[Person]) -> Bulk {
    type Row<'a> = (&'a Person, &'a (Uuid, &'static str, Value));
    let rows: Vec<Row<'_>> =
        people.iter().flat_map(|person| person.preferences.iter().map(move |row| (person, row))).collect();
    let table = Table(tenant, rows.iter().collect());
    let columns = vec![
        ("id", table.uuid(|(_, row)| Some(row.0))),
        ("user_id", table.uuid(|(person, _)| Some(person.id.0))),
        ("key", table.text(|(_, row)| Some(row.1.to_owned()))),
        ("value", table.json(|(_, row)| Some(row.2.to_string()))),
        ("created_at", table.time(|(person, _)| person.created_at)),
        ("updated_at", table.time(|(person, _)| person.created_at)),
    ];
    table.rows("user_preferences", columns)
}

/// The chat sessions.
pub(crate) fn sessions(tenant: TenantId, conversations: &[Conversation]) -> Bulk {
    let table = Table(tenant, conversations.iter().collect());
    let last = |c: &Conversation| c.messages.last().map_or(c.session.created_at, |m| m.created_at);
    let first = |c: &Conversation| c.messages.first().map_or(c.session.created_at, |m| m.created_at);
    let columns = vec![
        ("id", table.uuid(|c| Some(c.session.id.0))),
        ("user_id", table.uuid(|c| Some(c.session.user.0))),
        ("project_id", table.uuid(|c| c.session.project.map(|id| id.0))),
        ("title", table.text(|c| Some(c.session.title.clone()))),
        ("provider_id", table.uuid(|c| Some(c.session.provider))),
        ("model", table.text(|c| Some(c.session.model.to_owned()))),
        ("system_prompt", table.text(|c| Some(c.session.system_prompt.to_owned()))),
        ("status", table.text(|c| Some(c.session.status.to_value()))),
        ("is_active", table.flag(|c| c.session.status == SessionStatus::Active)),
        ("message_count", table.int(|c| Some(c.messages.len() as u64))),
        ("head_id", table.uuid(|c| c.messages.last().map(|m| m.id.0))),
        ("first_message_at", table.time(first)),
        ("last_message_at", table.time(last)),
        ("last_activity", table.time(last)),
        ("metadata", table.json(|c| Some(c.session.metadata.to_string()))),
        ("created_at", table.time(|c| c.session.created_at)),
        ("updated_at", table.time(|c| c.session.created_at)),
    ];
    table.rows("chat_sessions", columns)
}

/// The turns.
pub(crate) fn turns(tenant: TenantId, conversations: &[Conversation]) -> Bulk {
    let rows: Vec<_> =
        conversations.iter().flat_map(|c| c.turns.iter().map(move |turn| (&c.session, turn))).collect();
    let table = Table(tenant, rows.iter().collect());
    let NodeId(node) = NODE;
    let columns = vec![
        ("id", table.uuid(|(_, turn)| Some(turn.id.0))),
        ("session_id", table.uuid(|(session, _)| Some(session.id.0))),
        ("parent_turn_id", table.uuid(|(_, turn)| turn.parent_turn.map(|id| id.0))),
        ("parent_id", table.uuid(|(_, turn)| turn.parent.map(|id| id.0))),
        ("user_message_id", table.uuid(|(_, turn)| Some(turn.question.0))),
        ("assistant_message_id", table.uuid(|(_, turn)| turn.answer.map(|id| id.0))),
        ("state", table.text(|(_, turn)| Some(turn.state.to_value()))),
        ("model", table.text(|(session, _)| Some(session.model.to_owned()))),
        ("input", table.json(|(session, _)| Some(turn_input(session.user.0)))),
        ("llm_call_id", table.uuid(|(_, turn)| turn.call.map(|id| id.0))),
        ("node_id", table.uuid(|_| Some(node))),
        ("error", table.text(|(_, turn)| turn.error.clone())),
        ("stop_requested", table.flag(|_| false)),
        ("started_at", table.time(|(_, turn)| turn.created_at)),
        ("ended_at", table.time(|(_, turn)| turn.ended_at)),
        ("created_at", table.time(|(_, turn)| turn.created_at)),
        ("updated_at", table.time(|(_, turn)| turn.ended_at)),
    ];
    table.rows("turns", columns)
}

/// The stored input of a turn after the question was stored as a message.
fn turn_input(sender: Uuid) -> String {
    format!(r#"{{"content":null,"follows":"head","settings":{{}},"metadata":{{}},"sender":"{sender}"}}"#)
}

/// The messages.
pub(crate) fn messages(tenant: TenantId, conversations: &[Conversation]) -> Bulk {
    let rows: Vec<_> = conversations
        .iter()
        .flat_map(|c| {
            c.messages.iter().zip(1_u64..).map(move |(message, number)| (&c.session, message, number))
        })
        .collect();
    let table = Table(tenant, rows.iter().collect());
    let is_user = |role| role == loam_conversation::messages::entity::Role::User;
    let columns = vec![
        ("id", table.uuid(|(_, m, _)| Some(m.id.0))),
        ("session_id", table.uuid(|(session, _, _)| Some(session.id.0))),
        ("turn_id", table.uuid(|(_, m, _)| Some(m.turn.0))),
        ("parent_id", table.uuid(|(_, m, _)| m.parent.map(|id| id.0))),
        ("sender_id", table.uuid(|(session, m, _)| is_user(m.role).then_some(session.user.0))),
        ("sequence_number", table.int(|(_, _, number)| Some(*number))),
        ("role", table.text(|(_, m, _)| Some(m.role.to_value()))),
        ("content", table.text(|(_, m, _)| Some(m.content.clone()))),
        ("tool_calls", table.json(|(_, m, _)| m.tool_calls.as_ref().map(Value::to_string))),
        ("tool_call_id", table.text(|(_, m, _)| m.tool_call_id.clone())),
        ("model", table.text(|(session, m, _)| m.call.map(|_| session.model.to_owned()))),
        ("prompt_tokens", table.int(|(_, m, _)| m.tokens.map(|(input, _)| input))),
        ("completion_tokens", table.int(|(_, m, _)| m.tokens.map(|(_, output)| output))),
        ("llm_call_id", table.uuid(|(_, m, _)| m.call.map(|id| id.0))),
        ("finish_reason", table.text(|(_, m, _)| m.finish.map(|finish| finish.to_value()))),
        ("metadata", table.json(|_| Some("{}".to_owned()))),
        ("created_at", table.time(|(_, m, _)| m.created_at)),
        ("updated_at", table.time(|(_, m, _)| m.created_at)),
    ];
    table.rows("messages", columns)
}

/// The tool calls.
pub(crate) fn tool_calls(tenant: TenantId, conversations: &[Conversation]) -> Bulk {
    let rows: Vec<_> =
        conversations.iter().flat_map(|c| c.tool_calls.iter().map(move |call| (&c.session, call))).collect();
    let table = Table(tenant, rows.iter().collect());
    let columns = vec![
        ("id", table.uuid(|(_, call)| Some(call.id))),
        ("session_id", table.uuid(|(session, _)| Some(session.id.0))),
        ("turn_id", table.uuid(|(_, call)| Some(call.turn.0))),
        ("message_id", table.uuid(|(_, call)| Some(call.message.0))),
        ("llm_call_id", table.uuid(|(_, call)| Some(call.call.0))),
        ("user_id", table.uuid(|(session, _)| Some(session.user.0))),
        ("call_id", table.text(|(_, call)| Some(call.call_id.clone()))),
        ("tool_name", table.text(|(_, call)| Some(call.name.to_owned()))),
        ("tool_args", table.text(|(_, call)| Some(call.arguments.clone()))),
        ("result", table.text(|(_, call)| Some(call.result.clone()))),
        ("status", table.text(|_| Some("succeeded".to_owned()))),
        ("duration_ms", table.int(|(_, call)| u64::try_from(call.duration_ms).ok())),
        ("created_at", table.time(|(_, call)| call.created_at)),
        ("updated_at", table.time(|(_, call)| call.created_at)),
    ];
    table.rows("tool_calls", columns)
}
