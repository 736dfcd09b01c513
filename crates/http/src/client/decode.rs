//! Decodes a compressed response body. Requests ask for none (`Accept-Encoding: identity`), but some servers, and
//! proxies in front of them, compress all the same.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::{MultiGzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};

use super::SendError;

/// Bytes decoded at once: they become a few megabytes at most, so a reader's limit applies in time.
const PART: usize = 4 << 10;

/// The decoder of one body.
pub(super) struct Decoder {
    coding: Coding,
    /// What has arrived and is not decoded yet.
    pending: Bytes,
    has_begun: bool,
}

enum Coding {
    Gzip(MultiGzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Decoder {
    /// The decoder for a response with these headers, which then describe the decoded body. None if it isn't compressed.
    pub(super) fn of(headers: &mut HeaderMap) -> Result<Option<Box<Self>>, SendError> {
        let Some(name) = headers.get(CONTENT_ENCODING) else { return Ok(None) };
        let name = String::from_utf8_lossy(name.as_bytes()).trim().to_ascii_lowercase();
        let coding = match name.as_str() {
            "" | "identity" => return Ok(None),
            "gzip" | "x-gzip" => Coding::Gzip(MultiGzDecoder::new(Vec::new())),
            "deflate" => Coding::Deflate(ZlibDecoder::new(Vec::new())),
            _ => return Err(SendError::Encoding { name }),
        };
        headers.remove(CONTENT_ENCODING);
        headers.remove(CONTENT_LENGTH);
        Ok(Some(Box::new(Self { coding, pending: Bytes::new(), has_begun: false })))
    }

    /// Adds bytes; everything before must have been taken.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.has_begun |= !bytes.is_empty();
        self.pending = bytes;
    }

    /// The next decoded bytes of what has arrived.
    pub(super) fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.pending.is_empty() {
            let part = self.pending.split_to(self.pending.len().min(PART));
            let decoded = match &mut self.coding {
                Coding::Gzip(decoder) => write(decoder, &part, MultiGzDecoder::get_mut),
                Coding::Deflate(decoder) => write(decoder, &part, ZlibDecoder::get_mut),
            }?;
            if !decoded.is_empty() {
                return Ok(Some(decoded.into()));
            }
        }
        Ok(None)
    }

    /// The rest; an error if the body was cut.
    pub(super) fn finish(&mut self) -> io::Result<Bytes> {
        if !self.has_begun {
            return Ok(Bytes::new());
        }
        let rest = match &mut self.coding {
            Coding::Gzip(decoder) => {
                decoder.try_finish()?;
                std::mem::take(decoder.get_mut())
            }
            Coding::Deflate(decoder) => {
                decoder.try_finish()?;
                std::mem::take(decoder.get_mut())
            }
        };
        Ok(rest.into())
    }
}

/// Decodes a part to its end: an event of a stream must not wait for the next one.
fn write<D: Write>(decoder: &mut D, part: &[u8], out: fn(&mut D) -> &mut Vec<u8>) -> io::Result<Vec<u8>> {
    decoder.write_all(part)?;
    decoder.flush()?;
    Ok(std::mem::take(out(decoder)))
}
