//! What is wrong with an OpenAPI document. The only place that validates.

use std::collections::HashSet;

use loam_kernel::truncate_chars;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Maximum number of listed faults.
const MAX_FAULTS: usize = 100;
/// The fields of a path that are operations.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A fault of an OpenAPI document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SpecValidationError {
    /// Its place, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
}

/// The faults of a document: of its version, its `info`, its paths and the ids of its operations.
pub(super) fn faults(document: &Value) -> Vec<SpecValidationError> {
    let mut found = Vec::new();
    let mut fault = |pointer: String, message: String| found.push(SpecValidationError { pointer, message });
    let version = document["openapi"].as_str().unwrap_or_default();
    if !version.starts_with("3.0.") && !version.starts_with("3.1.") {
        fault("/openapi".to_owned(), "must be a version 3.0.x or 3.1.x".to_owned());
    }
    match &document["info"] {
        Value::Object(info) => {
            for name in ["title", "version"] {
                if !info.get(name).is_some_and(Value::is_string) {
                    fault(format!("/info/{name}"), "must be a text".to_owned());
                }
            }
        }
        _ => fault("/info".to_owned(), "must be an object with `title` and `version`".to_owned()),
    }
    match &document["paths"] {
        Value::Object(paths) => {
            let mut ids = HashSet::new();
            for (path, item) in paths {
                let place = format!("/paths/{}", path.replace('~', "~0").replace('/', "~1"));
                if !path.starts_with('/') && !path.starts_with("x-") {
                    fault(place.clone(), "must begin with a slash".to_owned());
                }
                for method in METHODS {
                    let id = item[method]["operationId"].as_str();
                    if let Some(id) = id
                        && !ids.insert(id)
                    {
                        let message =
                            format!("`{}` is the ID of another operation too", truncate_chars(id, 100));
                        fault(format!("{place}/{method}/operationId"), message);
                    }
                }
            }
        }
        Value::Null if version.starts_with("3.1.") => {
            if document["components"].is_null() && document["webhooks"].is_null() {
                let message = "must have `paths`, `components` or `webhooks`";
                fault(String::new(), message.to_owned());
            }
        }
        _ => fault("/paths".to_owned(), "must be an object".to_owned()),
    }
    found.truncate(MAX_FAULTS);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_named_by_its_pointer() {
        let info = json!({ "title": "Shop", "version": "1" });
        let pointers = |document: Value| -> Vec<String> {
            faults(&document).into_iter().map(|fault| fault.pointer).collect()
        };
        assert!(pointers(json!({ "openapi": "3.1.0", "info": info, "webhooks": {} })).is_empty());
        assert!(pointers(json!({ "openapi": "3.0.3", "info": info, "paths": {} })).is_empty());
        assert_eq!(
            pointers(json!({ "openapi": "3.0.3", "info": {} })),
            ["/info/title", "/info/version", "/paths"]
        );
        assert_eq!(pointers(json!({ "openapi": "2.0" })), ["/openapi", "/info", "/paths"]);
        assert_eq!(pointers(json!({ "openapi": "3.1.0", "info": info })), [""]);
        let operation = json!({ "operationId": "list" });
        let paths = json!({ "/a/b": { "get": operation, "put": operation }, "c": [], "x-own": 1 });
        let found = pointers(json!({ "openapi": "3.1.0", "info": info, "paths": paths }));
        assert_eq!(found, ["/paths/~1a~1b/put/operationId", "/paths/c"]);
    }
}
