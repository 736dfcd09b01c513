//! OTLP's messages, as far as Loam reads them: the same structs for protobuf and for its JSON form.
//!
//! Only the fields that are read are here; others are passed over, as both forms demand. See
//! <https://github.com/open-telemetry/opentelemetry-proto>, version 1.

mod answer;
mod common;
mod metrics;
mod number;
mod trace;
mod weight;

pub(super) use answer::{ExportResponse, PartialSuccess};
pub(super) use common::{AnyValue, KeyValue, Resource, Scope, Value};
pub(super) use metrics::{
    Buckets, ExponentialPoint, HistogramPoint, Metric, MetricsRequest, NumberPoint, SummaryPoint, Temporality,
};
pub(super) use number::bytes;
pub(super) use trace::{Event, Kind, ResourceSpans, ScopeSpans, Span, Status, TracesRequest};
pub(super) use weight::{METRICS, TRACES, weight};

#[cfg(test)]
pub(super) use common::ArrayValue;
#[cfg(test)]
pub(super) use metrics::{
    ExponentialHistogram, Gauge, Histogram, ResourceMetrics, ScopeMetrics, Sum, Summary, ValueAtQuantile,
};
