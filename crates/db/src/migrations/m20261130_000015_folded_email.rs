//! Finds users by e-mail addresses in any case, of rows in which they are not stored in lower case.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.statement("CREATE INDEX users_tenant_id_lower_email_idx ON users (tenant_id, lower(email))");
}
