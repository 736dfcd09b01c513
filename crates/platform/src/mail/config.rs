//! Configuration of the mail server.

use std::net::IpAddr;

use loam_kernel::{Error, Result};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::mailer::check_address;

/// How the connection is secured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// STARTTLS: upgraded before any mail command; usual at port 587. A server without it is refused.
    #[default]
    Starttls,
    /// TLS from the first byte; usual at port 465.
    Implicit,
    /// No TLS.
    None,
}

/// The mail server. Without `host` no e-mail is sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MailConfig {
    /// Its name or address.
    pub host: Option<String>,
    /// Its port; defaults to 587 for `starttls`, 465 for `implicit`, 25 for `none`.
    pub port: Option<u16>,
    /// How the connection is secured: `starttls`, `implicit` or `none`.
    pub tls: MailTls,
    /// User for authentication; defaults to none.
    pub user: Option<String>,
    /// The password of that user.
    pub password: Option<Zeroizing<String>>,
    /// Sender address: `Loam <loam@example.com>`.
    pub from: Option<String>,
    /// Domains to which tenants may send: `example.com`; `*` for any. Without domains, a tenant can send only to the addresses
    /// of its own active users.
    pub allowed_domains: Vec<String>,
}

impl MailConfig {
    /// The effective port.
    pub(super) fn port(&self) -> u16 {
        self.port.unwrap_or(match self.tls {
            MailTls::Starttls => 587,
            MailTls::Implicit => 465,
            MailTls::None => 25,
        })
    }

    /// Rejects invalid combinations, and a password over an unencrypted connection.
    pub(super) fn check(&self) -> Result<()> {
        let Some(host) = &self.host else {
            return match &self.from {
                Some(_) => Err(Error::invalid("smtp.host", "must be set where `smtp.from` is")),
                None => Ok(()),
            };
        };
        let from = self.from.as_deref().unwrap_or_default();
        check_address("smtp.from", from)?;
        if self.user.is_some() != self.password.is_some() {
            return Err(Error::invalid("smtp.user", "needs `smtp.password`, and the other way round"));
        }
        if let Some(wrong) = self.allowed_domains.iter().find(|domain| !is_domain(domain)) {
            let message = format!("`{wrong}` is no domain such as example.com, and not `*`");
            return Err(Error::invalid("smtp.allowed_domains", message));
        }
        let here = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
        if self.tls == MailTls::None && self.password.is_some() && !here {
            let message = "would send the password in plain text: use `starttls` or `implicit`";
            return Err(Error::invalid("smtp.tls", message));
        }
        Ok(())
    }
}

fn is_domain(text: &str) -> bool {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    text == "*" || (!text.is_empty() && !text.starts_with('.') && text.chars().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(host: &str, tls: MailTls, password: bool) -> MailConfig {
        MailConfig {
            host: Some(host.to_owned()),
            tls,
            user: password.then(|| "loam".to_owned()),
            password: password.then(|| Zeroizing::new("secret".to_owned())),
            from: Some("Loam <loam@example.com>".to_owned()),
            ..MailConfig::default()
        }
    }

    #[test]
    fn a_password_is_never_sent_in_plain_text_to_another_machine() {
        assert!(MailConfig::default().check().is_ok());
        assert!(config("mail.example.com", MailTls::Starttls, true).check().is_ok());
        assert!(config("mail.example.com", MailTls::None, false).check().is_ok());
        assert!(config("127.0.0.1", MailTls::None, true).check().is_ok());
        let error = config("mail.example.com", MailTls::None, true).check().expect_err("plain");
        assert_eq!(error.param(), Some("smtp.tls"));
    }

    #[test]
    fn what_cannot_work_is_refused() {
        let good = config("mail.example.com", MailTls::Implicit, true);
        assert_eq!(good.port(), 465);
        let wrong = [
            MailConfig { from: None, ..good.clone() },
            MailConfig { from: Some("nobody".to_owned()), ..good.clone() },
            MailConfig { password: None, ..good.clone() },
            MailConfig { allowed_domains: vec!["ops@example.com".to_owned()], ..good.clone() },
            MailConfig { host: None, ..good },
        ];
        assert!(wrong.iter().all(|config| config.check().is_err()));
    }
}
