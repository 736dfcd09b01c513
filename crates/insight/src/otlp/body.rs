//! Bodies of OTLP: how they are packed and written, and how large they may be.

use std::io::Read;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use loam_http::surface::{read_at_most, refuse_nul};
use loam_kernel::{Error, Kind, Result, TenantId, run_blocking_limited};
use serde::de::DeserializeOwned;

use super::settings::OtlpSettings;
use super::wire;

/// Bodies from this size on are read off the threads that answer requests.
const LARGE: usize = 128 << 10;
/// What one item of a request holds at most on the average: attributes, events, values.
const PER_ITEM: usize = 64;

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Protobuf.
    Protobuf,
    /// Protobuf's form in JSON.
    Json,
}

impl Encoding {
    /// By the type that the request names.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self> {
        let named =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match named.split(';').next().unwrap_or_default().trim() {
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

    /// The type of the answer.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Protobuf => "application/x-protobuf",
            Self::Json => "application/json",
        }
    }
}

/// The signal of a request: what it is called, and where its items are.
pub(super) trait Signal: prost::Message + Default + DeserializeOwned + 'static {
    /// The fields that lead to what is counted.
    const PATH: &'static [&'static [u32]];
}

impl Signal for wire::TracesRequest {
    const PATH: &'static [&'static [u32]] = wire::TRACES;
}

impl Signal for wire::MetricsRequest {
    const PATH: &'static [&'static [u32]] = wire::METRICS;
}

/// Reads a request.
///
/// # Errors
/// 400 for what is no OTLP, 413 for what is too large, 415 for what is written otherwise.
pub(super) async fn read<T: Signal>(
    tenant: TenantId,
    headers: &HeaderMap,
    body: Body,
    encoding: Encoding,
    settings: &OtlpSettings,
) -> Result<T> {
    let packed = match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"" | b"identity") => false,
        Some(b"gzip") => true,
        Some(_) => {
            let message = "send it as it is, or packed by gzip";
            return Err(Error::new(Kind::Invalid, "unsupported_encoding", message)
                .with_param("content-encoding")
                .with_status(415));
        }
    };
    let bytes = read_at_most(body, settings.max_body_bytes).await?;
    let bytes_long = bytes.len();
    let (most, items) = (settings.max_body_bytes, settings.max_items);
    let open = move || -> Result<T> {
        let bytes = if packed { unpack(&bytes, most)? } else { bytes.into() };
        decode(&bytes, encoding, items)
    };
    if packed || bytes_long >= LARGE { run_blocking_limited(tenant, open).await? } else { open() }
}

fn unpack(packed: &[u8], most: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let limit = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(packed)
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|e| Error::new(Kind::Invalid, "invalid_gzip", "the body is no gzip").with_source(e))?;
    if bytes.len() > most {
        return Err(too_large(format!("the unpacked body is larger than {most} bytes")));
    }
    Ok(bytes)
}

/// Looks first how much there is, as a few bytes can come to much in memory.
pub(super) fn decode<T: Signal>(bytes: &[u8], encoding: Encoding, items: usize) -> Result<T> {
    let most = items.saturating_mul(PER_ITEM);
    let weight = match encoding {
        Encoding::Protobuf => wire::weight(bytes, T::PATH, most),
        Encoding::Json => memchr::memchr_iter(b'{', bytes).count(),
    };
    if weight > most {
        return Err(too_large(format!("there is more in the request than {items} items hold")));
    }
    match encoding {
        Encoding::Protobuf => T::decode(bytes)
            .map_err(|e| Error::new(Kind::Invalid, "invalid_protobuf", format!("the body is no OTLP: {e}"))),
        Encoding::Json => {
            refuse_nul(bytes)?;
            // serde takes a list for a message's fields in their order: an empty one would pass for an empty request
            if bytes.trim_ascii_start().first() != Some(&b'{') {
                return Err(Error::new(
                    Kind::Invalid,
                    "invalid_json",
                    "the body is no OTLP: it must be an object",
                ));
            }
            serde_json::from_slice(bytes)
                .map_err(|e| Error::new(Kind::Invalid, "invalid_json", format!("the body is no OTLP: {e}")))
        }
    }
}

fn too_large(message: String) -> Error {
    Error::new(Kind::TooLarge, "body_too_large", message + "; send less at a time")
}
