//! Settings of sessions and of turns as they were sent: schemas in them keep the order of their keys.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.postgres("ALTER TABLE session_configs ALTER COLUMN value TYPE text USING value::text");
    schema.postgres("ALTER TABLE turns ALTER COLUMN input TYPE text USING input::text");
}
