//! Bulk inserts of models, whose columns are those of the entity.

use sea_orm::{ActiveModelTrait, EntityTrait, IdenStatic, IntoActiveModel, Iterable, Value};

use crate::bulk::{Bulk, Column, OnConflict};

impl Bulk {
    /// Rows of an entity, with all its columns. Values are moved, not copied.
    pub fn models<E: EntityTrait>(rows: Vec<E::Model>, on_conflict: OnConflict) -> Self
    where
        E::Model: IntoActiveModel<E::ActiveModel>,
    {
        if rows.is_empty() {
            return Self::partial(E::default().table_name(), Vec::new(), on_conflict);
        }
        let mut rows: Vec<E::ActiveModel> =
            rows.into_iter().map(IntoActiveModel::into_active_model).collect();
        let columns = E::Column::iter().filter_map(|column| {
            let values = rows.iter_mut().map(|row| row.take(column).into_value()).collect::<Option<_>>();
            Some((column.as_str(), values_of(values?)?))
        });
        // a column whose type can't be written is not listed, so that writing fails
        Self::of::<E>(columns.collect(), on_conflict)
    }
}

/// The values of a column; none if their type can't be written in bulk.
fn values_of(values: Vec<Value>) -> Option<Column> {
    macro_rules! column {
        ($column:ident, $kind:ident, $stored:expr) => {{
            let stored = |value| match value {
                Value::$kind(value) => Some(value.map($stored)),
                _ => None,
            };
            values.into_iter().map(stored).collect::<Option<_>>().map(Column::$column)
        }};
        ($kind:ident) => {
            column!($kind, $kind, std::convert::identity)
        };
    }
    match values.first()? {
        Value::Uuid(_) => column!(Uuid),
        Value::String(_) => column!(Text, String, std::convert::identity),
        Value::Int(_) => column!(Int),
        Value::BigInt(_) => column!(BigInt),
        Value::Double(_) => column!(Double),
        Value::Bool(_) => column!(Bool),
        Value::ChronoDateTimeUtc(_) => column!(Time, ChronoDateTimeUtc, std::convert::identity),
        Value::Bytes(_) => column!(Bytes),
        Value::Json(_) => column!(Json, Json, |json| json.to_string()),
        _ => None,
    }
}
