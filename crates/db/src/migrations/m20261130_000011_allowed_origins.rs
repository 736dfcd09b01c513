//! The web origins whose pages can use an API key.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("api_keys", |t| _ = t.json("allowed_origins?"));
}
