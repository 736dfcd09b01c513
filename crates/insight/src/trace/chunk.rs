//! A chunk of a trace: the spans that an application sent in one request.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId};
use loam_platform::stored_format::StoredFormat;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A packed trace chunk: the column `call_trees.calls`, and the end of a frame.
pub(crate) const TRACE_CHUNK: StoredFormat = StoredFormat::new("trace_chunk", 1);

/// The span attribute with the stack trace of an exception, after OpenTelemetry's semantic conventions.
pub const STACKTRACE_ATTRIBUTE: &str = "exception.stacktrace";

/// The call attribute with the tags that the application gave the call, one per line.
pub const TAGS_ATTRIBUTE: &str = "performance_tags";

/// Spans of one trace of one project that were received together. A trace can arrive in many chunks, and a chunk
/// repeatedly.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceChunk {
    /// The tenant.
    pub tenant: TenantId,
    /// The project.
    pub project: ProjectId,
    /// The trace id: 32 hexadecimal digits after W3C Trace Context, or another id of the application; at most 64
    /// characters.
    pub trace_id: String,
    /// The protocol it was received in.
    pub source: Source,
    /// The requests that the application served. Each refers to one of the spans.
    pub server_spans: Vec<ServerSpan>,
    /// The spans, in no particular order.
    pub spans: Vec<Span>,
}

/// The protocol that telemetry was received in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Loam's record format.
    Records,
    /// OpenTelemetry's protocol.
    Otlp,
}

impl Source {
    /// The stored name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Otlp => "otlp",
        }
    }
}

/// A request that the application served: the data of a performance record that the spans don't provide.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServerSpan {
    /// The id of the span that serves the request.
    pub call_id: String,
    /// The route template, with placeholders for variable parts: `GET /users/{id}`.
    pub endpoint: String,
    /// The service name that the application reports.
    pub service: Option<String>,
    /// Whether the request failed.
    pub is_error: bool,
    /// The request.
    pub request: RequestInfo,
    /// The response.
    pub response: ResponseInfo,
    /// What the application measured itself; missing values are computed from the spans.
    pub measured: Measurements,
    /// The version of the application.
    pub version: VersionInfo,
    /// The environment of the application.
    pub environment: Environment,
}

/// An HTTP request, with secrets redacted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestInfo {
    /// GET, POST, ….
    pub method: Option<String>,
    /// The path as requested.
    pub path: Option<String>,
    /// Query parameters.
    #[serde(deserialize_with = "or_empty")]
    pub query_params: Map<String, Value>,
    /// Headers.
    #[serde(deserialize_with = "or_empty")]
    pub headers: Map<String, Value>,
    /// The `User-Agent` of the client.
    pub user_agent: Option<String>,
    /// The IP address of the client.
    pub remote_ip: Option<String>,
}

/// Null is the same as absent.
fn or_empty<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Map<String, Value>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// An HTTP response.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseInfo {
    /// The HTTP status code.
    pub status_code: Option<u16>,
    /// Size of the body in bytes.
    pub response_size: Option<u64>,
    /// The media type of the body.
    pub content_type: Option<String>,
}

/// Measurements of a request as a whole. Times are in nanoseconds, memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measurements {
    /// CPU time.
    pub cpu_ns: Option<u64>,
    /// Peak memory.
    pub memory_peak: Option<i64>,
    /// Change of memory use from start to end.
    pub memory_delta: Option<i64>,
    /// Number of database queries.
    pub query_count: Option<u64>,
    /// Time in database queries.
    pub query_ns: Option<u64>,
    /// Number of slow database queries.
    pub slow_queries: Option<u64>,
    /// Number of cache hits.
    pub cache_hits: Option<u64>,
    /// Number of cache misses.
    pub cache_misses: Option<u64>,
    /// Time in cache operations.
    pub cache_ns: Option<u64>,
}

/// The version of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionInfo {
    /// The version.
    pub app_version: Option<String>,
    /// The Git commit.
    pub git_commit: Option<String>,
    /// The time of deployment.
    pub deploy_time: Option<DateTime<Utc>>,
}

impl VersionInfo {
    /// The key that statistics are grouped by: the version, otherwise the commit, otherwise empty.
    pub fn key(&self) -> &str {
        self.app_version.as_deref().or(self.git_commit.as_deref()).unwrap_or_default()
    }
}

/// The environment of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// The version of Python.
    pub python_version: Option<String>,
    /// The version of the framework.
    pub framework_version: Option<String>,
    /// The server software or host.
    pub server_info: Option<String>,
}

/// One span: a function call, a database query, a request, or another operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    /// The span id, unique in its trace; at most 64 characters.
    pub id: String,
    /// The id of the parent span.
    pub parent: Option<String>,
    /// The function that was called.
    pub function: Arc<Function>,
    /// The kind of operation.
    pub kind: OperationKind,
    /// Start, in nanoseconds since 1970.
    pub start_ns: i64,
    /// Duration in nanoseconds.
    pub duration_ns: u64,
    /// CPU time in nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Change of memory use in bytes.
    pub memory_delta: Option<i64>,
    /// The exception that was raised, as `Type: message`.
    pub exception: Option<String>,
    /// Details of an operation outside of the application's code.
    pub detail: Option<Arc<Detail>>,
}

/// A function. The spans of a chunk that call the same function share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Function {
    /// The name of the function, or of the span.
    pub name: String,
    /// The module.
    pub module: Option<String>,
    /// The class.
    pub class_name: Option<String>,
    /// The source file.
    pub file_path: Option<String>,
    /// The first line of the function in the file.
    pub line_number: Option<u32>,
}

impl Function {
    /// The key that statistics are grouped by: `module.Class.name`.
    pub fn key(&self) -> String {
        let parts = [self.module.as_deref(), self.class_name.as_deref(), Some(self.name.as_str())];
        parts.into_iter().flatten().filter(|chunk| !chunk.is_empty()).collect::<Vec<_>>().join(".")
    }
}

/// The kind of operation that a span represents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OperationKind {
    /// A function of the application.
    #[default]
    Function,
    /// A request that the application serves.
    Request,
    /// A database query.
    Database,
    /// A cache operation.
    Cache,
    /// A request to another server.
    ExternalApi,
    /// A model call.
    Model,
    /// A tool call.
    Tool,
    /// A message sent to or received from a queue.
    Queue,
}

impl OperationKind {
    /// The serialized name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Request => "request",
            Self::Database => "database",
            Self::Cache => "cache",
            Self::ExternalApi => "external_api",
            Self::Model => "model",
            Self::Tool => "tool",
            Self::Queue => "queue",
        }
    }
}

/// Details of an operation outside of the application's code.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Detail {
    /// The system: `postgresql`, `redis`, `openai`, ….
    pub system: Option<String>,
    /// The operation: `SELECT`, `get`, `GET`, ….
    pub operation: Option<String>,
    /// The statement without its values, the pattern of the cache key, or the URL without its query.
    pub statement: Option<String>,
    /// The host and port.
    pub target: Option<String>,
    /// Whether the cache lookup was a hit.
    pub hit: Option<bool>,
    /// The response status code.
    pub status_code: Option<u16>,
    /// Nanoseconds until the first byte of the response.
    pub first_byte_ns: Option<u64>,
    /// Number of rows returned.
    pub rows: Option<u64>,
    /// Further attributes.
    pub attributes: BTreeMap<String, String>,
}
