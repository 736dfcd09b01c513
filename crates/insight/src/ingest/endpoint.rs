//! The endpoint of a request: the framework's route, or a template derived from the path.

use crate::redact::is_variable;

/// Maximum length in bytes; longer endpoints are truncated.
const MAX: usize = 300;
/// The placeholder for a variable path segment.
const ID: &str = "{id}";

/// `GET /users/{id}`: the framework's route if known, otherwise the path with placeholders for its ids.
pub(crate) fn endpoint(route: Option<&str>, method: Option<&str>, path: Option<&str>) -> String {
    let route = route.map(str::trim).filter(|route| !route.is_empty());
    let what = match (route, path) {
        (Some(route), _) if !route.starts_with('/') => return cut(route.to_owned()),
        (Some(route), _) => route.to_owned(),
        (None, Some(path)) => template(path),
        (None, None) => "unknown".to_owned(),
    };
    cut(match method {
        Some(method) => format!("{method} {what}"),
        None => what,
    })
}

/// The path with `{id}` for each segment that is a number, a UUID, a hash or a token.
fn template(path: &str) -> String {
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    let parts: Vec<&str> = path.split('/').map(|part| if is_variable(part) { ID } else { part }).collect();
    parts.join("/")
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn the_route_of_the_framework_is_used_unchanged() {
        assert_eq!(endpoint(Some("/users/<int:id>"), Some("GET"), Some("/users/7")), "GET /users/<int:id>");
        assert_eq!(endpoint(Some("GET /users/{id}"), Some("GET"), None), "GET /users/{id}");
        assert_eq!(endpoint(Some("nightly report"), None, None), "nightly report");
    }

    #[test]
    fn paths_that_differ_only_in_ids_are_one_endpoint() {
        for (path, expected) in [
            ("/api/users/123", "GET /api/users/{id}"),
            ("/api/users/550e8400-e29b-41d4-a716-446655440000/orders?page=2", "GET /api/users/{id}/orders"),
            ("/", "GET /"),
            ("", "GET "),
        ] {
            assert_eq!(endpoint(None, Some("GET"), Some(path)), expected);
        }
        assert_eq!(endpoint(None, None, None), "unknown");
    }
}
