//! The schemas of JSON whose shape Loam does not define, for fields of `serde_json`'s types in the OpenAPI document.

use utoipa::openapi::schema::{AdditionalProperties, AnyOfBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

/// Any JSON value.
#[derive(Debug)]
pub struct JsonValue;

/// A JSON object with any fields.
#[derive(Debug)]
pub struct JsonObject;

impl PartialSchema for JsonValue {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(SchemaType::AnyValue)
            .description(Some("Any JSON value, null included."))
            .into()
    }
}

impl ToSchema for JsonValue {}

impl PartialSchema for JsonObject {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some("A JSON object with any fields."))
            .into()
    }
}

impl ToSchema for JsonObject {}

/// The schema of a field that a response leaves out in some cases, and that is null in others. All other fields that may be null
/// are always present.
pub fn null_or<T: ToSchema>() -> RefOr<Schema> {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    AnyOfBuilder::new().item(Ref::from_schema_name(T::name())).item(null).into()
}
