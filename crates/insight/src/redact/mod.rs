//! Redaction of telemetry: secrets in headers and parameters, values in statements.
//!
//! Applications should remove secrets themselves; this protects those that don't.

mod key;
mod statement;

use loam_platform::records::redact as common;
use serde_json::{Map, Value};

pub(crate) use common::text;
pub(crate) use key::{is_variable, key};
pub(crate) use statement::statement;

/// Redacts the values of headers with secrets.
pub(crate) fn headers(headers: &mut Map<String, Value>) {
    redact_fields(headers);
}

/// Redacts the values of query parameters with secrets.
pub(crate) fn params(params: &mut Map<String, Value>) {
    redact_fields(params);
}

/// Redacts the values of attributes with secrets. Unlike headers and parameters, ids of sessions are none.
pub(crate) fn attributes(attributes: &mut Map<String, Value>) {
    for (name, value) in attributes {
        if common::is_secret_attribute(name) { redact_value(value) } else { common::json(value) }
    }
}

/// Redacts a rejected record or span before it is stored.
pub(crate) fn document(value: &mut Value) {
    match value {
        Value::Object(all) => {
            for (name, value) in all {
                match (name.as_str(), &mut *value) {
                    ("headers" | "query_params", Value::Object(named)) => redact_fields(named),
                    ("attributes" | "resource", Value::Object(named)) => span_attributes(named),
                    ("statement", Value::String(text)) => *text = statement(text),
                    ("path" | "target", Value::String(text)) => *text = address(text),
                    _ if common::is_secret(name) => redact_value(value),
                    _ => document(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(document),
        other => common::json(other),
    }
}

/// Redacts span attributes, by their dotted names. Token counts are not secrets.
fn span_attributes(named: &mut Map<String, Value>) {
    for (name, value) in named {
        let last = name.rsplit('.').next().unwrap_or_default();
        match (last, &mut *value) {
            (_, Value::Number(_) | Value::Bool(_) | Value::Null) => {}
            ("statement" | "text", Value::String(text)) if name.starts_with("db.") => *text = statement(text),
            ("full" | "url" | "target" | "path", Value::String(text)) => *text = address(text),
            _ if common::is_secret_attribute(name) || name == "url.query" => redact_value(value),
            _ => common::json(value),
        }
    }
}

/// A URL without the parts that may be secret: user info, query and fragment.
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

fn redact_fields(fields: &mut Map<String, Value>) {
    for (name, value) in fields {
        if common::is_secret_parameter(name) { redact_value(value) } else { common::json(value) }
    }
}

/// Unlike in Loam's own logs, numbers are redacted too: they may be one-time passwords.
fn redact_value(value: &mut Value) {
    *value = Value::from(common::REDACTED);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_in_headers_and_parameters_are_redacted() {
        let mut input = json!({
            "Authorization": "Bearer abc", "cookie": "a=b", "Set-Cookie": "c", "X-API-Key": "k", "Proxy-Authorization": "p",
            "x-session-id": "s", "sessionId": "t", "key": 7, "otp": 123_456, "sig": ["x"],
            "accept": "text/html", "page": 2, "monkey": "m", "keyboard": "us", "q": "sk-0123456789abcdef",
        });
        let fields = input.as_object_mut().expect("an object");
        headers(fields);
        let unredacted: Vec<_> = fields
            .iter()
            .filter(|(_, value)| *value != "[redacted]")
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(unredacted, ["accept", "page", "monkey", "keyboard"]);
    }

    #[test]
    fn attributes_keep_token_counts_and_ids_of_sessions() {
        let mut input = json!({
            "input_tokens": "26", "output_tokens": 4, "cache_read_tokens": "7", "session.id": "s-1", "app.session.id": "s-2",
            "langfuse.session.id": "s-3", "gen_ai.usage.cache_write.input_tokens": 2, "app.api.key": "k", "auth.token": "t",
            "app.key": "k", "db.password": "p", "otp": 123_456,
        });
        attributes(input.as_object_mut().expect("an object"));
        let redacted: Vec<_> = input
            .as_object()
            .expect("an object")
            .iter()
            .filter(|(_, value)| *value == "[redacted]")
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(redacted, ["app.api.key", "auth.token", "app.key", "db.password", "otp"]);
    }

    #[test]
    fn urls_lose_user_info_query_and_fragment() {
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
    fn rejected_records_are_redacted() {
        let mut input = json!({
            "trace_id": "t", "project_key": "loam_x", "request_info": { "headers": { "cookie": "c", "host": "h" }, "path": "/a?b=c" },
            "function_calls": [{ "detail": { "statement": "SELECT * FROM t WHERE a = 'secret'" } }]
        });
        document(&mut input);
        assert_eq!(
            input,
            json!({
                "trace_id": "t", "project_key": "[redacted]",
                "request_info": { "headers": { "cookie": "[redacted]", "host": "h" }, "path": "/a" },
                "function_calls": [{ "detail": { "statement": "SELECT * FROM t WHERE a = ?" } }]
            })
        );
    }

    #[test]
    fn rejected_spans_are_redacted() {
        let mut input = json!({
            "span_id": "00", "attributes": {
                "http.request.header.authorization": ["Bearer x"], "url.full": "https://u:p@api.test/a?token=b", "url.query": "q=1",
                "db.query.text": "SELECT 'secret'", "db.statement": "SELECT 7", "gen_ai.usage.input_tokens": 12,
                "http.route": "/users/{id}", "enduser.password": "hunter2",
            },
            "resource": { "service.name": "shop", "api.key": "k" },
        });
        document(&mut input);
        assert_eq!(
            input,
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
