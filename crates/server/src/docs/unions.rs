//! Names the variants of tagged unions, and their discriminator: generators narrow a union by it.
//!
//! A variant that consists of a tag and a type is written as one object: the type alone may refuse the tag as an unknown field.

use std::collections::BTreeMap;

use utoipa::openapi::schema::{Discriminator, Object, OneOf, Schema};
use utoipa::openapi::{OpenApi as Document, Ref, RefOr};

use super::walk;

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Adds a discriminator to every named union whose variants have one, and names the variants.
pub(super) fn discriminate(document: &mut Document) {
    let Some(components) = &mut document.components else { return };
    let known = components.schemas.clone();
    let mut variants = Schemas::new();
    for (name, schema) in &mut components.schemas {
        if let RefOr::T(Schema::OneOf(union)) = schema {
            variants.extend(name_variants(name, union, &known));
        }
    }
    components.schemas.extend(variants);
}

fn name_variants(name: &str, union: &mut OneOf, known: &Schemas) -> Schemas {
    let mut variants = Schemas::new();
    let Some((property, values)) = tag_of(union) else { return variants };
    let mut discriminator = Discriminator::new(property);
    for (item, value) in union.items.iter_mut().zip(values) {
        let variant = format!("{name}{}", pascal_case(&value));
        let to = Ref::from_schema_name(&variant);
        discriminator.mapping.insert(value, to.ref_location.clone());
        let schema = std::mem::replace(item, RefOr::Ref(to));
        variants.insert(variant, merged(&schema, known).unwrap_or(schema));
    }
    union.discriminator = Some(discriminator);
    variants
}

/// The parts of a schema as one object, if all of them are objects.
fn merged(schema: &RefOr<Schema>, known: &Schemas) -> Option<RefOr<Schema>> {
    let RefOr::T(Schema::AllOf(all)) = schema else { return None };
    let mut whole = Object::new();
    whole.description.clone_from(&all.description);
    for item in &all.items {
        let part = match item {
            RefOr::Ref(to) => known.get(walk::name_of(to)?)?,
            part => part,
        };
        let RefOr::T(Schema::Object(part)) = part else { return None };
        whole.properties.extend(part.properties.clone());
        whole.required.extend(part.required.iter().cloned());
        if part.additional_properties.is_some() {
            whole.additional_properties.clone_from(&part.additional_properties);
        }
    }
    Some(RefOr::T(Schema::Object(whole)))
}

/// The property whose value names the variant, and its value for each variant.
fn tag_of(union: &OneOf) -> Option<(String, Vec<String>)> {
    let tags: Vec<Vec<(String, String)>> = union.items.iter().map(constants).collect();
    let (property, _) = tags
        .first()?
        .iter()
        .find(|(name, _)| tags.iter().all(|tags| tags.iter().any(|(other, _)| other == name)))?;
    let value = |tags: &Vec<(String, String)>| {
        tags.iter().find(|(name, _)| name == property).map(|(_, value)| value.clone())
    };
    Some((property.clone(), tags.iter().filter_map(value).collect()))
}

/// The properties of a variant that have only one value.
fn constants(variant: &RefOr<Schema>) -> Vec<(String, String)> {
    match variant {
        RefOr::T(Schema::Object(object)) => {
            let constant = |(name, schema): (&String, &RefOr<Schema>)| match schema {
                RefOr::T(Schema::Object(Object { enum_values: Some(values), .. })) if values.len() == 1 => {
                    Some((name.clone(), values[0].as_str()?.to_owned()))
                }
                _ => None,
            };
            object.properties.iter().filter_map(constant).collect()
        }
        RefOr::T(Schema::AllOf(all)) => all.items.iter().flat_map(constants).collect(),
        _ => Vec::new(),
    }
}

fn pascal_case(value: &str) -> String {
    let words = value.split(|c: char| !c.is_ascii_alphanumeric());
    words
        .flat_map(|word| {
            word.chars().enumerate().map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c })
        })
        .collect()
}
