//! Sums of what calls are counted by besides tokens.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("usage_stats", |t| _ = t.json("quantities?"));
}
