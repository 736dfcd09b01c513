//! A part of a trace: what one message of an application says of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use loam_kernel::{ProjectId, TenantId};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// The attribute that has the stack trace of what a call raised.
pub const STACK: &str = "exception.stacktrace";

/// What was told in one go of one trace of one project. A trace may come in many parts, and a part more than once.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The tenant.
    pub tenant: TenantId,
    /// The application.
    pub project: ProjectId,
    /// The trace: 32 hexadecimal digits of W3C's, or whatever the application calls it; at most 64 characters.
    pub trace_id: String,
    /// How it was told.
    pub source: Source,
    /// The requests that the application served in it. Each is one of the calls.
    pub entries: Vec<Entry>,
    /// The calls, in no order.
    pub calls: Vec<Call>,
}

/// How something was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// As records of Loam's own format.
    Records,
    /// As spans of OpenTelemetry.
    Otlp,
}

impl Source {
    /// The word as it is kept.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Records => "records",
            Self::Otlp => "otlp",
        }
    }
}

/// A request that the application served: what a performance record is made of, but for what its calls tell.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// The call that serves the request.
    pub call_id: String,
    /// What is served, without what differs from request to request: `GET /users/{id}`.
    pub endpoint: String,
    /// The service, as the application calls itself.
    pub service: Option<String>,
    /// Whether it failed.
    pub is_error: bool,
    /// What was asked.
    pub request: RequestInfo,
    /// What was answered.
    pub response: ResponseInfo,
    /// What the application measured itself; what it did not comes from the calls.
    pub measured: Measured,
    /// Of the application.
    pub version: VersionInfo,
    /// Where it ran.
    pub environment: Environment,
}

/// What was asked. Secrets have been taken out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RequestInfo {
    /// GET, POST, ….
    pub method: Option<String>,
    /// The path as it was asked for.
    pub path: Option<String>,
    /// Query parameters.
    pub query_params: Map<String, Value>,
    /// Headers.
    pub headers: Map<String, Value>,
    /// The client, as it calls itself.
    pub user_agent: Option<String>,
    /// The client's address.
    pub remote_ip: Option<String>,
}

/// What was answered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResponseInfo {
    /// The HTTP status.
    pub status_code: Option<u16>,
    /// Bytes of the body.
    pub response_size: Option<u64>,
    /// The type of the body.
    pub content_type: Option<String>,
}

/// What an application measured of a request as a whole. Times are in nanoseconds, memory in bytes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Processor time.
    pub cpu_ns: Option<u64>,
    /// The most memory.
    pub memory_peak: Option<i64>,
    /// How much more memory there was at the end.
    pub memory_delta: Option<i64>,
    /// Queries of a database.
    pub query_count: Option<u64>,
    /// Their time.
    pub query_ns: Option<u64>,
    /// The slow ones.
    pub slow_queries: Option<u64>,
    /// What a cache had.
    pub cache_hits: Option<u64>,
    /// What it had not.
    pub cache_misses: Option<u64>,
    /// Time with caches.
    pub cache_ns: Option<u64>,
}

/// Which version of an application.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct VersionInfo {
    /// Its version.
    pub app_version: Option<String>,
    /// Its commit.
    pub git_commit: Option<String>,
    /// When it was deployed.
    pub deploy_time: Option<DateTime<Utc>>,
}

impl VersionInfo {
    /// What statistics are split by: the version, else the commit, else nothing.
    pub fn key(&self) -> &str {
        self.app_version.as_deref().or(self.git_commit.as_deref()).unwrap_or_default()
    }
}

/// Where an application ran.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Environment {
    /// Of Python.
    pub python_version: Option<String>,
    /// Of the framework.
    pub framework_version: Option<String>,
    /// Of the server.
    pub server_info: Option<String>,
}

/// One call of a function, or one span.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Unique in its trace; at most 64 characters.
    pub id: String,
    /// The call that made it.
    pub parent: Option<String>,
    /// What was called.
    pub function: Arc<Function>,
    /// What kind of work it is.
    pub work: Work,
    /// Nanoseconds since 1970.
    pub start_ns: i64,
    /// Nanoseconds it took.
    pub duration_ns: u64,
    /// Nanoseconds of processor time.
    pub cpu_ns: Option<u64>,
    /// How many more bytes of memory there were at the end.
    pub memory_delta: Option<i64>,
    /// What was raised, `Type: message`.
    pub exception: Option<String>,
    /// What is known of work that leaves the application.
    pub detail: Option<Arc<Detail>>,
}

/// A function. Calls of one function in a part share it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Function {
    /// Its name; of a span, the span's.
    pub name: String,
    /// Its module.
    pub module: Option<String>,
    /// The class that it belongs to.
    pub class_name: Option<String>,
    /// The file.
    pub file_path: Option<String>,
    /// The line where it begins.
    pub line_number: Option<u32>,
}

impl Function {
    /// What statistics know it by: `module.Class.name`.
    pub fn key(&self) -> String {
        let parts = [self.module.as_deref(), self.class_name.as_deref(), Some(self.name.as_str())];
        parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(".")
    }
}

/// What kind of work a call is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// The application's own code.
    #[default]
    Function,
    /// A request that it serves.
    Request,
    /// A query of a database.
    Database,
    /// Something asked of a cache.
    Cache,
    /// A request to another server.
    ExternalApi,
    /// A call of a model.
    Model,
    /// A use of a tool.
    Tool,
    /// A message sent or taken.
    Queue,
}

/// What is known of work that leaves the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Detail {
    /// `postgresql`, `redis`, `openai`, ….
    pub system: Option<String>,
    /// `SELECT`, `get`, `GET`, ….
    pub operation: Option<String>,
    /// The statement without its values, the key's pattern, or the address without its query.
    pub statement: Option<String>,
    /// The server.
    pub target: Option<String>,
    /// Whether a cache had it.
    pub hit: Option<bool>,
    /// The other server's status.
    pub status_code: Option<u16>,
    /// Nanoseconds until the other server began to answer.
    pub first_byte_ns: Option<u64>,
    /// Rows that came.
    pub rows: Option<u64>,
    /// What else was told, text by name.
    pub attributes: BTreeMap<String, String>,
}
