//! The cookies of a log-in: the session cookie, and the cookie of a known browser.

use axum::http::{HeaderMap, HeaderValue, header};
use loam_kernel::{Error, Origin, Result};

/// Browsers accept it only over HTTPS and send it only to this host.
const SECURE: &str = "__Host-loam_session";
/// Its name over plain HTTP on the local machine, where browsers differ on what counts as secure.
const PLAIN: &str = "loam_session";
/// Prefix of the cookie of a known browser, after `__Host-` where that applies.
pub(super) const DEVICE: &str = "loam_device_";

/// The value of the session cookie. The plain cookie is accepted only from the local machine: elsewhere anybody on the
/// network path could have set it.
pub fn of<'a>(headers: &'a HeaderMap, origin: &Origin) -> Option<&'a str> {
    either(headers, origin, SECURE, PLAIN)
}

/// The value of the cookie of a known browser, by the suffix of its name.
pub(super) fn device<'a>(headers: &'a HeaderMap, origin: &Origin, name: &str) -> Option<&'a str> {
    let plain = format!("{DEVICE}{name}");
    either(headers, origin, &format!("__Host-{plain}"), &plain)
}

/// Every cookie of a request, by name.
pub(super) fn all(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

fn either<'a>(headers: &'a HeaderMap, origin: &Origin, secure: &str, plain: &str) -> Option<&'a str> {
    let value = |name: &str| all(headers).find(|(known, _)| *known == name).map(|(_, value)| value);
    value(secure).or_else(|| if is_here(origin) { value(plain) } else { None })
}

fn is_here(origin: &Origin) -> bool {
    origin.ip_address.is_some_and(|address| address.to_canonical().is_loopback())
}

/// Whether the browser is on the local machine and uses plain HTTP.
fn is_plain(headers: &HeaderMap, origin: &Origin, public_url: Option<&str>) -> bool {
    let https = |url: &str| url.starts_with("https://");
    let said = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    is_here(origin) && !public_url.is_some_and(https) && !said.is_some_and(https)
}

/// The `Set-Cookie` header that sets the session cookie for the given seconds, or removes it without a value.
pub(super) fn set(
    headers: &HeaderMap,
    origin: &Origin,
    public_url: Option<&str>,
    token: &str,
    seconds: u64,
) -> Result<HeaderValue> {
    write(headers, origin, public_url, PLAIN, token, seconds)
}

/// The `Set-Cookie` header for the cookie of a known browser.
pub(super) fn set_device(
    headers: &HeaderMap,
    origin: &Origin,
    public_url: Option<&str>,
    name: &str,
    value: &str,
    seconds: u64,
) -> Result<HeaderValue> {
    write(headers, origin, public_url, &format!("{DEVICE}{name}"), value, seconds)
}

fn write(
    headers: &HeaderMap,
    origin: &Origin,
    public_url: Option<&str>,
    name: &str,
    token: &str,
    seconds: u64,
) -> Result<HeaderValue> {
    let plain = is_plain(headers, origin, public_url);
    let (prefix, secure) = if plain { ("", "") } else { ("__Host-", "; Secure") };
    let text = format!("{prefix}{name}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).map_err(Error::internal)?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(address: &str) -> Origin {
        Origin { ip_address: address.parse().ok(), ..Origin::default() }
    }

    fn with(name: &'static str, value: &str) -> HeaderMap {
        [(header::HeaderName::from_static(name), value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn the_plain_cookie_counts_on_this_machine_alone() {
        let headers = with("cookie", "a=b; loam_session=plain;x");
        assert_eq!(of(&headers, &from("127.0.0.1")), Some("plain"));
        assert_eq!(of(&headers, &from("192.0.2.1")), None);
        let both = with("cookie", "loam_session=plain; __Host-loam_session=good");
        assert_eq!(of(&both, &from("127.0.0.1")), Some("good"));
        assert_eq!(of(&both, &from("192.0.2.1")), Some("good"));
        assert_eq!(of(&HeaderMap::new(), &from("127.0.0.1")), None);
    }

    #[test]
    fn the_cookie_is_for_https_but_on_this_machine() {
        let text = |headers: &HeaderMap, address, url| {
            set(headers, &from(address), url, "t", 60).unwrap().to_str().unwrap().to_owned()
        };
        let none = HeaderMap::new();
        let plain = text(&none, "127.0.0.1", None);
        assert_eq!(plain, "loam_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let secure = "__Host-loam_session=t; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure";
        assert_eq!(text(&none, "192.0.2.1", None), secure);
        assert_eq!(text(&none, "127.0.0.1", Some("https://loam.example.com")), secure, "behind a proxy");
        assert_eq!(text(&with("origin", "https://loam.example.com"), "::1", None), secure, "behind a proxy");
    }
}
