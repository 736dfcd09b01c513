//! Messages of metrics.

use serde::Deserialize;

use super::common::{KeyValue, Resource};
use super::{absent, number};

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExportMetricsServiceRequest {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "resourceMetrics", deserialize_with = "absent::list")]
    pub(in crate::otlp) resource_metrics: Vec<ResourceMetrics>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ResourceMetrics {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    #[serde(alias = "scopeMetrics", deserialize_with = "absent::list")]
    pub(in crate::otlp) scope_metrics: Vec<ScopeMetrics>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ScopeMetrics {
    #[prost(message, repeated, tag = "2")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) metrics: Vec<Metric>,
}

/// A metric of one of five types. A `oneof` is encoded as fields of which one is present.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Metric {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) name: String,
    #[prost(string, tag = "3")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) unit: String,
    #[prost(message, optional, tag = "5")]
    pub(in crate::otlp) gauge: Option<Gauge>,
    #[prost(message, optional, tag = "7")]
    pub(in crate::otlp) sum: Option<Sum>,
    #[prost(message, optional, tag = "9")]
    pub(in crate::otlp) histogram: Option<Histogram>,
    #[prost(message, optional, tag = "10")]
    #[serde(alias = "exponentialHistogram")]
    pub(in crate::otlp) exponential_histogram: Option<ExponentialHistogram>,
    #[prost(message, optional, tag = "11")]
    pub(in crate::otlp) summary: Option<Summary>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Gauge {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "dataPoints", deserialize_with = "absent::list")]
    pub(in crate::otlp) data_points: Vec<NumberDataPoint>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Sum {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "dataPoints", deserialize_with = "absent::list")]
    pub(in crate::otlp) data_points: Vec<NumberDataPoint>,
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregationTemporality", deserialize_with = "number::temporality")]
    pub(in crate::otlp) aggregation_temporality: i32,
    #[prost(bool, tag = "3")]
    #[serde(alias = "isMonotonic", deserialize_with = "absent::or_default")]
    pub(in crate::otlp) is_monotonic: bool,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Histogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "dataPoints", deserialize_with = "absent::list")]
    pub(in crate::otlp) data_points: Vec<HistogramDataPoint>,
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregationTemporality", deserialize_with = "number::temporality")]
    pub(in crate::otlp) aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExponentialHistogram {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "dataPoints", deserialize_with = "absent::list")]
    pub(in crate::otlp) data_points: Vec<ExponentialHistogramDataPoint>,
    #[prost(int32, tag = "2")]
    #[serde(alias = "aggregationTemporality", deserialize_with = "number::temporality")]
    pub(in crate::otlp) aggregation_temporality: i32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Summary {
    #[prost(message, repeated, tag = "1")]
    #[serde(alias = "dataPoints", deserialize_with = "absent::list")]
    pub(in crate::otlp) data_points: Vec<SummaryDataPoint>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct NumberDataPoint {
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::whole")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(double, optional, tag = "4")]
    #[serde(alias = "asDouble", deserialize_with = "number::optional_double")]
    pub(in crate::otlp) as_double: Option<f64>,
    #[prost(sfixed64, optional, tag = "6")]
    #[serde(alias = "asInt", deserialize_with = "number::optional_whole")]
    pub(in crate::otlp) as_int: Option<i64>,
    #[prost(message, repeated, tag = "7")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "8")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct HistogramDataPoint {
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::whole")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) sum: Option<f64>,
    #[prost(fixed64, repeated, tag = "6")]
    #[serde(alias = "bucketCounts", deserialize_with = "number::wholes")]
    pub(in crate::otlp) bucket_counts: Vec<u64>,
    #[prost(double, repeated, tag = "7")]
    #[serde(alias = "explicitBounds", deserialize_with = "number::doubles")]
    pub(in crate::otlp) explicit_bounds: Vec<f64>,
    #[prost(message, repeated, tag = "9")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "10")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) flags: u32,
    #[prost(double, optional, tag = "11")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) min: Option<f64>,
    #[prost(double, optional, tag = "12")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) max: Option<f64>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ExponentialHistogramDataPoint {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::whole")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) count: u64,
    #[prost(double, optional, tag = "5")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) sum: Option<f64>,
    #[prost(sint32, tag = "6")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) scale: i32,
    #[prost(fixed64, tag = "7")]
    #[serde(alias = "zeroCount", deserialize_with = "number::whole")]
    pub(in crate::otlp) zero_count: u64,
    #[prost(message, optional, tag = "8")]
    pub(in crate::otlp) positive: Option<Buckets>,
    #[prost(message, optional, tag = "9")]
    pub(in crate::otlp) negative: Option<Buckets>,
    #[prost(uint32, tag = "10")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) flags: u32,
    #[prost(double, optional, tag = "12")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) min: Option<f64>,
    #[prost(double, optional, tag = "13")]
    #[serde(deserialize_with = "number::optional_double")]
    pub(in crate::otlp) max: Option<f64>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Buckets {
    #[prost(sint32, tag = "1")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) offset: i32,
    #[prost(uint64, repeated, tag = "2")]
    #[serde(alias = "bucketCounts", deserialize_with = "number::wholes")]
    pub(in crate::otlp) bucket_counts: Vec<u64>,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct SummaryDataPoint {
    #[prost(fixed64, tag = "3")]
    #[serde(alias = "timeUnixNano", deserialize_with = "number::whole")]
    pub(in crate::otlp) time_unix_nano: u64,
    #[prost(fixed64, tag = "4")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) count: u64,
    #[prost(double, tag = "5")]
    #[serde(deserialize_with = "number::double")]
    pub(in crate::otlp) sum: f64,
    #[prost(message, repeated, tag = "6")]
    #[serde(alias = "quantileValues", deserialize_with = "absent::list")]
    pub(in crate::otlp) quantile_values: Vec<ValueAtQuantile>,
    #[prost(message, repeated, tag = "7")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
    #[prost(uint32, tag = "8")]
    #[serde(deserialize_with = "number::whole")]
    pub(in crate::otlp) flags: u32,
}

#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ValueAtQuantile {
    #[prost(double, tag = "1")]
    #[serde(deserialize_with = "number::double")]
    pub(in crate::otlp) quantile: f64,
    #[prost(double, tag = "2")]
    #[serde(deserialize_with = "number::double")]
    pub(in crate::otlp) value: f64,
}

/// The start of the interval that a value covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::otlp) enum Temporality {
    /// Since the previous data point.
    Delta,
    /// Since the start of the application.
    Cumulative,
}

impl Temporality {
    /// None if it is unspecified, which OTLP forbids.
    pub(in crate::otlp) fn of(number: i32) -> Option<Self> {
        match number {
            1 => Some(Self::Delta),
            2 => Some(Self::Cumulative),
            _ => None,
        }
    }
}
