//! Messages of logs.

use serde::Deserialize;

use super::common::{AnyValue, InstrumentationScope, KeyValue, Resource};
use super::{absent, number};

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExportLogsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "resourceLogs", deserialize_with = "absent::list")]
    pub(in crate::otlp) resource_logs: Vec<ResourceLogs>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ResourceLogs {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "scopeLogs", deserialize_with = "absent::list")]
    pub(in crate::otlp) scope_logs: Vec<ScopeLogs>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ScopeLogs {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) scope: Option<InstrumentationScope>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "logRecords", deserialize_with = "absent::list")]
    pub(in crate::otlp) log_records: Vec<LogRecord>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct LogRecord {
    #[prost(fixed64, tag = "1")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::time")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(int32, tag = "2")]
    #[serde(alias = "severityNumber", deserialize_with = "number::severity")]
    pub(in crate::otlp) severity_number: i32,
    #[prost(string, tag = "3")]
    #[serde(alias = "severityText", deserialize_with = "absent::or_default")]
    pub(in crate::otlp) severity_text: String,
    #[prost(message, optional, tag = "5")]
    pub(in crate::otlp) body: Option<AnyValue>,
    #[prost(message, repeated, tag = "6")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(bytes = "vec", tag = "9")]
    #[serde(alias = "traceId", deserialize_with = "number::id")]
    pub(in crate::otlp) trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "10")]
    #[serde(alias = "spanId", deserialize_with = "number::id")]
    pub(in crate::otlp) span_id: Vec<u8>,
    #[prost(fixed64, tag = "11")]
    #[serde(alias = "observedTimeUnixNano", deserialize_with = "number::time")]
    pub(in crate::otlp) observed_time_unix_nano: u64,
}
