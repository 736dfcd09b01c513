//! The body of what applications send: read, unpacked, both no further than is taken.

use std::io::{self, Read};

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use loam_kernel::{Error, Kind, Result};
use zstd::stream::raw::DParameter;
use zstd::stream::read::Decoder;

/// The largest window that a zstd body may want, as a power of two: 8 MiB, what every decoder must have.
const ZSTD_WINDOW: u32 = 23;

/// How a body is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packed {
    Not,
    Gzip,
    Zstd,
}

impl Packed {
    /// How a request says that its body is packed.
    ///
    /// # Errors
    /// 415 when that is not known here.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self> {
        let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Self::Not) };
        match value.to_str().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "" | "identity" => Ok(Self::Not),
            "gzip" | "x-gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            _ => {
                let message = "this encoding is not known here: use gzip or zstd, or none";
                Err(Error::new(Kind::Invalid, "unsupported_encoding", message)
                    .with_status(415)
                    .with_param("Content-Encoding"))
            }
        }
    }

    /// The body, unless it comes to more than `max` bytes: no more than that is ever unpacked.
    ///
    /// # Errors
    /// 413 `body_too_large`; 400 `invalid_encoding` when it isn't what it says it is.
    pub(crate) fn open(self, body: Bytes, max: usize) -> Result<Bytes> {
        let broken = |e: io::Error| {
            Error::new(
                Kind::Invalid,
                "invalid_encoding",
                "the body is not packed as its Content-Encoding says",
            )
            .with_source(e)
        };
        match self {
            Self::Not if body.len() > max => Err(too_large(max)),
            Self::Not => Ok(body),
            Self::Gzip => unpack(MultiGzDecoder::new(&*body), body.len(), max, broken),
            Self::Zstd => {
                let mut decoder = Decoder::with_buffer(&*body).map_err(broken)?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW)).map_err(broken)?;
                unpack(decoder, body.len(), max, broken)
            }
        }
    }
}

fn unpack(from: impl Read, packed: usize, max: usize, broken: impl Fn(io::Error) -> Error) -> Result<Bytes> {
    let mut body = Vec::with_capacity(packed.saturating_mul(4).min(max));
    // one byte more than is taken tells that there is more
    from.take(max as u64 + 1).read_to_end(&mut body).map_err(broken)?;
    if body.len() > max { Err(too_large(max)) } else { Ok(body.into()) }
}

pub(super) fn too_large(max: usize) -> Error {
    let message = format!("the body comes to more than {max} bytes: send fewer records at once");
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
    fn what_is_packed_comes_out_as_it_went_in() {
        let body = b"loam ".repeat(1_000);
        let zstd: Bytes = zstd::encode_all(&*body, 3).unwrap().into();
        for (packed, bytes) in
            [(Packed::Gzip, gzip(&body)), (Packed::Zstd, zstd), (Packed::Not, body.clone().into())]
        {
            assert_eq!(packed.open(bytes.clone(), body.len()).unwrap(), body, "{packed:?}");
            assert_eq!(packed.open(bytes, body.len() - 1).unwrap_err().status(), 413, "{packed:?}");
        }
    }

    #[test]
    fn a_bomb_is_given_up_at_the_limit() {
        let zeros = vec![0; 50 << 20];
        let zstd: Bytes = zstd::encode_all(&*zeros, 19).unwrap().into();
        for (packed, bytes) in [(Packed::Gzip, gzip(&zeros)), (Packed::Zstd, zstd)] {
            assert!(bytes.len() < 100_000);
            assert_eq!(packed.open(bytes, 1 << 20).unwrap_err().code(), "body_too_large", "{packed:?}");
        }
    }

    #[test]
    fn what_is_not_packed_as_it_says_is_refused() {
        let body = gzip(&b"loam ".repeat(1_000));
        for (packed, bytes) in [
            (Packed::Gzip, Bytes::from_static(b"plain")),
            (Packed::Zstd, body.clone()),
            (Packed::Gzip, body.slice(..body.len() - 20)),
        ] {
            assert_eq!(packed.open(bytes, 1 << 20).unwrap_err().code(), "invalid_encoding", "{packed:?}");
        }
        let headers = |text: &'static str| {
            HeaderMap::from_iter([(header::CONTENT_ENCODING, http::HeaderValue::from_static(text))])
        };
        assert_eq!(Packed::of(&headers("br")).unwrap_err().status(), 415);
        assert_eq!(Packed::of(&headers("GZIP")).unwrap(), Packed::Gzip);
    }
}
