//! Titles in the index of the list of sessions, from which a search reads them without the rows.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("chat_sessions", |t| _ = t.index(&["last_activity", "id", "title"]));
    schema.statement("DROP INDEX chat_sessions_last_activity_id_idx");
}
