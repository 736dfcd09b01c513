//! The resource API as the commands use it: in this process, on the database, or at a server.
//!
//! Both transports take the same requests and give the same responses, so a command is written once.

mod error;
mod local;
mod remote;

use anyhow::{Context, Result};
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use futures_util::TryStreamExt;
use serde_json::{Map, Value};

use super::admin::{DEFAULT_TENANT, TenantArg};
use crate::config::Config;
use error::ApiFailure;
use local::Local;
pub(super) use remote::{Remote, ServerArgs};

/// Maximum size of a response that is not a stream.
const MAX_RESPONSE: usize = 256 << 20;
const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

/// Where the commands of this process take effect.
pub(super) enum Backend {
    /// The database of a configuration.
    Database(Box<Config>),
    /// A server.
    Server(Remote),
}

impl Backend {
    /// The API in a tenant.
    pub(super) async fn api(&self, tenant: &TenantArg) -> Result<Api> {
        let api = self.tenants().await?;
        match (self, &tenant.tenant) {
            (_, Some(slug)) => api.in_tenant(slug).await,
            (Self::Database(_), None) => api.in_tenant(DEFAULT_TENANT).await,
            (Self::Server(_), None) => Ok(api),
        }
    }

    /// The API for what belongs to the instance. On the database, changes are recorded in the default tenant's audit
    /// trail; at a server, in that of the key.
    pub(super) async fn instance(&self) -> Result<Api> {
        self.api(&TenantArg { tenant: None }).await
    }

    /// The API for the management of tenants.
    pub(super) async fn tenants(&self) -> Result<Api> {
        Ok(match self {
            Self::Database(config) => Api::Local(Local::open(config).await?),
            Self::Server(remote) => Api::Remote(remote.clone()),
        })
    }

    /// The API for what is the same on every instance, so that it needs no database.
    pub(super) fn built_in(&self) -> Result<Api> {
        Ok(match self {
            Self::Database(config) => Api::Local(Local::unconnected(config)?),
            Self::Server(remote) => Api::Remote(remote.clone()),
        })
    }
}

/// The resource API, in a tenant.
pub(super) enum Api {
    /// In this process.
    Local(Local),
    /// At a server.
    Remote(Remote),
}

impl Api {
    /// The same in a tenant.
    pub(super) async fn in_tenant(&self, slug: &str) -> Result<Self> {
        Ok(match self {
            Self::Local(local) => Self::Local(local.in_tenant(slug).await?),
            Self::Remote(remote) => Self::Remote(remote.in_tenant(slug)?),
        })
    }

    /// Reads a resource.
    pub(super) async fn get(&self, path: &str, query: Value) -> Result<Value> {
        self.json(Method::GET, &with_query(path, &query), None).await
    }

    /// Creates a resource, or performs an operation.
    pub(super) async fn post(&self, path: &str, body: impl Into<Option<Value>>) -> Result<Value> {
        self.json(Method::POST, path, body.into()).await
    }

    /// Sets a resource.
    pub(super) async fn put(&self, path: &str, body: Value) -> Result<Value> {
        self.json(Method::PUT, path, Some(body)).await
    }

    /// Changes a resource.
    pub(super) async fn patch(&self, path: &str, body: Value) -> Result<Value> {
        self.json(Method::PATCH, path, Some(body)).await
    }

    /// Deletes a resource. Null if the response has no body.
    pub(super) async fn delete(&self, path: &str) -> Result<Value> {
        self.json(Method::DELETE, path, None).await
    }

    /// The rows of a list that isn't paged.
    pub(super) async fn all(&self, path: &str, query: Value) -> Result<Vec<Value>> {
        Ok(rows(self.get(path, query).await?))
    }

    /// The only row that a filter finds, if there is one.
    pub(super) async fn find(&self, path: &str, query: Value) -> Result<Option<Value>> {
        Ok(self.list(path, query, 1).await?.pop())
    }

    /// Reads pages of a list until there are enough rows.
    pub(super) async fn list(&self, path: &str, query: Value, limit: u64) -> Result<Vec<Value>> {
        let mut found = Vec::new();
        self.pages(path, query, limit, |rows| {
            found.extend(rows);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// Reads pages of a list until there are enough rows, and passes each page on.
    pub(super) async fn pages(
        &self,
        path: &str,
        mut query: Value,
        limit: u64,
        mut each: impl FnMut(Vec<Value>) -> Result<()>,
    ) -> Result<()> {
        let mut left = limit;
        while left > 0 {
            query["limit"] = left.min(loam_kernel::MAX_PAGE).into();
            let mut page = self.get(path, query.clone()).await?;
            let next = page["next_cursor"].take();
            let rows = rows(page);
            left = left.saturating_sub(rows.len() as u64);
            each(rows)?;
            if next.is_null() {
                break;
            }
            query["cursor"] = next;
        }
        Ok(())
    }

    /// Reads a text.
    pub(super) async fn text(&self, path: &str, query: Value, content_type: &str) -> Result<String> {
        let bytes = self.whole(request(Method::GET, &with_query(path, &query), None)?, content_type).await?;
        Ok(String::from_utf8(bytes.into())?)
    }

    /// Reads JSON Lines of any length, and returns the last one.
    pub(super) async fn lines(
        &self,
        path: &str,
        query: Value,
        mut each: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<Value> {
        let request = request(Method::GET, &with_query(path, &query), None)?;
        let response = match self {
            Self::Local(local) => local.send(request).await?,
            Self::Remote(remote) => remote.stream(request).await?,
        };
        self.require_type(&response, JSON_LINES)?;
        let mut lines = response.into_body().into_data_stream();
        let mut last = Vec::new();
        while let Some(chunk) = lines.try_next().await.map_err(error::of_body)? {
            each(&chunk)?;
            keep_last_line(&mut last, &chunk);
        }
        serde_json::from_slice(&last).context("the response is incomplete")
    }

    /// Sends JSON Lines.
    pub(super) async fn send_lines(&self, path: &str, query: Value, lines: Body) -> Result<Value> {
        let request = Request::post(with_query(path, &query)).header(header::CONTENT_TYPE, JSON_LINES);
        let request = request.body(lines)?;
        let response = match self {
            Self::Local(local) => local.send(request).await?,
            Self::Remote(remote) => remote.stream(request).await?,
        };
        self.require_type(&response, JSON)?;
        let body = to_bytes(response.into_body(), MAX_RESPONSE).await.map_err(error::of_body)?;
        Ok(serde_json::from_slice(&body)?)
    }

    async fn json(&self, method: Method, target: &str, body: Option<Value>) -> Result<Value> {
        let bytes = self.whole(request(method, target, body)?, JSON).await?;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&bytes).with_context(|| self.unexpected())
    }

    /// The whole body of a successful response, which must have the content type unless it is empty.
    async fn whole(&self, request: Request, content_type: &str) -> Result<Bytes> {
        let read = async {
            let response = match self {
                Self::Local(local) => local.send(request).await?,
                Self::Remote(remote) => remote.send(request).await?,
            };
            if response.status() != StatusCode::NO_CONTENT {
                self.require_type(&response, content_type)?;
            }
            to_bytes(response.into_body(), MAX_RESPONSE).await.map_err(error::of_body)
        };
        match self {
            Self::Local(_) => read.await,
            Self::Remote(remote) => remote.in_time(read).await,
        }
    }

    fn require_type(&self, response: &Response, wanted: &str) -> Result<()> {
        let is = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        anyhow::ensure!(is.is_some_and(|is| is.starts_with(wanted)), self.unexpected());
        Ok(())
    }

    fn unexpected(&self) -> String {
        match self {
            Self::Local(_) => "the response is not of the expected type".to_owned(),
            Self::Remote(remote) => remote.not_loam(),
        }
    }
}

fn request(method: Method, target: &str, body: Option<Value>) -> Result<Request> {
    let request = Request::builder().method(method).uri(target);
    Ok(match body {
        Some(body) => {
            request.header(header::CONTENT_TYPE, JSON).body(Body::from(serde_json::to_vec(&body)?))?
        }
        None => request.body(Body::empty())?,
    })
}

fn rows(mut list: Value) -> Vec<Value> {
    match list["data"].take() {
        Value::Array(rows) => rows,
        _ => Vec::new(),
    }
}

/// A path with query parameters: the fields of an object that aren't null.
fn with_query(path: &str, query: &Value) -> String {
    let mut encoded = form_urlencoded::Serializer::new(String::new());
    for (name, value) in query.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => _ = encoded.append_pair(name, text),
            other => _ = encoded.append_pair(name, &other.to_string()),
        }
    }
    match encoded.finish() {
        query if query.is_empty() => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}

/// The fields of a new resource that are set: omitted fields take their defaults.
pub(super) fn set_fields(fields: Value) -> Value {
    let Value::Object(fields) = fields else { return fields };
    Value::Object(fields.into_iter().filter(|(_, value)| !value.is_null()).collect::<Map<_, _>>())
}

/// A text as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => encoded.push(byte.into()),
            // a segment of dots alone would lead to another path
            b'.' if text.bytes().any(|byte| byte != b'.') => encoded.push('.'),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

/// Appends a chunk to the line that may be the last.
fn keep_last_line(last: &mut Vec<u8>, chunk: &[u8]) {
    let end = chunk.strip_suffix(b"\n").unwrap_or(chunk);
    if last.last() == Some(&b'\n') && !chunk.is_empty() {
        last.clear();
    }
    if let Some(begin) = end.iter().rposition(|byte| *byte == b'\n') {
        last.clear();
        last.extend_from_slice(&chunk[begin + 1..]);
    } else {
        last.extend_from_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_query_has_what_is_set() {
        let query = json!({ "limit": 2, "endpoint": "GET /a b&c", "none": null, "is_error": true });
        assert_eq!(with_query("/x", &query), "/x?limit=2&endpoint=GET+%2Fa+b%26c&is_error=true");
        assert_eq!(with_query("/x", &json!({ "none": null })), "/x");
    }

    #[test]
    fn a_segment_stays_one() {
        assert_eq!(segment("records.api_logs"), "records.api_logs");
        assert_eq!(segment("../a b?é"), "..%2Fa%20b%3F%C3%A9");
        assert_eq!(segment(".."), "%2E%2E");
    }

    #[test]
    fn the_last_line_is_found_however_the_chunks_are_cut() {
        let text = b"{\"a\":1}\n{\"b\":2}\n{\"rows\":2}\n";
        for size in 1..=text.len() {
            let mut last = Vec::new();
            text.chunks(size).for_each(|chunk| keep_last_line(&mut last, chunk));
            assert_eq!(last, b"{\"rows\":2}\n", "chunks of {size}");
        }
    }
}
