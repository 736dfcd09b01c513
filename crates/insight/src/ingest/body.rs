//! Request bodies of telemetry: read and decompressed, both within limits.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use loam_kernel::{Error, Kind, Result};
use zstd::stream::raw::DParameter;
use zstd::stream::read::Decoder;

/// The maximum window size of a zstd body, as a power of two: 8 MiB, which every decoder must support (RFC 8878).
const ZSTD_WINDOW_LOG: u32 = 23;

/// The `Content-Encoding` of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ContentEncoding {
    Identity,
    Gzip,
    Zstd,
}

impl ContentEncoding {
    /// Reads the header `Content-Encoding`.
    ///
    /// # Errors
    /// 415 if the encoding is not supported.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Identity) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Identity),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => {
                let message = "unsupported Content-Encoding: use gzip, zstd or none";
                Err(Error::new(Kind::Invalid, "unsupported_encoding", message)
                    .with_status(415)
                    .with_param("Content-Encoding"))
            }
        }
    }

    /// Decompresses the body, at most `max` bytes of it.
    ///
    /// # Errors
    /// 413 `body_too_large` if there is more; 400 `invalid_encoding` if the body doesn't match its encoding.
    pub(crate) fn decode(self, body: Bytes, max: usize) -> Result<Bytes> {
        let invalid = |e: io::Error| {
            Error::new(Kind::Invalid, "invalid_encoding", "the body does not match its Content-Encoding")
                .with_source(e)
        };
        match self {
            Self::Identity if body.len() > max => Err(too_large(max)),
            Self::Identity => Ok(body),
            Self::Gzip => decompress(MultiGzDecoder::new(&*body), body.len(), max, invalid),
            Self::Zstd => {
                let mut decoder = Decoder::with_buffer(&*body).map_err(invalid)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG)).map_err(invalid)?;
                decompress(decoder, body.len(), max, invalid)
            }
        }
    }
}

fn decompress(
    from: impl Read,
    compressed_len: usize,
    max: usize,
    invalid: impl Fn(io::Error) -> Error,
) -> Result<Bytes> {
    let mut body = Vec::with_capacity(compressed_len.saturating_mul(4).min(max));
    // one byte more than the limit shows that there is more
    from.take(max as u64 + 1).read_to_end(&mut body).map_err(invalid)?;
    if body.len() > max { Err(too_large(max)) } else { Ok(body.into()) }
}

pub(super) fn too_large(max: usize) -> Error {
    let message = format!("the body is larger than {max} bytes: send fewer records per request");
    Error::new(Kind::TooLarge, "body_too_large", message)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn compressed_bodies_round_trip() {
        let body = b"loam ".repeat(1_000);
        let zstd: Bytes = zstd::encode_all(&*body, 3).unwrap().into();
        for (encoding, bytes) in [
            (ContentEncoding::Gzip, gzip(&body)),
            (ContentEncoding::Zstd, zstd),
            (ContentEncoding::Identity, body.clone().into()),
        ] {
            assert_eq!(encoding.decode(bytes.clone(), body.len()).unwrap(), body, "{encoding:?}");
            assert_eq!(encoding.decode(bytes, body.len() - 1).unwrap_err().status(), 413, "{encoding:?}");
        }
    }

    #[test]
    fn a_decompression_bomb_is_rejected_at_the_limit() {
        let zeros = vec![0; 50 << 20];
        let zstd: Bytes = zstd::encode_all(&*zeros, 19).unwrap().into();
        for (encoding, bytes) in [(ContentEncoding::Gzip, gzip(&zeros)), (ContentEncoding::Zstd, zstd)] {
            assert!(bytes.len() < 100_000);
            assert_eq!(encoding.decode(bytes, 1 << 20).unwrap_err().code(), "body_too_large", "{encoding:?}");
        }
    }

    #[test]
    fn a_body_that_does_not_match_its_encoding_is_rejected() {
        let body = gzip(&b"loam ".repeat(1_000));
        for (encoding, bytes) in [
            (ContentEncoding::Gzip, Bytes::from_static(b"plain")),
            (ContentEncoding::Zstd, body.clone()),
            (ContentEncoding::Gzip, body.slice(..body.len() - 20)),
        ] {
            assert_eq!(
                encoding.decode(bytes, 1 << 20).unwrap_err().code(),
                "invalid_encoding",
                "{encoding:?}"
            );
        }
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(text))])
        };
        assert_eq!(ContentEncoding::of(&headers("br")).unwrap_err().status(), 415);
        assert_eq!(ContentEncoding::of(&headers("GZIP")).unwrap(), ContentEncoding::Gzip);
    }
}
