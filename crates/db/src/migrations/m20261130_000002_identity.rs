//! Who made a key and whether it is an operator's; the issuer and audience of a token issuer, which a tenant claims for
//! itself alone.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("api_keys", |t| {
        _ = t.uuid("maker_tenant_id?").uuid("maker_user_id?").uuid("maker_key_id?").boolean("is_operator?");
    });
    schema.statement(
        "CREATE INDEX users_imported_password_idx ON users (substr(password_hash, 5, 2)) \
         WHERE substr(password_hash, 1, 2) = '$2'",
    );
    schema.statement("DROP INDEX token_issuers_issuer_audience_key");
    schema.add_columns("token_issuers", |t| _ = t.unique(&["issuer", "audience"]));
}
