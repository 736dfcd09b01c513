//! Which URLs and addresses outgoing requests may reach.

use std::net::{IpAddr, Ipv4Addr};

use http::Uri;
use loam_kernel::{Error, Result};

use super::address::{Class, classify};
use super::request::UrlError;
use super::{Config, Network, request};

/// Decides, address by address, where outgoing requests may go.
#[derive(Clone, Debug)]
pub struct Guard {
    allow_private: bool,
    allow_loopback: bool,
    allow_networks: Vec<Network>,
}

impl Guard {
    /// The guard of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        Self {
            allow_private: config.allow_private,
            allow_loopback: config.allow_loopback,
            allow_networks: config.allow_networks.clone(),
        }
    }

    /// Whether the address may be reached.
    ///
    /// # Errors
    /// The reason why not, as the end of a sentence.
    pub fn permit(&self, address: IpAddr) -> Result<(), &'static str> {
        let listed = || self.allow_networks.iter().any(|network| network.contains(address));
        match classify(address) {
            Class::Public => Ok(()),
            Class::Private if self.allow_private || listed() => Ok(()),
            Class::Loopback if self.allow_loopback || listed() => Ok(()),
            Class::Private => Err("it is a private address: an operator can allow its network with \
                `loam serve --allow-network NETWORK` or `allow_networks` of `[outgoing]`"),
            Class::Loopback if address.to_canonical().is_ipv4() => {
                Err("it is this machine itself: an operator can \
                allow it with `loam serve --allow-network 127.0.0.0/8` or `allow_networks` of `[outgoing]`")
            }
            Class::Loopback => Err("it is this machine itself: an operator can allow it with \
                `loam serve --allow-network ::1` or `allow_networks` of `[outgoing]`"),
            Class::Never(reason) => Err(reason),
        }
    }

    /// Checks a URL without resolving or connecting: http or https, a host, no user name, no fragment; a host that is
    /// an address must be permitted. A name can pass here and be refused later, when its addresses are known.
    ///
    /// # Errors
    /// [`Kind::Invalid`](loam_kernel::Kind::Invalid) that names `param`, the field that holds the URL.
    pub fn check_url(&self, param: &str, url: &str) -> Result<Uri> {
        let wrong = |message: &str| Error::invalid(param, message);
        if url.contains('#') {
            return Err(wrong("must not have a fragment (`#…`)"));
        }
        let uri: Uri = url.parse().map_err(|_| wrong("must be a URL such as https://api.example.com/v1"))?;
        let (_, host, _) = request::parts(&uri).map_err(|UrlError(message)| wrong(message))?;
        let host = host.trim_end_matches('.');
        let address = if is_localhost(host) { Some(Ipv4Addr::LOCALHOST.into()) } else { host.parse().ok() };
        match address {
            Some(address) => self
                .permit(address)
                .map_err(|reason| Error::invalid(param, format!("`{host}` can't be used: {reason}")))?,
            None if host.contains(':') => return Err(wrong("has a malformed IPv6 address")),
            None if is_numeric(host) => {
                return Err(wrong("must give an IPv4 address as four decimal numbers"));
            }
            None => {}
        }
        Ok(uri)
    }
}

/// RFC 6761 reserves the name and everything below it for loopback.
fn is_localhost(host: &str) -> bool {
    let label = host.rsplit('.').next().unwrap_or(host);
    label.eq_ignore_ascii_case("localhost")
}

/// Whether resolvers treat the host as an IPv4 address: `127.1`, `0x7f.1`, `2130706433`. No top-level domain is a number,
/// so the last label decides.
fn is_numeric(host: &str) -> bool {
    let label = host.rsplit('.').next().unwrap_or(host);
    let hex = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    match hex {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_hexdigit()),
        None => label.bytes().all(|byte| byte.is_ascii_digit()),
    }
}
