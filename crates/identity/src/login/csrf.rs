//! Protection against cross-site request forgery.
//!
//! A browser sends the session cookie with every request, also with those that another site triggers. So a request that
//! changes something must also carry, in a header, a token that only a page of Loam's own site can read, and must not
//! have a cross-site origin.

use axum::http::{HeaderMap, HeaderName, Uri, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use loam_kernel::{Error, Kind, Result};
use ring::hmac;

/// The header that carries the token.
pub const HEADER: HeaderName = HeaderName::from_static("x-loam-csrf");
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
const PURPOSE: &[u8] = b"loam csrf token v1";

/// The CSRF token of a session: derived from the session token, so that it is bound to it and needs no storage.
pub fn token(session: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.as_bytes());
    URL_SAFE_NO_PAD.encode(hmac::sign(&key, PURPOSE))
}

/// Rejects a request without its session's CSRF token. The comparison takes constant time.
///
/// # Errors
/// `csrf_token_missing`, `csrf_token_wrong`.
pub fn check(session: &str, headers: &HeaderMap) -> Result<()> {
    let refused = |code, message: &str| Err(Error::new(Kind::Forbidden, code, message));
    let Some(given) = headers.get(HEADER) else {
        let message =
            "a change with a login session needs the header `x-loam-csrf`: see `GET /api/v1/session`";
        return refused("csrf_token_missing", message);
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, session.as_bytes());
    let bytes = URL_SAFE_NO_PAD.decode(given.as_bytes()).unwrap_or_default();
    match hmac::verify(&key, PURPOSE, &bytes) {
        Ok(()) => Ok(()),
        Err(_) => refused(
            "csrf_token_wrong",
            "`x-loam-csrf` does not match this session: see `GET /api/v1/session`",
        ),
    }
}

/// Rejects a request whose headers name another site as its origin. A request without these headers is not a browser's.
///
/// # Errors
/// `other_origin`.
pub fn check_origin(headers: &HeaderMap, public_url: Option<&str>) -> Result<()> {
    let refused = || {
        let message =
            "this request comes from a page of another site; behind a proxy, set `identity.public_url`";
        Err(Error::new(Kind::Forbidden, "other_origin", message))
    };
    if headers.get(FETCH_SITE).is_some_and(|site| site != "same-origin") {
        return refused();
    }
    let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    if let Some(url) = public_url {
        return if url.eq_ignore_ascii_case(origin) { Ok(()) } else { refused() };
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    match origin.parse::<Uri>().ok().and_then(|uri| uri.authority().map(ToString::to_string)) {
        Some(authority) if authority.eq_ignore_ascii_case(host) => Ok(()),
        _ => refused(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_bound_to_its_session() {
        let mine = token("session");
        assert!(check("session", &headers(&[("x-loam-csrf", &mine)])).is_ok());
        for wrong in [token("other"), String::new(), mine[1..].to_owned(), format!("{mine}A")] {
            let error = check("session", &headers(&[("x-loam-csrf", &wrong)])).unwrap_err();
            assert_eq!((error.status(), error.code()), (403, "csrf_token_wrong"), "{wrong}");
        }
        assert_eq!(check("session", &HeaderMap::new()).unwrap_err().code(), "csrf_token_missing");
    }

    #[test]
    fn a_page_of_another_site_is_told_apart() {
        let at = |origin: &str, host: &str| headers(&[("origin", origin), ("host", host)]);
        assert!(check_origin(&at("https://loam.example.com", "loam.example.com"), None).is_ok());
        assert!(check_origin(&at("http://127.0.0.1:8790", "127.0.0.1:8790"), None).is_ok());
        assert!(check_origin(&headers(&[("sec-fetch-site", "same-origin")]), None).is_ok());
        assert!(check_origin(&HeaderMap::new(), None).is_ok(), "no browser's");
        for (origin, host) in [
            ("https://evil.example.com", "loam.example.com"),
            ("null", "loam.example.com"),
            ("https://loam.example.com:444", "loam.example.com"),
            ("", ""),
        ] {
            assert!(check_origin(&at(origin, host), None).is_err(), "{origin}");
        }
        for site in ["cross-site", "same-site", "none", "nonsense"] {
            assert!(check_origin(&headers(&[("sec-fetch-site", site)]), None).is_err(), "{site}");
        }
        let behind_a_proxy = at("https://loam.example.com", "10.0.0.1:8790");
        assert!(check_origin(&behind_a_proxy, None).is_err());
        assert!(check_origin(&behind_a_proxy, Some("https://loam.example.com")).is_ok());
        assert!(check_origin(&behind_a_proxy, Some("http://loam.example.com")).is_err());
    }
}
