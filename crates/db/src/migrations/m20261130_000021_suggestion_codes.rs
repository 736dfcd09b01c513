//! What the texts of suggestions are made from.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("suggestions", |t| _ = t.text("code?").json("parameters?"));
}
