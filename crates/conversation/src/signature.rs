//! Signs requests to other servers.

use http::{HeaderMap, HeaderName, HeaderValue};
use loam_kernel::{Error, Result};
use ring::hmac;

const TIMESTAMP: HeaderName = HeaderName::from_static("x-loam-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("x-loam-signature");

/// Adds the timestamp, in seconds since 1970, and the signature: `v1=` followed by the hex-encoded
/// HMAC-SHA256 of the timestamp, a dot and the body. A receiver compares it in constant time and rejects
/// requests older than a few minutes.
pub(crate) fn sign(headers: &mut HeaderMap, secret: &str, seconds: i64, body: &[u8]) -> Result<()> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{seconds}.").as_bytes());
    context.update(body);
    let tag = context.sign();
    let hex: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    headers.insert(TIMESTAMP, HeaderValue::from(seconds));
    headers.insert(SIGNATURE, HeaderValue::try_from(format!("v1={hex}")).map_err(Error::internal)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_covers_the_time_and_the_body() {
        let signed = |seconds, body: &str| {
            let mut headers = HeaderMap::new();
            sign(&mut headers, "a-secret-of-enough-length", seconds, body.as_bytes()).expect("signed");
            headers
        };
        // Computed with Python's `hmac`.
        let expected = "v1=5401e1318062e492435d0a269ce98790edd9a75ebce6dc936ae363639bb9c602";
        assert_eq!(signed(1_700_000_000, "{}")[SIGNATURE], expected);
        assert_eq!(signed(1_700_000_000, "{}")[TIMESTAMP], "1700000000");
        assert_ne!(signed(1_700_000_001, "{}")[SIGNATURE], expected);
        assert_ne!(signed(1_700_000_000, "{ }")[SIGNATURE], expected);
    }
}
