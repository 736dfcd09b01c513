//! Names what utoipa inlines: generators make a type of each named schema, and an unnamed copy of each inlined one.
//!
//! - utoipa inlines the rows of a generic `Page<T>`. An object that equals a named schema becomes a `$ref` to it.
//! - Bytes become an array of integers. In a body they are binary.
//! - `serde_json`'s types become `{}` and `{"type": "object"}`, which generators read as an object without fields. They
//!   become [`JsonValue`] and [`JsonObject`].

use std::collections::BTreeSet;

use loam_kernel::{JsonObject, JsonValue};
use utoipa::openapi::schema::{
    AdditionalProperties, KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, SchemaType, Type,
};
use utoipa::openapi::{OpenApi as Document, Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::walk;

/// Describes bodies of bytes, which utoipa takes for arrays of integers.
pub(super) fn name_bytes(document: &mut Document) {
    let binary = SchemaFormat::KnownFormat(KnownFormat::Binary);
    let bytes = ObjectBuilder::new().schema_type(Type::String).format(Some(binary)).build();
    for content in walk::contents(document) {
        if matches!(content.schema, Some(RefOr::T(Schema::Array(_)))) {
            content.schema = Some(RefOr::T(Schema::Object(bytes.clone())));
        }
    }
}

/// Replaces inlined copies of named schemas by references.
pub(super) fn name_copies(document: &mut Document) {
    let Some(components) = &document.components else { return };
    let is_composed = |schema: &Schema| match schema {
        Schema::Object(object) => !object.properties.is_empty(),
        Schema::Array(_) => false,
        _ => true,
    };
    let composed = components.schemas.iter().filter_map(|(name, schema)| match schema {
        RefOr::T(schema) if is_composed(schema) => Some((name.clone(), schema.clone())),
        _ => None,
    });
    let named: Vec<(String, Schema)> = composed.collect();
    walk::everywhere(document, &mut |schema| {
        let RefOr::T(inlined) = schema else { return };
        if let Some((name, _)) = named.iter().find(|(_, known)| known == inlined) {
            *schema = RefOr::Ref(Ref::from_schema_name(name));
        }
    });
}

/// Names JSON of any shape.
pub(super) fn name_free_forms(document: &mut Document) {
    walk::everywhere(document, &mut |schema| {
        let RefOr::T(Schema::Object(object)) = schema else { return };
        let is_free = object.properties.is_empty()
            && object.enum_values.is_none()
            && match object.additional_properties.as_deref() {
                None => true,
                Some(AdditionalProperties::FreeForm(allowed)) => *allowed,
                Some(AdditionalProperties::RefOr(values)) => *values == any_value(),
            };
        let is_object = SchemaType::Type(Type::Object);
        let is_nullable_object = SchemaType::Array(vec![Type::Object, Type::Null]);
        let description = object.description.clone().unwrap_or_default();
        let named = |name: &str| {
            let mut named = Ref::from_schema_name(name);
            named.description.clone_from(&description);
            named
        };
        if object.schema_type.is_any_value() {
            *schema = RefOr::Ref(named(&JsonValue::name()));
        } else if is_free && object.schema_type == is_object {
            *schema = RefOr::Ref(named(&JsonObject::name()));
        } else if is_free && object.schema_type == is_nullable_object {
            let null = ObjectBuilder::new().schema_type(Type::Null);
            let either = OneOfBuilder::new().item(named(&JsonObject::name())).item(null);
            *schema = either.into();
        }
    });
    let components = document.components.get_or_insert_default();
    components.schemas.insert(JsonValue::name().into_owned(), JsonValue::schema());
    components.schemas.insert(JsonObject::name().into_owned(), JsonObject::schema());
}

/// Values of a map of any values, after they were visited.
fn any_value() -> RefOr<Schema> {
    RefOr::Ref(Ref::from_schema_name(JsonValue::name()))
}

/// Removes schemas that nothing refers to.
pub(super) fn drop_unused(document: &mut Document) {
    loop {
        let mut used = BTreeSet::new();
        walk::everywhere(document, &mut |schema| {
            if let RefOr::Ref(to) = schema {
                used.insert(to.ref_location.clone());
            }
        });
        let Some(components) = &mut document.components else { return };
        let before = components.schemas.len();
        components.schemas.retain(|name, _| used.contains(&Ref::from_schema_name(name).ref_location));
        if components.schemas.len() == before {
            return;
        }
    }
}
