//! Walks through the schemas and operations of a document.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Schema};
use utoipa::openapi::{Content, OpenApi as Document, Ref, RefOr, Response};

/// An operation with its place.
pub(super) struct Place<'a> {
    pub(super) method: &'static str,
    pub(super) path: &'a str,
    pub(super) operation: &'a mut Operation,
}

/// Every operation.
pub(super) fn operations(document: &mut Document) -> Vec<Place<'_>> {
    let mut all = Vec::new();
    for (path, item) in &mut document.paths.paths {
        let methods = [
            ("get", &mut item.get),
            ("put", &mut item.put),
            ("post", &mut item.post),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in methods {
            all.extend(operation.as_mut().map(|operation| Place { method, path, operation }));
        }
    }
    all
}

/// The schemas of an operation's request: its body and its parameters.
pub(super) fn request_schemas(operation: &mut Operation) -> Vec<&mut RefOr<Schema>> {
    let body = match &mut operation.request_body {
        Some(RefOr::T(body)) => Some(&mut body.content),
        _ => None,
    };
    let bodies = body.into_iter().flat_map(|content| content.values_mut()).filter_map(schema_of);
    let parameters = operation.parameters.iter_mut().flatten().filter_map(|parameter| match parameter {
        RefOr::T(parameter) => parameter.schema.as_mut(),
        RefOr::Ref(_) => None,
    });
    bodies.chain(parameters).collect()
}

/// The schemas of an operation's responses.
pub(super) fn response_schemas(operation: &mut Operation) -> Vec<&mut RefOr<Schema>> {
    operation.responses.responses.values_mut().flat_map(schemas_of_response).collect()
}

fn schemas_of_response(response: &mut RefOr<Response>) -> Vec<&mut RefOr<Schema>> {
    match response {
        RefOr::T(response) => response.content.values_mut().filter_map(schema_of).collect(),
        RefOr::Ref(_) => Vec::new(),
    }
}

/// The contents of every request and response.
pub(super) fn contents(document: &mut Document) -> Vec<&mut Content> {
    let mut all = Vec::new();
    for Place { operation, .. } in operations(document) {
        if let Some(RefOr::T(body)) = &mut operation.request_body {
            all.extend(body.content.values_mut());
        }
        for response in operation.responses.responses.values_mut() {
            if let RefOr::T(response) = response {
                all.extend(response.content.values_mut());
            }
        }
    }
    let inline = all.into_iter().filter_map(|content| match content {
        RefOr::T(content) => Some(content),
        RefOr::Ref(_) => None,
    });
    inline.collect()
}

fn schema_of(content: &mut RefOr<Content>) -> Option<&mut RefOr<Schema>> {
    match content {
        RefOr::T(content) => content.schema.as_mut(),
        RefOr::Ref(_) => None,
    }
}

/// The schemas directly within a schema.
fn children(schema: &mut Schema) -> Vec<&mut RefOr<Schema>> {
    match schema {
        Schema::Array(array) => match &mut array.items {
            ArrayItems::RefOrSchema(items) => vec![&mut **items],
            ArrayItems::False => Vec::new(),
        },
        Schema::Object(object) => {
            let more = match object.additional_properties.as_deref_mut() {
                Some(AdditionalProperties::RefOr(schema)) => Some(schema),
                _ => None,
            };
            object.properties.values_mut().chain(more).collect()
        }
        Schema::OneOf(one) => one.items.iter_mut().collect(),
        Schema::AllOf(all) => all.items.iter_mut().collect(),
        Schema::AnyOf(any) => any.items.iter_mut().collect(),
        _ => Vec::new(),
    }
}

/// Calls `visitor` with every schema within a schema, the innermost first.
pub(super) fn within(schema: &mut Schema, visitor: &mut dyn FnMut(&mut RefOr<Schema>)) {
    for child in children(schema) {
        from(child, visitor);
    }
}

/// Calls `visitor` with every schema within a schema, and then with the schema itself.
pub(super) fn from(schema: &mut RefOr<Schema>, visitor: &mut dyn FnMut(&mut RefOr<Schema>)) {
    if let RefOr::T(schema) = schema {
        within(schema, visitor);
    }
    visitor(schema);
}

/// Calls `visitor` with every schema of a document but the components themselves.
pub(super) fn everywhere(document: &mut Document, visitor: &mut dyn FnMut(&mut RefOr<Schema>)) {
    if let Some(components) = &mut document.components {
        for schema in components.schemas.values_mut() {
            if let RefOr::T(schema) = schema {
                within(schema, visitor);
            }
        }
        let responses = components.responses.values_mut().flat_map(schemas_of_response);
        responses.for_each(|schema| from(schema, visitor));
    }
    for Place { operation, .. } in operations(document) {
        request_schemas(operation).into_iter().for_each(|schema| from(schema, visitor));
        response_schemas(operation).into_iter().for_each(|schema| from(schema, visitor));
    }
}

/// The name of the schema that a reference leads to.
pub(super) fn name_of(to: &Ref) -> Option<&str> {
    to.ref_location.strip_prefix("#/components/schemas/")
}
