//! What applications send, without what nobody may read there: secrets in headers and parameters, values in statements.
//!
//! Applications leave secrets out themselves; this is for those that don't.

mod key;
mod statement;

use loam_platform::records::redact as common;
use serde_json::{Map, Value};

pub(crate) use common::text;
pub(crate) use key::{differs, key};
pub(crate) use statement::statement;

/// Headers without the values of those that hold secrets.
pub(crate) fn headers(headers: &mut Map<String, Value>) {
    fields(headers);
}

/// Query parameters without the values of those that hold secrets.
pub(crate) fn params(params: &mut Map<String, Value>) {
    fields(params);
}

/// A whole document that could not be taken, before it is kept.
pub(crate) fn document(value: &mut Value) {
    match value {
        Value::Object(all) => {
            for (name, value) in all {
                match (name.as_str(), &mut *value) {
                    ("headers" | "query_params", Value::Object(named)) => fields(named),
                    ("attributes" | "resource", Value::Object(named)) => attributes(named),
                    ("statement", Value::String(said)) => *said = statement(said),
                    ("path" | "target", Value::String(said)) => *said = address(said),
                    _ if common::is_secret(name) => hide(value),
                    _ => document(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(document),
        other => common::json(other),
    }
}

/// Attributes of a span, whose names say by words between dots what they are of. A number of tokens is no secret.
fn attributes(named: &mut Map<String, Value>) {
    for (name, value) in named {
        let last = name.rsplit('.').next().unwrap_or_default();
        match (last, &mut *value) {
            (_, Value::Number(_) | Value::Bool(_) | Value::Null) => {}
            ("statement" | "text", Value::String(said)) if name.starts_with("db.") => *said = statement(said),
            ("full" | "url" | "target" | "path", Value::String(said)) => *said = address(said),
            _ if common::is_secret(name) || name == "url.query" => hide(value),
            _ => common::json(value),
        }
    }
}

/// An address without what may be secret in it: who asks, and what is asked for behind the path.
pub(crate) fn address(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let plain = &address[..end];
    let plain = match plain.split_once("://") {
        Some((scheme, rest)) => {
            let host = rest.find('/').unwrap_or(rest.len());
            match rest[..host].rfind('@') {
                Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
                None => plain.to_owned(),
            }
        }
        None => plain.to_owned(),
    };
    text(&plain).into_owned()
}

fn fields(fields: &mut Map<String, Value>) {
    for (name, value) in fields {
        if common::is_secret_parameter(name) { hide(value) } else { common::json(value) }
    }
}

/// Unlike in a record of Loam's own, a number is hidden too: it may be a one-time password.
fn hide(value: &mut Value) {
    *value = Value::from(common::REDACTED);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn headers_and_parameters_lose_their_secrets_and_keep_the_rest() {
        let mut told = json!({
            "Authorization": "Bearer abc", "cookie": "a=b", "Set-Cookie": "c", "X-API-Key": "k", "Proxy-Authorization": "p",
            "x-session-id": "s", "sessionId": "t", "key": 7, "otp": 123_456, "sig": ["x"],
            "accept": "text/html", "page": 2, "monkey": "m", "keyboard": "us", "q": "sk-0123456789abcdef",
        });
        let fields = told.as_object_mut().expect("an object");
        headers(fields);
        let kept: Vec<_> = fields
            .iter()
            .filter(|(_, value)| *value != "[redacted]")
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(kept, ["accept", "keyboard", "monkey", "page"]);
    }

    #[test]
    fn an_address_says_where_and_not_what_was_asked() {
        for (before, after) in [
            ("https://user:pass@api.example.com/v1/items?token=x#y", "https://api.example.com/v1/items"),
            ("https://api.example.com", "https://api.example.com"),
            ("/a/b?c=d", "/a/b"),
            ("GET /a@b/c", "GET /a@b/c"),
            ("redis://:secret@cache:6379/0", "redis://cache:6379/0"),
        ] {
            assert_eq!(address(before), after);
        }
    }

    #[test]
    fn what_is_refused_is_kept_without_its_secrets() {
        let mut told = json!({
            "trace_id": "t", "project_key": "loam_x", "request_info": { "headers": { "cookie": "c", "host": "h" }, "path": "/a?b=c" },
            "function_calls": [{ "detail": { "statement": "SELECT * FROM t WHERE a = 'secret'" } }]
        });
        document(&mut told);
        assert_eq!(
            told,
            json!({
                "trace_id": "t", "project_key": "[redacted]",
                "request_info": { "headers": { "cookie": "[redacted]", "host": "h" }, "path": "/a" },
                "function_calls": [{ "detail": { "statement": "SELECT * FROM t WHERE a = ?" } }]
            })
        );
    }

    #[test]
    fn a_refused_span_is_kept_without_its_secrets() {
        let mut told = json!({
            "span_id": "00", "attributes": {
                "http.request.header.authorization": ["Bearer x"], "url.full": "https://u:p@api.test/a?token=b", "url.query": "q=1",
                "db.query.text": "SELECT 'secret'", "db.statement": "SELECT 7", "gen_ai.usage.input_tokens": 12,
                "http.route": "/users/{id}", "enduser.password": "hunter2",
            },
            "resource": { "service.name": "shop", "api.key": "k" },
        });
        document(&mut told);
        assert_eq!(
            told,
            json!({
                "span_id": "00", "attributes": {
                    "http.request.header.authorization": "[redacted]", "url.full": "https://api.test/a", "url.query": "[redacted]",
                    "db.query.text": "SELECT ?", "db.statement": "SELECT ?", "gen_ai.usage.input_tokens": 12,
                    "http.route": "/users/{id}", "enduser.password": "[redacted]",
                },
                "resource": { "service.name": "shop", "api.key": "[redacted]" },
            })
        );
    }
}
