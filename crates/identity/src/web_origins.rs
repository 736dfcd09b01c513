//! Web origins whose pages may use a credential.

use loam_kernel::{Error, Result};

/// Maximum number of origins of a list.
const MAX: usize = 50;
/// Maximum length of an origin in bytes.
const MAX_LENGTH: usize = 255;
/// Allows pages of every origin.
const ANY: &str = "*";

/// Validates a list of origins, and returns them as browsers send them.
///
/// # Errors
/// An invalid parameter when the list is too long, or an entry is neither `*` nor scheme, host and optional port.
pub(crate) fn validate(param: &str, origins: Vec<String>) -> Result<Vec<String>> {
    if origins.is_empty() || origins.len() > MAX {
        return Err(Error::invalid(param, format!("must have 1 to {MAX} entries")));
    }
    origins.into_iter().map(|origin| normalized(param, &origin)).collect()
}

fn normalized(param: &str, origin: &str) -> Result<String> {
    let origin = origin.to_ascii_lowercase();
    let uri = origin.parse::<http::Uri>().ok().filter(|_| origin.len() <= MAX_LENGTH);
    let valid = uri.as_ref().is_some_and(|uri| {
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        let scheme = uri.scheme_str().unwrap_or_default();
        matches!(scheme, "http" | "https")
            && !authority.contains('@')
            && origin == format!("{scheme}://{authority}")
    });
    if valid {
        let default_port = if origin.starts_with("https:") { ":443" } else { ":80" };
        return Ok(origin.strip_suffix(default_port).unwrap_or(&origin).to_owned());
    }
    if origin == ANY {
        return Ok(origin);
    }
    let message = format!("`{origin}` must be an origin such as `https://app.example.com:8443`, or `*`");
    Err(Error::invalid(param, message))
}

/// Whether a list contains an origin as browsers send it: in lower case, without a default port.
pub fn allows(origins: &[String], origin: &str) -> bool {
    origins.iter().any(|allowed| allowed == ANY || allowed == origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let validated = |origin: &str| {
            validate("allowed_origins", vec![origin.to_owned()]).map(|mut list| list.remove(0))
        };
        for valid in ["https://app.example.com", "http://localhost:5173", "http://[::1]:3000", "*"] {
            assert_eq!(validated(valid).unwrap(), valid);
        }
        assert_eq!(validated("HTTPS://App.Example.com").unwrap(), "https://app.example.com");
        assert_eq!(validated("https://a.example:443").unwrap(), "https://a.example");
        assert_eq!(validated("http://a.example:443").unwrap(), "http://a.example:443");
        for invalid in [
            "",
            "app.example.com",
            "https://",
            "https://a.example/",
            "https://a.example/x",
            "https://u@a.example",
            "ftp://a.example",
            "null",
            "https://*.a.example/",
            "https://a b",
        ] {
            let error = validated(invalid).expect_err(invalid);
            assert_eq!(error.param(), Some("allowed_origins"), "{invalid}");
        }
        assert!(validate("allowed_origins", Vec::new()).is_err(), "nobody could use the credential");
    }

    #[test]
    fn a_list_allows_its_entries_alone_unless_it_has_the_star() {
        let list = ["https://a.example".to_owned()];
        assert!(allows(&list, "https://a.example"));
        for other in ["https://a.example:444", "http://a.example", "https://a.example.evil", "null", ""] {
            assert!(!allows(&list, other), "{other}");
        }
        assert!(allows(&["*".to_owned()], "https://b.example"));
    }
}
