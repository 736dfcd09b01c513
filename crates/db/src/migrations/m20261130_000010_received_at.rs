//! When a request of an application was received, beside when it started.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("performance_records", |t| _ = t.timestamp("received_at?"));
}
