//! Validates tools before they are declared.

use std::collections::HashSet;

use http::{HeaderName, HeaderValue};
use loam_http::client::Client;
use loam_kernel::{Error, Kind, Result, Scope};

use super::declaration::{Execution, HttpExecution, ToolDeclaration};
use super::schema;
use crate::chat_sessions::access;

/// OpenAI's limit.
const MAX_TOOLS: usize = 128;
const MAX_NAME: usize = 64;
const MAX_DESCRIPTION: usize = 4096;
const MAX_URL: usize = 2048;
const MAX_HEADERS: usize = 32;
const MAX_HEADER: usize = 4096;
/// Maximum size of a session's tools in bytes.
const MAX_BYTES: usize = 256 << 10;
/// Headers that callers can't set: message framing, and headers that Loam sends itself.
const OWN_HEADERS: [&str; 9] = [
    "connection",
    "content-length",
    "content-type",
    "expect",
    "host",
    "keep-alive",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// Rejects tools that this caller can't declare, naming the invalid field.
pub(super) fn all(client: &Client, scope: &Scope, tools: &[ToolDeclaration]) -> Result<()> {
    if tools.len() > MAX_TOOLS {
        return Err(Error::invalid("tools", format!("must be at most {MAX_TOOLS}")));
    }
    let mut names = HashSet::new();
    for (i, tool) in tools.iter().enumerate() {
        let path = format!("tools[{i}]");
        function(&path, tool)?;
        if !names.insert(tool.name()) {
            return Err(Error::invalid(format!("{path}.function.name"), "must be unique among the tools"));
        }
        if let Execution::Http(request) = &tool.execution {
            // Server-side requests are configured by those who run the application, not by its end users.
            if access::own_only(scope).is_some() {
                let message = format!("a tool that Loam executes requires the permission `{}`", access::ALL);
                let error = Error::new(Kind::Forbidden, "missing_permission", message);
                return Err(error.with_param(format!("{path}.execution")));
            }
            http(client, &format!("{path}.execution"), request)?;
            schema::compiled(&format!("{path}.function.parameters"), &tool.function.parameters)?;
        }
    }
    let bytes = serde_json::to_vec(tools).map_err(Error::internal)?.len();
    if bytes > MAX_BYTES {
        return Err(Error::invalid("tools", format!("must be at most {MAX_BYTES} bytes together")));
    }
    Ok(())
}

fn function(path: &str, tool: &ToolDeclaration) -> Result<()> {
    let (name, field) = (tool.name(), |field: &str| format!("{path}.function.{field}"));
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(allowed) {
        let message = format!("must be 1 to {MAX_NAME} letters, digits, `_` or `-`");
        return Err(Error::invalid(field("name"), message));
    }
    if tool.function.description.as_ref().is_some_and(|text| text.chars().count() > MAX_DESCRIPTION) {
        let message = format!("must be at most {MAX_DESCRIPTION} characters long");
        return Err(Error::invalid(field("description"), message));
    }
    schema::check(&field("parameters"), &tool.function.parameters)
}

fn http(client: &Client, path: &str, request: &HttpExecution) -> Result<()> {
    let field = |field: &str| format!("{path}.{field}");
    if request.url.len() > MAX_URL {
        return Err(Error::invalid(field("url"), format!("must be at most {MAX_URL} bytes long")));
    }
    client.check_url(&field("url"), &request.url)?;
    if request.headers.len() > MAX_HEADERS {
        return Err(Error::invalid(field("headers"), format!("must be at most {MAX_HEADERS}")));
    }
    for (name, value) in &request.headers {
        let path = field(&format!("headers.{name}"));
        let lower = name.to_ascii_lowercase();
        if *name != lower || HeaderName::try_from(&lower).is_err() {
            return Err(Error::invalid(path, "must be a header name in lower case"));
        }
        if OWN_HEADERS.contains(&lower.as_str())
            || lower.starts_with("x-loam-")
            || lower.starts_with("proxy-")
        {
            return Err(Error::invalid(path, "is a header that Loam sets itself"));
        }
        let sendable =
            |text: &str| !text.is_empty() && text.len() <= MAX_HEADER && HeaderValue::from_str(text).is_ok();
        if !is_masked(value) && !value.as_str().is_some_and(sendable) {
            let message = format!("must be 1 to {MAX_HEADER} visible ASCII characters");
            return Err(Error::invalid(path, message));
        }
    }
    let long_enough = |text: &str| (16..=256).contains(&text.chars().count());
    if let Some(secret) = &request.secret
        && !is_masked(secret)
        && !secret.as_str().is_some_and(long_enough)
    {
        return Err(Error::invalid(field("secret"), "must be 16 to 256 characters long"));
    }
    if !(100..=120_000).contains(&request.timeout_ms) {
        return Err(Error::invalid(field("timeout_ms"), "must be between 100 and 120,000"));
    }
    if !(1..=1 << 20).contains(&request.max_bytes) {
        return Err(Error::invalid(field("max_bytes"), "must be between 1 and 1,048,576"));
    }
    Ok(())
}

/// Whether a secret is given in its masked form, which keeps the stored value.
pub(super) fn is_masked(value: &serde_json::Value) -> bool {
    value["sealed"] == true
}
