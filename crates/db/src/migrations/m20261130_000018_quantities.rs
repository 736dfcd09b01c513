//! What calls are counted by besides tokens, and its price.

use crate::schema::Schema;

pub(crate) fn up(schema: &mut Schema) {
    schema.add_columns("llm_calls", |t| _ = t.text("unit?").bigint("quantity_milli?"));
    schema.add_columns("model_prices", |t| _ = t.bigint("unit_nano_usd?"));
}
