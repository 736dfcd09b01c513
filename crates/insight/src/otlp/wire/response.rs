//! Export responses.

use serde::Serialize;

/// `ExportTraceServiceResponse` and `ExportMetricsServiceResponse`, which differ only in a JSON field name.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::otlp) struct ExportServiceResponse {
    #[prost(message, optional, tag = "1")]
    pub(in crate::otlp) partial_success: Option<PartialSuccess>,
}

/// What was rejected, and why.
#[derive(Clone, PartialEq, prost::Message, Serialize)]
pub(in crate::otlp) struct PartialSuccess {
    #[prost(int64, tag = "1")]
    pub(in crate::otlp) rejected: i64,
    #[prost(string, tag = "2")]
    pub(in crate::otlp) error_message: String,
}
