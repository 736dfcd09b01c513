//! OTLP's messages: the same structs for protobuf and for its JSON mapping.
//!
//! Only the fields that Loam uses are declared; others are skipped, as both encodings require. See
//! <https://github.com/open-telemetry/opentelemetry-proto>, version 1.

mod absent;
mod common;
mod field_count;
mod fragment;
mod logs;
mod metrics;
mod number;
mod raw_field;
mod response;
mod salvage;
mod trace;

pub(super) use common::{AnyValue, InstrumentationScope, KeyValue, Resource, Value};
pub(super) use field_count::{LOGS, METRICS, TRACES, count_fields};
pub(super) use fragment::Fragment;
pub(super) use logs::{ExportLogsServiceRequest, LogRecord};
pub(super) use metrics::{
    Buckets, ExponentialHistogramDataPoint, ExportMetricsServiceRequest, HistogramDataPoint, Metric,
    NumberDataPoint, SummaryDataPoint, Temporality,
};
pub(super) use number::bytes;
pub(super) use response::{ExportServiceResponse, PartialSuccess};
pub(super) use salvage::{Decoded, MAX_STORED_REJECTED, Salvage, Undecodable};
pub(super) use trace::{Event, ExportTraceServiceRequest, ResourceSpans, ScopeSpans, Span, SpanKind, Status};

#[cfg(test)]
pub(super) use common::ArrayValue;
#[cfg(test)]
pub(super) use metrics::{
    ExponentialHistogram, Gauge, Histogram, ResourceMetrics, ScopeMetrics, Sum, Summary, ValueAtQuantile,
};
