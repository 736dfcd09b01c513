//! Sending e-mail.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use lettre::message::{Mailbox, header};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use loam_http::client::Client;
use loam_kernel::{Error, Result};
use tokio::sync::OnceCell;

use super::config::{MailConfig, MailTls};
use crate::webhook_deliveries::Outcome;

/// Timeout of a step of the SMTP dialogue.
const STEP_TIMEOUT: Duration = Duration::from_secs(30);

/// An e-mail in plain text.
#[derive(Clone, Debug)]
pub struct Email<'a> {
    /// Its id, equal for all attempts, so that receivers can detect duplicates.
    pub id: &'a str,
    /// Recipients.
    pub to: &'a [String],
    /// Subject.
    pub subject: &'a str,
    /// Text.
    pub text: String,
}

/// Sends e-mail. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    client: Client,
    config: MailConfig,
    host: String,
    from: Mailbox,
    /// Additional trusted certificate authorities.
    roots: Vec<Certificate>,
    /// Made when it is first needed: the system's roots take milliseconds to load.
    tls: OnceCell<TlsParameters>,
}

/// Whether e-mail may be sent to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// Allowed.
    Yes,
    /// Not allowed.
    No,
    /// Allowed if it belongs to an active user of the tenant.
    ToUsers,
}

/// The bare address of `Ops <ops@example.com>`.
pub fn bare_address(text: &str) -> Option<String> {
    mailbox("to", text).ok().map(|mailbox| mailbox.email.to_string())
}

/// Validates an e-mail address.
pub fn check_address(param: &str, text: &str) -> Result<()> {
    mailbox(param, text).map(drop)
}

fn mailbox(param: &str, text: &str) -> Result<Mailbox> {
    text.parse().map_err(|_| Error::invalid(param, "must be an e-mail address such as ops@example.com"))
}

impl Mailer {
    /// A mailer for the configuration; none without a server. `ca_file` is that of outgoing requests.
    ///
    /// # Errors
    /// When the configuration is invalid.
    pub fn new(config: &MailConfig, client: Client, ca_file: Option<&Path>) -> Result<Option<Self>> {
        config.check()?;
        let Some(host) = config.host.clone() else { return Ok(None) };
        let roots = match ca_file {
            Some(path) => vec![certificate(path)?],
            None => Vec::new(),
        };
        let from = mailbox("smtp.from", config.from.as_deref().unwrap_or_default())?;
        let config = config.clone();
        Ok(Some(Self(Arc::new(Inner { client, config, host, from, roots, tls: OnceCell::new() }))))
    }

    /// Whether the operator allows tenants to send to an address.
    pub fn allows(&self, address: &str) -> Allowed {
        let domains = &self.0.config.allowed_domains;
        if domains.is_empty() {
            return Allowed::ToUsers;
        }
        let Ok(mailbox) = mailbox("to", address) else { return Allowed::No };
        let to = mailbox.email.domain();
        match domains.iter().any(|domain| domain == "*" || domain.eq_ignore_ascii_case(to)) {
            true => Allowed::Yes,
            false => Allowed::No,
        }
    }

    /// Sends an e-mail once.
    ///
    /// # Errors
    /// When the e-mail can't be encoded.
    pub async fn send(&self, email: Email<'_>) -> Result<Outcome> {
        let message = self.build(email)?;
        let retry = |error: String| Ok(Outcome::Retry { status: None, error, after: None });
        let port = self.0.config.port();
        let addresses = match self.0.client.addresses(&self.0.host, port).await {
            Ok(addresses) => addresses,
            Err(e) => return retry(e.to_string()),
        };
        // the address that was checked is the one connected to; the certificate has to be for the name
        let Some(address) = addresses.first() else { return retry("the name has no address".to_owned()) };
        let tls = match self.tls().await {
            Ok(tls) => tls,
            Err(e) => return retry(format!("TLS can't be set up: {e}")),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(port)
            .tls(tls)
            .hello_name(ClientId::default())
            .timeout(Some(STEP_TIMEOUT));
        if let (Some(user), Some(password)) = (&self.0.config.user, &self.0.config.password) {
            transport = transport.credentials(Credentials::new(user.clone(), password.as_str().to_owned()));
        }
        Ok(outcome_of(transport.build::<Tokio1Executor>().send(message).await))
    }

    fn build(&self, email: Email<'_>) -> Result<Message> {
        let domain = self.0.from.email.domain();
        let mut message = Message::builder()
            .from(self.0.from.clone())
            .message_id(Some(format!("<{}@{domain}>", email.id)))
            .date_now()
            .subject(email.subject.replace(['\r', '\n'], " "))
            .header(header::ContentType::TEXT_PLAIN);
        for to in email.to {
            message = message.to(mailbox("to", to)?);
        }
        message.body(email.text).map_err(Error::internal)
    }

    async fn tls(&self) -> Result<Tls, String> {
        if self.0.config.tls == MailTls::None {
            return Ok(Tls::None);
        }
        let parameters = self.0.tls.get_or_try_init(|| async {
            let mut builder = TlsParameters::builder(self.0.host.clone());
            for root in &self.0.roots {
                builder = builder.add_root_certificate(root.clone());
            }
            let built = tokio::task::spawn_blocking(move || builder.build()).await;
            built.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
        });
        let parameters = parameters.await?.clone();
        Ok(match self.0.config.tls {
            MailTls::Implicit => Tls::Wrapper(parameters),
            _ => Tls::Required(parameters),
        })
    }
}

fn certificate(path: &Path) -> Result<Certificate> {
    let wrong = || Error::invalid("ca_file", format!("`{}` can't be read as PEM", path.display()));
    let pem = std::fs::read(path).map_err(|e| wrong().with_source(e))?;
    Certificate::from_pem(&pem).map_err(|e| wrong().with_source(e))
}

type SmtpResult =
    std::result::Result<lettre::transport::smtp::response::Response, lettre::transport::smtp::Error>;

/// Permanent SMTP errors are final; all others are retried.
fn outcome_of(result: SmtpResult) -> Outcome {
    match result {
        Ok(response) => Outcome::Delivered { status: u16::from(response.code()) },
        Err(e) => {
            let status = e.status().map(u16::from);
            let error = match std::error::Error::source(&e) {
                Some(cause) => format!("{e}: {cause}"),
                None => e.to_string(),
            };
            // 535 and similar: the operator can correct a wrong password
            if e.is_permanent() && !status.is_some_and(|code| (530..540).contains(&code)) {
                Outcome::Rejected { status, error }
            } else {
                Outcome::Retry { status, error, after: None }
            }
        }
    }
}
