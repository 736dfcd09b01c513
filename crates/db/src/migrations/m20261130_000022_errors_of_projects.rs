//! An index for the groups of a project's errors.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("error_logs", |t| {
        _ = t.partial_index(&["project_id", "fingerprint"], "project_id IS NOT NULL");
    });
}
