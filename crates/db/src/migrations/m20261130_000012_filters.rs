//! Indexes for the filters of the audit trail by actor, and of request records by session.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("audit_logs", |t| _ = t.index(&["actor"]));
    schema.add_columns("api_logs", |t| _ = t.partial_index(&["session_id"], "session_id IS NOT NULL"));
}
