//! The errors of each operation, by status and with their codes.
//!
//! Most follow from what an operation takes, and are derived here: whoever needs a credential can be told 401, whoever names a
//! resource 404. A handler adds the codes of its own rules, by status: `extensions(("x-errors" = json!({"409": ["in_use"]})))`.
//! `x-calls-model` adds the errors of a model call.
//! A handler whose errors have another format, without codes, declares it as the content of a `4XX` response.

use std::collections::BTreeMap;

use loam_http::surface::{ErrorBody, ErrorDetail};
use serde_json::{Value, json};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::{ContentBuilder, OpenApi as Document, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{PartialSchema, ToSchema};

use super::error_codes::{DERIVED, Derived, MODEL_CALL, meaning};
use super::walk::{self, Place};

/// Extension of an operation: the codes that its handler adds.
const ADDED: &str = "x-errors";
/// Extension of an operation: it calls a model, with the errors of a call.
const CALLS_MODEL: &str = "x-calls-model";
/// Extension of a response: its codes, for programs.
const CODES: &str = "x-error-codes";
const TEMPLATE: &str = "4XX";

/// What decides which errors an operation can return.
pub(super) struct Traits {
    pub(super) is_public: bool,
    /// It requires a permission.
    pub(super) has_permission: bool,
    /// Its path names a resource.
    pub(super) has_id: bool,
    pub(super) has_body: bool,
    pub(super) has_if_match: bool,
    /// It accepts an `Idempotency-Key`.
    pub(super) is_idempotent: bool,
    /// It is part of Loam's own API, which refuses unknown query parameters.
    pub(super) is_own_api: bool,
}

impl Traits {
    fn of(method: &str, path: &str, operation: &Operation) -> Self {
        let security = operation.security.iter().flatten().next().map(|security| json!(security));
        let permissions = security.as_ref().and_then(|security| security["api_key"].as_array());
        let mut parameters = operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        });
        let is_own_api = path.starts_with("/api/");
        let is_public = permissions.is_none();
        Self {
            is_public,
            has_permission: permissions.is_some_and(|permissions| !permissions.is_empty()),
            has_id: path.contains('{'),
            has_body: operation.request_body.is_some(),
            has_if_match: parameters.any(|parameter| {
                parameter.parameter_in == ParameterIn::Header && parameter.name == "If-Match"
            }),
            is_idempotent: is_own_api && method == "post" && !is_public,
            is_own_api,
        }
    }
}

/// Replaces the error responses of every operation that has any by those that it can return.
pub(super) fn describe(document: &mut Document) {
    for Place { method, path, operation } in walk::operations(document) {
        if !path.starts_with("/api/") && !operation.responses.responses.contains_key(TEMPLATE) {
            continue;
        }
        let traits = Traits::of(method, path, operation);
        let mut added = added(operation);
        let format = operation.responses.responses.remove(TEMPLATE).filter(|format| !is_standard(format));
        for derived in DERIVED.iter().filter(|derived| (derived.applies)(&traits)) {
            let more = added.remove(derived.status).unwrap_or_default();
            let response = match &format {
                None if more.is_empty() => RefOr::Ref(Ref::from_response_name(derived.name)),
                _ => RefOr::T(response(derived.status, codes(derived, more), format.as_ref())),
            };
            operation.responses.responses.insert(derived.status.to_owned(), response);
        }
        for (status, codes) in added {
            let response = response(&status, codes, format.as_ref());
            operation.responses.responses.insert(status, RefOr::T(response));
        }
    }
    let components = document.components.get_or_insert_default();
    for derived in DERIVED {
        let mut response = response(derived.status, codes(derived, Vec::new()), None);
        if let Some(RefOr::T(content)) = response.content.get_mut("application/json") {
            content.example = Some(example(derived));
        }
        components.responses.insert(derived.name.to_owned(), RefOr::T(response));
    }
    components.schemas.insert(ErrorBody::name().into_owned(), ErrorBody::schema());
    components.schemas.insert(ErrorDetail::name().into_owned(), ErrorDetail::schema());
}

/// A body with the first of the codes.
fn example(derived: &Derived) -> Value {
    let class = match derived.status {
        "401" => "authentication_error",
        "403" => "permission_error",
        "429" => "rate_limit_error",
        "500" | "503" => "server_error",
        _ => "invalid_request_error",
    };
    json!({ "error": {
        "code": derived.codes[0],
        "message": meaning(derived.status),
        "type": class,
        "param": null,
        "request_id": "01a22bf5-a85d-77c3-8c7f-39a23d40da71",
    } })
}

/// Takes the codes that a handler adds, by status.
fn added(operation: &mut Operation) -> BTreeMap<String, Vec<String>> {
    let Some(extensions) = &mut operation.extensions else { return BTreeMap::new() };
    let own = extensions.remove(ADDED).and_then(|own| serde_json::from_value(own).ok());
    let mut added: BTreeMap<String, Vec<String>> = own.unwrap_or_default();
    if extensions.remove(CALLS_MODEL).is_some() {
        for (status, codes) in MODEL_CALL {
            let codes = codes.iter().map(|&code| code.to_owned());
            added.entry((*status).to_owned()).or_default().extend(codes);
        }
    }
    if extensions.is_empty() {
        operation.extensions = None;
    }
    added
}

/// Whether a response has the usual format.
fn is_standard(response: &RefOr<Response>) -> bool {
    let RefOr::T(response) = response else { return false };
    let standard = Some(RefOr::Ref(Ref::from_schema_name(ErrorBody::name())));
    response
        .content
        .values()
        .all(|content| matches!(content, RefOr::T(content) if content.schema == standard))
}

fn codes(derived: &Derived, more: Vec<String>) -> Vec<String> {
    let mut codes: Vec<String> = derived.codes.iter().map(|&code| code.to_owned()).collect();
    codes.extend(more.into_iter().filter(|code| !derived.codes.contains(&code.as_str())));
    codes
}

fn response(status: &str, codes: Vec<String>, format: Option<&RefOr<Response>>) -> Response {
    let meaning = meaning(status);
    if let Some(RefOr::T(format)) = format {
        let mut response = format.clone();
        meaning.clone_into(&mut response.description);
        return response;
    }
    let description = format!("{meaning} Codes: `{}`.", codes.join("`, `"));
    let schema = Ref::from_schema_name(ErrorBody::name());
    ResponseBuilder::new()
        .description(description)
        .content("application/json", ContentBuilder::new().schema(Some(schema)).build())
        .extensions(Some(ExtensionsBuilder::new().add(CODES, Value::from(codes)).build()))
        .build()
}
