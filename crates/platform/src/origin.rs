//! Binding of secrets to an origin.
//!
//! Permission to change a URL must not reveal the secrets that are sent to it. So a secret is bound to the origin that it was
//! given for (scheme, host and port), and must be sent again, in the same request, for another origin.

use std::fmt;

use http::Uri;
use loam_kernel::{Error, Kind, Result};

/// The server that a URL leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of a URL over HTTP; none of what is no such URL.
    #[must_use]
    pub fn of(url: &str) -> Option<Self> {
        let uri: Uri = url.parse().ok()?;
        let scheme = uri.scheme_str()?.to_ascii_lowercase();
        let usual = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return None,
        };
        let host = uri.host()?.to_ascii_lowercase();
        Some(Self { port: uri.port_u16().unwrap_or(usual), scheme, host })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}:{}", self.scheme, self.host, self.port)
    }
}

/// Refuses to keep the secret of `field` that was given for the URL `before`, where requests will go to `now`: unless that is
/// the same server, or nothing is sent any more.
///
/// # Errors
/// `secret_required`, which names the field.
pub fn check_same_origin(field: impl Into<String>, before: Option<&str>, now: Option<&str>) -> Result<()> {
    let Some(now) = now else { return Ok(()) };
    let (before, now) = (before.and_then(Origin::of), Origin::of(now));
    if now.is_some() && before == now {
        return Ok(());
    }
    let name = |origin: Option<Origin>| origin.map_or_else(|| "no server".to_owned(), |it| it.to_string());
    let message = format!(
        "was given for {} and would be sent to {} now: send the secret itself again in the same request",
        name(before),
        name(now)
    );
    let error = Error::new(Kind::Invalid, "secret_required", message);
    Err(error.with_param(field))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let same =
            ["https://api.example.com/v1", "HTTPS://API.example.com:443", "https://api.example.com/x?y=z"];
        for url in same {
            assert!(check_same_origin("key", Some(same[0]), Some(url)).is_ok(), "{url}");
        }
        for url in [
            "http://api.example.com/v1",
            "https://api.example.com:8443/v1",
            "https://api.example.com.evil.example/v1",
            "https://example.com/v1",
            "https://evil.example/https://api.example.com/v1",
            "ftp://api.example.com/",
            "api.example.com",
            "",
        ] {
            let error = check_same_origin("config.api_key", Some(same[0]), Some(url)).expect_err(url);
            assert_eq!((error.param(), error.code()), (Some("config.api_key"), "secret_required"), "{url}");
        }
    }

    #[test]
    fn a_secret_of_no_server_is_kept_for_none() {
        assert!(check_same_origin("secret", None, None).is_ok());
        assert!(check_same_origin("secret", Some("https://a.example"), None).is_ok());
        // else it would be enough to take the address away first
        assert!(check_same_origin("secret", None, Some("https://a.example")).is_err());
        assert!(check_same_origin("secret", Some("nonsense"), Some("nonsense")).is_err());
    }
}
