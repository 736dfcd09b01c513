//! OTLP request bodies: their encoding, and the number of their items.

use std::borrow::Cow;

use axum::http::{HeaderMap, header};
use loam_kernel::{Error, Kind, Result};
use serde::de::DeserializeOwned;

use super::wire::{self, Decoded, Fragment, Salvage};

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
        match content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
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
pub(super) trait Signal: prost::Message + Default + DeserializeOwned + Salvage + 'static {
    /// The field numbers on the path to the counted items.
    const PATH: &'static [&'static [u32]];
}

impl Signal for wire::ExportTraceServiceRequest {
    const PATH: &'static [&'static [u32]] = wire::TRACES;
}

impl Signal for wire::ExportLogsServiceRequest {
    const PATH: &'static [&'static [u32]] = wire::LOGS;
}

impl Signal for wire::ExportMetricsServiceRequest {
    const PATH: &'static [&'static [u32]] = wire::METRICS;
}

/// Decodes a request. Of items with a value that can't be decoded, the others are not affected.
///
/// Counts the messages before decoding, since a few bytes can expand to much memory.
///
/// # Errors
/// 400 if it is not OTLP, 413 if it holds more than about `items` items.
pub(super) fn decode<T: Signal>(bytes: &[u8], encoding: Encoding, items: usize) -> Result<Decoded<T>> {
    let max = items.saturating_mul(MESSAGES_PER_ITEM);
    let count = match encoding {
        Encoding::Protobuf => wire::count_fields(bytes, T::PATH, max),
        Encoding::Json => memchr::memchr_iter(b'{', bytes).count(),
    };
    if count > max {
        let message =
            format!("the request holds more than {items} items of usual size; send less per request");
        return Err(Error::new(Kind::TooLarge, "body_too_large", message));
    }
    match encoding {
        Encoding::Protobuf => decode_protobuf(bytes),
        Encoding::Json => decode_json(bytes),
    }
}

fn decode_protobuf<T: Signal>(bytes: &[u8]) -> Result<Decoded<T>> {
    let error = match T::decode(bytes) {
        Ok(request) => return Ok(Decoded { request, ..Decoded::default() }),
        Err(e) => invalid("invalid_protobuf", &e.to_string()),
    };
    T::salvage(Fragment::Protobuf(bytes)).ok_or(error)
}

fn decode_json<T: Signal>(bytes: &[u8]) -> Result<Decoded<T>> {
    // serde would accept an array as the fields of a message in order: an empty one would pass for an empty request
    if bytes.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid("invalid_json", "it must be an object"));
    }
    let error = match serde_json::from_slice(bytes) {
        Ok(request) => return Ok(Decoded { request, ..Decoded::default() }),
        Err(e) => invalid("invalid_json", &e.to_string()),
    };
    T::salvage(Fragment::Json(&text(bytes))).ok_or(error)
}

/// The body as text. Bytes that are not UTF-8 become an escape that no string can contain, so that their string can't
/// be decoded.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = str::from_utf8(bytes) {
        return text.into();
    }
    let mut text = String::with_capacity(bytes.len() + 64);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push_str("\\ud800");
        }
    }
    text.into()
}

fn invalid(code: &'static str, message: &str) -> Error {
    Error::new(Kind::Invalid, code, format!("the body is not valid OTLP: {message}"))
}
