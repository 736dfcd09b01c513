//! Handing letters over.

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

/// The longest that a step of the conversation with the server may take.
const STEP: Duration = Duration::from_secs(30);

/// A letter in plain text.
#[derive(Clone, Debug)]
pub struct Letter<'a> {
    /// The same for every try of it, so that whoever gets it twice can tell.
    pub id: &'a str,
    /// Whom it is for.
    pub to: &'a [String],
    /// What it is about, in a line.
    pub subject: &'a str,
    /// What it says.
    pub text: String,
}

/// Sends letters. Cheap to clone.
#[derive(Clone)]
pub struct Mailer(Arc<Inner>);

struct Inner {
    client: Client,
    config: MailConfig,
    host: String,
    from: Mailbox,
    /// Authorities that are trusted besides the system's own.
    roots: Vec<Certificate>,
    /// Made when it is first needed: the system's roots take milliseconds to load.
    tls: OnceCell<TlsParameters>,
}

/// Whether an address may be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// It may.
    Yes,
    /// It may not.
    No,
    /// It may if it is that of an active user of the tenant.
    ToUsers,
}

/// The bare address of `Ops <ops@example.com>`.
pub fn bare_address(text: &str) -> Option<String> {
    mailbox("to", text).ok().map(|mailbox| mailbox.email.to_string())
}

/// Whether somebody can be written to there.
pub fn check_address(param: &str, text: &str) -> Result<()> {
    mailbox(param, text).map(drop)
}

fn mailbox(param: &str, text: &str) -> Result<Mailbox> {
    text.parse().map_err(|_| Error::invalid(param, "must be an e-mail address such as ops@example.com"))
}

impl Mailer {
    /// What sends letters as the configuration says; none without a server. `ca_file` is that of outgoing requests.
    ///
    /// # Errors
    /// When the configuration can't work.
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

    /// Whether the operator lets tenants write to an address; `ToUsers` leaves it to who the tenant's users are.
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

    /// Hands a letter over once.
    ///
    /// # Errors
    /// When the letter can't be written at all.
    pub async fn send(&self, letter: Letter<'_>) -> Result<Outcome> {
        let message = self.written(letter)?;
        let again = |error: String| Ok(Outcome::Again { status: None, error, after: None });
        let port = self.0.config.port();
        let addresses = match self.0.client.addresses(&self.0.host, port).await {
            Ok(addresses) => addresses,
            Err(e) => return again(e.to_string()),
        };
        // the address that was checked is the one connected to; the certificate has to be for the name
        let Some(address) = addresses.first() else { return again("the name has no address".to_owned()) };
        let tls = match self.tls().await {
            Ok(tls) => tls,
            Err(e) => return again(format!("TLS can't be set up: {e}")),
        };
        let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(address.ip().to_string())
            .port(port)
            .tls(tls)
            .hello_name(ClientId::default())
            .timeout(Some(STEP));
        if let (Some(user), Some(password)) = (&self.0.config.user, &self.0.config.password) {
            transport = transport.credentials(Credentials::new(user.clone(), password.as_str().to_owned()));
        }
        Ok(judge(transport.build::<Tokio1Executor>().send(message).await))
    }

    fn written(&self, letter: Letter<'_>) -> Result<Message> {
        let domain = self.0.from.email.domain();
        let mut message = Message::builder()
            .from(self.0.from.clone())
            .message_id(Some(format!("<{}@{domain}>", letter.id)))
            .date_now()
            .subject(letter.subject.replace(['\r', '\n'], " "))
            .header(header::ContentType::TEXT_PLAIN);
        for to in letter.to {
            message = message.to(mailbox("to", to)?);
        }
        message.body(letter.text).map_err(Error::internal)
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

type Answer =
    std::result::Result<lettre::transport::smtp::response::Response, lettre::transport::smtp::Error>;

/// A server that says no for good means it; whatever else goes wrong may be mended.
fn judge(answer: Answer) -> Outcome {
    match answer {
        Ok(response) => Outcome::Delivered { status: u16::from(response.code()) },
        Err(e) => {
            let status = e.status().map(u16::from);
            let error = match std::error::Error::source(&e) {
                Some(cause) => format!("{e}: {cause}"),
                None => e.to_string(),
            };
            // 535 and the like: a wrong password is the operator's to mend
            if e.is_permanent() && !status.is_some_and(|code| (530..540).contains(&code)) {
                Outcome::Never { status, error }
            } else {
                Outcome::Again { status, error, after: None }
            }
        }
    }
}
