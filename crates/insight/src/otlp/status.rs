//! Error responses of OTLP: `google.rpc.Status`, in the encoding of the request.

use axum::http::{HeaderMap, HeaderValue};
use loam_http::surface::ErrorFormat;
use loam_kernel::{Error, Kind};
use prost::Message;
use serde::Serialize;

use super::body::Encoding;

/// The paths of OTLP.
const PATHS: [&str; 7] = [
    "/v1/traces",
    "/v1/metrics",
    "/v1/logs",
    "/otlp/v1/traces",
    "/otlp/v1/metrics",
    "/otlp/v1/logs",
    "/api/public/otel/v1/traces",
];

/// The fields of `google.rpc.Status` that are used.
#[derive(Clone, PartialEq, Message, Serialize)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// The error format of the OTLP paths; none for other paths.
pub fn error_shape(path: &str, headers: &HeaderMap) -> Option<ErrorFormat> {
    if !PATHS.contains(&path) {
        return None;
    }
    Some(match Encoding::of(headers) {
        Ok(Encoding::Protobuf) => ErrorFormat {
            content_type: HeaderValue::from_static(Encoding::Protobuf.content_type()),
            body: |error, _| status(error).encode_to_vec(),
        },
        _ => ErrorFormat {
            content_type: HeaderValue::from_static(Encoding::Json.content_type()),
            body: |error, _| serde_json::to_vec(&status(error)).unwrap_or_default(),
        },
    })
}

fn status(error: &Error) -> Status {
    // gRPC status codes
    let code = match error.kind() {
        Kind::Invalid | Kind::TooLarge => 3,
        Kind::Timeout => 4,
        Kind::NotFound => 5,
        Kind::Conflict => 6,
        Kind::Forbidden => 7,
        Kind::TooMany => 8,
        Kind::PreconditionFailed => 9,
        Kind::Internal => 13,
        Kind::Unavailable | Kind::BadGateway => 14,
        Kind::Unauthenticated => 16,
    };
    Status { code, message: error.to_string() }
}
