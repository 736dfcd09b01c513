//! JSON whose keys keep their order.

use std::ops::{Deref, DerefMut};

use sea_orm::sea_query::{ArrayType, ColumnType, ValueType, ValueTypeErr};
use sea_orm::{ColIdx, DbErr, QueryResult, TryGetError, TryGetable, Value as DbValue};
use serde_json::Value;

/// The name of the type of such a column in entities.
pub(crate) const ORDERED_JSON: &str = "ordered_json";

/// JSON that is sent on as it was received, such as a JSON Schema: models answer in the order of its keys, which `jsonb`
/// doesn't keep. So PostgreSQL has it as `text`; SQLite has all JSON as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OrderedJson(pub Value);

impl From<Value> for OrderedJson {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

impl Deref for OrderedJson {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for OrderedJson {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

impl From<OrderedJson> for DbValue {
    fn from(json: OrderedJson) -> Self {
        json.0.to_string().into()
    }
}

impl TryGetable for OrderedJson {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        let text = String::try_get_by(row, index)?;
        let value = serde_json::from_str(&text).map_err(|e| DbErr::Json(e.to_string()))?;
        Ok(Self(value))
    }
}

impl ValueType for OrderedJson {
    fn try_from(value: DbValue) -> Result<Self, ValueTypeErr> {
        let text = <String as ValueType>::try_from(value)?;
        serde_json::from_str(&text).map(Self).map_err(|_| ValueTypeErr)
    }

    fn type_name() -> String {
        "OrderedJson".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::String
    }

    fn column_type() -> ColumnType {
        ColumnType::custom(ORDERED_JSON)
    }
}
