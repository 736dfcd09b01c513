//! What authentication, generated clients and the black-box tests rely on in the document.

use std::collections::HashSet;

use serde_json::Value;

/// The only operations that need no credential.
const PUBLIC: [&str; 5] =
    ["/healthz", "/readyz", "/api/v1/login", "/.well-known/jwks.json", "/api/v1/channels/{id}/events"];
/// The only ones for which any credential will do.
const OWN: [&str; 3] = ["/api/v1/session", "/api/v1/session/password", "/api/v1/logout"];
/// What no operation asks for: the first is for a header that goes with any of them, the last for one of the changes of a
/// document's status, the others widen what is seen.
const BESIDES: [&str; 6] = [
    "tenants:open",
    "chat_sessions:all",
    "user_preferences:all",
    "erasures:all",
    "exports:all",
    "documents:approve",
];

/// Path, method and content of every operation.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    let all = paths.iter().flat_map(|(path, item)| {
        let methods =
            item.as_object().unwrap().iter().filter(|(_, operation)| operation["responses"].is_object());
        methods.map(|(method, operation)| (path.clone(), method.clone(), operation.clone()))
    });
    all.collect()
}

fn document() -> Value {
    serde_json::from_str(&loam_server::openapi_text().unwrap()).unwrap()
}

/// What a project's key, which sends, is told.
const WATCHED: &str = "/api/v1/ingest/config";

#[tokio::test]
async fn every_operation_has_a_name_of_its_own_and_a_described_tag() {
    let document = document();
    let tags: HashSet<&str> =
        document["tags"].as_array().unwrap().iter().filter_map(|tag| tag["name"].as_str()).collect();
    let operations = operations(&document);
    assert!(operations.len() > 30, "{} operations", operations.len());
    let mut names = HashSet::new();
    for (path, method, operation) in &operations {
        let name = operation["operationId"].as_str().unwrap_or_default();
        assert!(!name.is_empty() && names.insert(name), "{method} {path} has the operationId {name:?}");
        let tag = operation["tags"][0].as_str().unwrap_or_default();
        assert!(tags.contains(tag), "{method} {path} has the tag {tag:?}, which nothing describes");
        assert!(operation["summary"].is_string(), "{method} {path} does not say what it does");
    }
}

#[tokio::test]
async fn every_operation_names_its_permission_or_is_public() {
    let document = document();
    for (path, method, operation) in operations(&document) {
        let permission = operation["security"][0]["api_key"][0].as_str();
        let needs_none = PUBLIC.contains(&path.as_str()) || OWN.contains(&path.as_str());
        assert_eq!(permission.is_none(), needs_none, "{method} {path}: {permission:?}");
        let Some(permission) = permission else { continue };
        let known = loam_identity::permissions::exists(permission);
        assert!(known, "{method} {path} asks for the unknown permission {permission}");
        // what a key for reading can reach changes nothing; a project's key reads nothing but how it is watched
        let reads = method == "get" && path != WATCHED;
        if path.starts_with("/api/") {
            assert_eq!(permission.ends_with(":read"), reads, "{method} {path} asks for {permission}");
        }
    }
}

#[tokio::test]
async fn every_permission_is_asked_for_somewhere() {
    let document = document();
    let operations = operations(&document);
    for permission in loam_identity::permissions::all().filter(|name| !BESIDES.contains(name)) {
        let asks = |(_, _, operation): &(String, String, Value)| {
            operation["security"][0]["api_key"][0] == *permission
        };
        assert!(operations.iter().any(asks), "nothing asks for {permission}");
    }
}

#[tokio::test]
async fn lists_are_pages_and_every_answer_has_a_shape() {
    let document = document();
    for (path, method, operation) in
        operations(&document).iter().filter(|(path, ..)| path.starts_with("/api/"))
    {
        if operation["operationId"].as_str().unwrap().ends_with("_list") {
            let parameters = operation["parameters"].as_array().unwrap();
            let names: HashSet<&str> =
                parameters.iter().filter_map(|parameter| parameter["name"].as_str()).collect();
            assert!(names.contains("limit") && names.contains("cursor"), "{method} {path} can't be paged");
        }
        let is_public = operation["security"][0]["api_key"].is_null();
        for status in if is_public { vec!["429", "500", "503"] } else { vec!["401", "403", "500", "503"] } {
            assert!(operation["responses"][status].is_object(), "{method} {path} does not describe {status}");
        }
        for placeholder in path.split('{').skip(1).filter_map(|rest| rest.split('}').next()) {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            let described =
                parameters.filter(|parameter| parameter["in"] == "path" && parameter["name"] == placeholder);
            assert_eq!(described.count(), 1, "{method} {path} does not describe {placeholder}");
        }
    }
}
