//! What stays of an audit row whose personal data was erased, and when bodies were deleted.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("audit_logs", |t| {
        t.int("version?").bytes("origin_salt?").bytes("origin_commitment?");
        t.bytes("changes_salt?").bytes("changes_commitment?").timestamp("erased_at?");
    });
    schema.add_columns("llm_calls", |t| _ = t.timestamp("bodies_deleted_at?"));
    schema.add_columns("turns", |t| _ = t.timestamp("events_deleted_at?"));
}
