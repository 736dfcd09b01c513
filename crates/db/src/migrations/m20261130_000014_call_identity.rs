//! What tells that several spans report one model call.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("llm_calls", |t| _ = t.text("response_id?").json("span_links?"));
}
