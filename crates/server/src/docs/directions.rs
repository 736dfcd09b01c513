//! What is required differs between what a client sends and what it receives.
//!
//! A field with a default may be left out of a request, but is always in a response; a field that may be null is null there,
//! not absent. So in the schemas of responses all of these are required. Only fields that the server leaves out
//! (`skip_serializing_if`) are not: they are declared `nullable = false`, or `default = json!(null)` if they are no `Option`.
//! A schema of both directions for which that makes a difference is split: the request's gets the suffix `Input`.
//!
//! In requests a default is part of the description, as `openapi-typescript` takes a field with `default` for a required one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use utoipa::openapi::schema::{Schema, SchemaType, Type};
use utoipa::openapi::{OpenApi as Document, Ref, RefOr};

use super::walk::{self, Place};

const INPUT: &str = "Input";

type Schemas = BTreeMap<String, RefOr<Schema>>;

/// Removes defaults of null: a field that is left out without a default is the same.
pub(super) fn drop_null_defaults(document: &mut Document) {
    walk::everywhere(document, &mut |schema| {
        if let Some(default) = default_of(schema)
            && default.as_ref().is_some_and(Value::is_null)
        {
            *default = None;
        }
    });
}

fn default_of(schema: &mut RefOr<Schema>) -> Option<&mut Option<Value>> {
    match schema {
        RefOr::Ref(to) => Some(&mut to.default),
        RefOr::T(Schema::Object(object)) => Some(&mut object.default),
        RefOr::T(Schema::Array(array)) => Some(&mut array.default),
        RefOr::T(Schema::OneOf(one)) => Some(&mut one.default),
        RefOr::T(_) => None,
    }
}

/// Moves the default of a request's field to its description.
fn describe_default(schema: &mut RefOr<Schema>) {
    let Some(default) = default_of(schema).and_then(Option::take) else { return };
    let add = |text: &str| {
        let is_described = text.contains("efault");
        if is_described {
            text.to_owned()
        } else {
            format!("{text} Defaults to `{default}`.").trim_start().to_owned()
        }
    };
    let description = match schema {
        RefOr::Ref(to) => {
            to.description = add(&to.description);
            return;
        }
        RefOr::T(Schema::Object(object)) => &mut object.description,
        RefOr::T(Schema::Array(array)) => &mut array.description,
        RefOr::T(Schema::OneOf(one)) => &mut one.description,
        RefOr::T(_) => return,
    };
    *description = Some(add(description.as_deref().unwrap_or_default()));
}

/// Completes `required` in the schemas of responses, and splits schemas of both directions.
pub(super) fn split(document: &mut Document) {
    let (mut sent, mut received) = (Vec::new(), Vec::new());
    for Place { operation, .. } in walk::operations(document) {
        sent.extend(walk::request_schemas(operation).into_iter().flat_map(names_in));
        received.extend(walk::response_schemas(operation).into_iter().flat_map(names_in));
    }
    let Some(components) = &mut document.components else { return };
    let inputs = components.schemas.clone();
    let (sent, received) = (closure(&inputs, sent), closure(&inputs, received));
    for name in &received {
        if let Some(RefOr::T(schema)) = components.schemas.get_mut(name) {
            require(schema);
            walk::within(schema, &mut |inner| {
                if let RefOr::T(inner) = inner {
                    require(inner);
                }
            });
        }
    }
    let changed = |name: &String| inputs.get(name) != components.schemas.get(name);
    let differing: BTreeSet<String> = received.iter().filter(|name| changed(name)).cloned().collect();
    // a schema also differs if one that it refers to does
    let is_split = |name: &String| {
        received.contains(name) && !closure(&inputs, vec![name.clone()]).is_disjoint(&differing)
    };
    let split: BTreeSet<String> = sent.into_iter().filter(is_split).collect();
    let mut rename = |schema: &mut RefOr<Schema>| {
        if let RefOr::Ref(to) = schema
            && let Some(name) = walk::name_of(to).filter(|name| split.contains(*name))
        {
            to.ref_location = Ref::from_schema_name(format!("{name}{INPUT}")).ref_location;
        }
    };
    for (name, mut schema) in inputs {
        if received.contains(&name) && !split.contains(&name) {
            continue;
        }
        if let RefOr::T(schema) = &mut schema {
            walk::within(schema, &mut rename);
            walk::within(schema, &mut describe_default);
        }
        let name = if split.contains(&name) { format!("{name}{INPUT}") } else { name };
        components.schemas.insert(name, schema);
    }
    for Place { operation, .. } in walk::operations(document) {
        walk::request_schemas(operation).into_iter().for_each(|schema| walk::from(schema, &mut rename));
    }
}

/// Requires the properties of an object that are in every response.
fn require(schema: &mut Schema) {
    let Schema::Object(object) = schema else { return };
    for (name, property) in &object.properties {
        if !object.required.contains(name) && is_always_present(property) {
            object.required.push(name.clone());
        }
    }
}

/// Whether an optional property of a request is always in a response.
fn is_always_present(property: &RefOr<Schema>) -> bool {
    let is_nullable = |schema_type: &SchemaType| match schema_type {
        SchemaType::Array(types) => types.contains(&Type::Null),
        SchemaType::Type(only) => *only == Type::Null,
        SchemaType::AnyValue => true,
    };
    match property {
        RefOr::Ref(to) => to.default.is_some(),
        RefOr::T(Schema::Object(object)) => object.default.is_some() || is_nullable(&object.schema_type),
        RefOr::T(Schema::Array(array)) => array.default.is_some() || is_nullable(&array.schema_type),
        RefOr::T(Schema::OneOf(one)) => one.default.is_some() || one.items.iter().any(is_null),
        RefOr::T(_) => false,
    }
}

fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if object.schema_type == SchemaType::Type(Type::Null))
}

/// The names that a schema refers to directly.
fn names_in(schema: &mut RefOr<Schema>) -> Vec<String> {
    let mut names = Vec::new();
    walk::from(schema, &mut |inner| {
        if let RefOr::Ref(to) = inner {
            names.extend(walk::name_of(to).map(str::to_owned));
        }
    });
    names
}

/// The names that can be reached from `names`, these included.
fn closure(schemas: &Schemas, mut names: Vec<String>) -> BTreeSet<String> {
    let mut reached = BTreeSet::new();
    while let Some(name) = names.pop() {
        if let Some(schema) = schemas.get(&name)
            && reached.insert(name)
        {
            names.extend(names_in(&mut schema.clone()));
        }
    }
    reached
}
