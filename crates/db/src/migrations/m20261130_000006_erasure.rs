//! Whose a call is, in the application's own words.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("llm_calls", |t| {
        t.text("end_user?").partial_index(&["end_user", "id"], "end_user IS NOT NULL");
    });
}
