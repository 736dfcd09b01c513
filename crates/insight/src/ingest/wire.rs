//! The record format: see `docs/FORMATS.md`. The types borrow from the body.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::text::{Seconds, Text, Timestamp, or_default};
use super::wire_call::{CallInfo, FunctionInfo};
use crate::trace::{Environment, RequestInfo, ResponseInfo, VersionInfo};

/// One request that an application served.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) trace_id: Text<'a>,
    #[serde(borrow, default)]
    pub(super) parent_call_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) endpoint: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) service: Option<Text<'a>>,
    pub(super) timestamp: Timestamp,
    pub(super) is_error: Option<bool>,
    #[serde(borrow, default)]
    pub(super) exception_info: Option<Text<'a>>,
    pub(super) request_info: Option<RequestInfo>,
    pub(super) response_info: Option<ResponseInfo>,
    pub(super) performance_metrics: Option<Metrics>,
    pub(super) version_info: Option<VersionInfo>,
    pub(super) environment: Option<Environment>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) functions: Vec<FunctionInfo<'a>>,
    #[serde(borrow, default, deserialize_with = "or_default")]
    pub(super) function_calls: Vec<CallInfo<'a>>,
    /// Accepted but ignored, like the two below: the key of the request names the project, and Loam assigns the rest.
    #[serde(rename = "project_key", default)]
    _project_key: Option<IgnoredAny>,
    #[serde(rename = "_id", default)]
    _object_id: Option<IgnoredAny>,
    #[serde(rename = "created_at", default)]
    _created_at: Option<IgnoredAny>,
}

/// Measurements of the request as a whole. Times in seconds, memory in megabytes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Metrics {
    pub(super) total_duration: Option<Seconds>,
    pub(super) cpu_time: Option<Seconds>,
    pub(super) memory_usage: Option<MemoryUsage>,
    pub(super) database_metrics: Option<DatabaseMetrics>,
    pub(super) cache_metrics: Option<CacheMetrics>,
}

/// In megabytes.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct MemoryUsage {
    pub(super) peak_memory: Option<f64>,
    pub(super) memory_delta: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct DatabaseMetrics {
    pub(super) query_count: Option<u64>,
    pub(super) query_time: Option<Seconds>,
    pub(super) slow_queries: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CacheMetrics {
    pub(super) cache_hits: Option<u64>,
    pub(super) cache_misses: Option<u64>,
    pub(super) cache_time: Option<Seconds>,
}
