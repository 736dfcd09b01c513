//! Alert rules whose thresholds follow their project's.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("alert_rules", |t| _ = t.boolean("is_managed?"));
}
