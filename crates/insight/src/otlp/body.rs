//! OTLP request bodies: compression, encoding and size limits.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use loam_http::surface::{read_at_most, refuse_nul};
use loam_kernel::{Error, Kind, Result, TenantId, run_blocking_limited};
use serde::de::DeserializeOwned;

use super::settings::OtlpSettings;
use super::wire;

/// Bodies from this size in bytes are decoded off the async threads.
const LARGE_BODY: usize = 128 << 10;
/// Maximum average number of nested messages (attributes, events, values) per item of a request.
const MESSAGES_PER_ITEM: usize = 64;

/// The encoding of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Binary protobuf.
    Protobuf,
    /// Protobuf's JSON mapping.
    Json,
}

impl Encoding {
    /// Reads the header `Content-Type`.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self> {
        let content_type =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match content_type.split(';').next().unwrap_or_default().trim() {
            "application/x-protobuf" | "application/protobuf" => Ok(Self::Protobuf),
            "application/json" => Ok(Self::Json),
            _ => {
                let message = "send OTLP as `application/x-protobuf` or `application/json`";
                Err(Error::new(Kind::Invalid, "unsupported_media_type", message)
                    .with_param("content-type")
                    .with_status(415))
            }
        }
    }

    /// The media type, for the response.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// An OTLP export request.
pub(super) trait Signal: prost::Message + Default + DeserializeOwned + 'static {
    /// The field numbers on the path to the counted items.
    const PATH: &'static [&'static [u32]];
}

impl Signal for wire::TracesRequest {
    const PATH: &'static [&'static [u32]] = wire::TRACES;
}

impl Signal for wire::MetricsRequest {
    const PATH: &'static [&'static [u32]] = wire::METRICS;
}

/// Reads and decodes a request.
///
/// # Errors
/// 400 if it is not OTLP, 413 if it is too large, 415 for other encodings.
pub(super) async fn read<T: Signal>(
    tenant: TenantId,
    headers: &HeaderMap,
    body: Body,
    encoding: Encoding,
    settings: &OtlpSettings,
) -> Result<T> {
    let is_gzip = match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            let message = "unsupported Content-Encoding: use gzip or none";
            return Err(Error::new(Kind::Invalid, "unsupported_encoding", message)
                .with_param("content-encoding")
                .with_status(415));
        }
    };
    let bytes = read_at_most(body, settings.max_body_bytes).await?;
    let length = bytes.len();
    let (max, items) = (settings.max_body_bytes, settings.max_items);
    let decode_body = move || -> Result<T> {
        let bytes = if is_gzip { gunzip(&bytes, max)? } else { bytes.into() };
        decode(&bytes, encoding, items)
    };
    if is_gzip || length >= LARGE_BODY {
        run_blocking_limited(tenant, decode_body).await?
    } else {
        decode_body()
    }
}

fn gunzip(compressed: &[u8], max: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(compressed).take(limit).read_to_end(&mut bytes).map_err(|e| {
        Error::new(Kind::Invalid, "invalid_gzip", "the body is not valid gzip").with_source(e)
    })?;
    if bytes.len() > max {
        return Err(too_large(format!("the decompressed body is larger than {max} bytes")));
    }
    Ok(bytes)
}

/// Counts the messages before decoding, since a few bytes can expand to much memory.
pub(super) fn decode<T: Signal>(bytes: &[u8], encoding: Encoding, items: usize) -> Result<T> {
    let max = items.saturating_mul(MESSAGES_PER_ITEM);
    let count = match encoding {
        Encoding::Protobuf => wire::count_fields(bytes, T::PATH, max),
        Encoding::Json => memchr::memchr_iter(b'{', bytes).count(),
    };
    if count > max {
        return Err(too_large(format!("the request holds more than {items} items of usual size")));
    }
    match encoding {
        Encoding::Protobuf => T::decode(bytes).map_err(|e| {
            Error::new(Kind::Invalid, "invalid_protobuf", format!("the body is not valid OTLP: {e}"))
        }),
        Encoding::Json => {
            refuse_nul(bytes)?;
            // serde would accept an array as the fields of a message in order: an empty one would pass for an empty
            // request
            if bytes.trim_ascii_start().first() != Some(&b'{') {
                return Err(Error::new(
                    Kind::Invalid,
                    "invalid_json",
                    "the body is not valid OTLP: it must be an object",
                ));
            }
            serde_json::from_slice(bytes).map_err(|e| {
                Error::new(Kind::Invalid, "invalid_json", format!("the body is not valid OTLP: {e}"))
            })
        }
    }
}

fn too_large(message: String) -> Error {
    Error::new(Kind::TooLarge, "body_too_large", message + "; send less per request")
}
