//! The embedded files, and responses with them.

#![cfg_attr(not(has_files), expect(dead_code, reason = "without files nothing is made of them"))]

use std::fmt::Write as _;
use std::io::Read;

use axum::response::{IntoResponse, Response};
use flate2::read::GzDecoder;
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

/// The content of a file.
enum Content {
    /// As it is: it would not become smaller.
    Plain(&'static [u8]),
    /// In two encodings; clients that accept neither get it decoded.
    Compressed { brotli: &'static [u8], gzip: &'static [u8] },
}

/// An embedded file.
pub(crate) struct Asset {
    path: &'static str,
    content: Content,
}

static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// The name of a file below here contains a hash of its content.
const HASHED: &str = "assets/";
const FOREVER: &str = "public, max-age=31536000, immutable";
const ASK_EACH_TIME: &str = "no-cache";

/// The file of a path.
pub(crate) fn find(path: &str) -> Option<&'static Asset> {
    ASSETS.iter().find(|asset| asset.path == path)
}

impl Asset {
    /// The response with the file in an encoding that the client accepts, or 304 if the client has it.
    pub(crate) fn response(&self, request: &HeaderMap) -> Response {
        let cache = if self.path.starts_with(HASHED) { FOREVER } else { ASK_EACH_TIME };
        let common = [(header::CACHE_CONTROL, cache), (header::VARY, "accept-encoding")];
        let (encoding, bytes) = match self.content {
            Content::Plain(bytes) => (None, bytes),
            Content::Compressed { brotli, .. } if accepts(request, "br") => (Some("br"), brotli),
            Content::Compressed { gzip, .. } if accepts(request, "gzip") => (Some("gzip"), gzip),
            Content::Compressed { gzip, .. } => {
                return match decoded(gzip) {
                    Ok(bytes) => {
                        (common, [(header::CONTENT_TYPE, self.content_type())], bytes).into_response()
                    }
                    Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
                };
            }
        };
        let tag = entity_tag(bytes);
        if knows(request, &tag) {
            return (StatusCode::NOT_MODIFIED, common, [(header::ETAG, tag)]).into_response();
        }
        let typed = [(header::CONTENT_TYPE, self.content_type().to_owned()), (header::ETAG, tag)];
        let mut response = (common, typed, bytes).into_response();
        if let Some(encoding) = encoding {
            response.headers_mut().insert(header::CONTENT_ENCODING, http::HeaderValue::from_static(encoding));
        }
        response
    }

    fn content_type(&self) -> &'static str {
        match self.path.rsplit('.').next() {
            Some("html") => "text/html; charset=utf-8",
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            Some("json") => "application/json",
            _ => "application/octet-stream",
        }
    }
}

fn decoded(gzip: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    GzDecoder::new(gzip).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether a client has the file with this tag: a list, compared weakly. RFC 9110, section 13.1.2.
fn knows(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| known.trim().trim_start_matches("W/") == tag)
}

/// Whether a client accepts an encoding: RFC 9110, section 12.5.3.
fn accepts(request: &HeaderMap, encoding: &str) -> bool {
    let values = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|offer| {
        let (name, quality) = offer.split_once(';').unwrap_or((offer, ""));
        let refused = quality.trim().strip_prefix("q=").is_some_and(|q| q.trim().parse() == Ok(0.0_f32));
        name.trim().eq_ignore_ascii_case(encoding) && !refused
    })
}

/// The tag of a file in an encoding.
fn entity_tag(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let mut tag = String::from("\"");
    for byte in &hash[..12] {
        let _ = write!(tag, "{byte:02x}");
    }
    tag.push('"');
    tag
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn request(encodings: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(encodings))])
    }

    #[test]
    fn an_encoding_is_accepted_unless_its_quality_is_zero() {
        assert!(accepts(&request("gzip, deflate, br"), "br"));
        assert!(accepts(&request("BR;q=0.5"), "br"));
        assert!(!accepts(&request("br;q=0, gzip"), "br"));
        assert!(!accepts(&request("gzip"), "br"));
        assert!(!accepts(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn a_tag_is_found_in_a_list_also_as_a_weak_one() {
        let request = |tags: &'static str| {
            HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(tags))])
        };
        assert!(knows(&request("\"a\""), "\"a\""));
        assert!(knows(&request("\"b\", W/\"a\""), "\"a\""));
        assert!(!knows(&request("\"b\""), "\"a\""));
        assert!(!knows(&HeaderMap::new(), "\"a\""));
    }

    #[test]
    fn a_client_without_encodings_gets_the_decoded_file() {
        // gzip of "hello", made by GNU gzip
        static GZIP: &[u8] = &[
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48, 0xcd, 0xc9, 0xc9, 7, 0, 0x86, 0xa6, 0x10, 0x36,
            5, 0, 0, 0,
        ];
        assert_eq!(decoded(GZIP).expect("it is gzip"), b"hello");
    }
}
