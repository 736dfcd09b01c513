//! The API at a server.

use std::io::{BufRead, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail, ensure};
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::response::Response;
use clap::Args;
use http_body_util::Full;
use loam_http::client::{self, Client, Timeouts};
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{ApiFailure, MAX_RESPONSE};
use crate::config::Config;

const TENANT: HeaderName = HeaderName::from_static("x-loam-tenant");
/// Longer than any key or token.
const MAX_KEY: u64 = 16 << 10;

/// Options for commands at a server.
#[derive(Args, Clone)]
pub(in crate::cli) struct ServerArgs {
    /// Run the command at this server, such as `https://loam.example.com`, instead of on a database.
    #[arg(long, global = true, env = "LOAM_SERVER", value_name = "URL")]
    pub(in crate::cli) server: Option<String>,
    /// API key for `--server`. Other users of this machine may see it: prefer `LOAM_KEY` or `--key-file`.
    #[arg(
        long = "key",
        id = "server_key",
        global = true,
        env = "LOAM_KEY",
        hide_env_values = true,
        value_name = "KEY"
    )]
    pub(in crate::cli) key: Option<String>,
    /// File whose first line is the API key for `--server`; `-` reads it from standard input. Comes before `--key`.
    #[arg(long, global = true, value_name = "FILE")]
    pub(in crate::cli) key_file: Option<PathBuf>,
    /// Maximum time of a request to `--server` in seconds. Imports and exports may take any time, as long as data arrives.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(in crate::cli) timeout: u64,
}

/// The API at a server. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Remote {
    client: Client,
    /// The URL without a slash at its end.
    base: String,
    authorization: HeaderValue,
    tenant: Option<HeaderValue>,
    /// Of a request with its response.
    total: Duration,
    timeouts: Timeouts,
}

impl Remote {
    /// The API at a server. Nothing is sent yet.
    pub(in crate::cli) fn new(url: &str, args: &ServerArgs, config: &Config) -> Result<Self> {
        // whoever runs the command chooses the server, as with any client: only the tenants' own targets are restricted
        let outgoing =
            client::Config { allow_private: true, allow_loopback: true, ..config.outgoing.clone() };
        let client = Client::new(&outgoing)?;
        let base = url.trim_end_matches('/').to_owned();
        let parsed = client.check_url("--server", &base)?;
        ensure!(parsed.query().is_none(), "--server must be a URL without a query");
        let key = match (&args.key_file, &args.key) {
            (Some(file), _) => read_key(file)?,
            (None, Some(key)) => Zeroizing::new(key.trim().to_owned()),
            (None, None) => bail!("--server needs an API key: set LOAM_KEY, or name a file with --key-file"),
        };
        let bearer = Zeroizing::new(format!("Bearer {}", key.as_str()));
        let mut authorization = HeaderValue::from_str(&bearer)
            .ok()
            .filter(|_| !key.is_empty())
            .context("the API key for --server must be one line of ASCII characters")?;
        authorization.set_sensitive(true);
        let total = Duration::from_secs(args.timeout);
        let timeouts = outgoing.timeouts();
        Ok(Self { client, base, authorization, tenant: None, total, timeouts })
    }

    /// The same in a tenant.
    pub(super) fn in_tenant(&self, slug: &str) -> Result<Self> {
        let tenant = HeaderValue::from_str(slug).context("--tenant must be a slug")?;
        Ok(Self { tenant: Some(tenant), ..self.clone() })
    }

    /// Sends a request whose response is read at once.
    pub(super) async fn send(&self, request: Request) -> Result<Response> {
        // longer than the total time, whose own error says more
        let first_byte = self.total.saturating_mul(2);
        self.exchange(request, Timeouts { first_byte, ..self.timeouts }).await
    }

    /// Sends a request whose body or response may take any time.
    pub(super) async fn stream(&self, request: Request) -> Result<Response> {
        self.exchange(request, self.timeouts).await
    }

    /// Limits the time of a request with its response.
    pub(super) async fn in_time<T>(&self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let late = || {
            let seconds = self.total.as_secs();
            anyhow!("no response from {} within {seconds} seconds; a change may still take effect", self.base)
        };
        timeout(self.total, work).await.map_err(|_| late())?
    }

    /// The error for a response that isn't Loam's.
    pub(super) fn not_loam(&self) -> String {
        format!("the response of {} is not that of a Loam server; check --server", self.base)
    }

    async fn exchange(&self, request: Request, timeouts: Timeouts) -> Result<Response> {
        let (mut parts, body) = request.into_parts();
        parts.uri = format!("{}{}", self.base, parts.uri).parse::<Uri>()?;
        parts.headers.insert(header::AUTHORIZATION, self.authorization.clone());
        parts.headers.insert(header::USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(tenant) = &self.tenant {
            parts.headers.insert(TENANT, tenant.clone());
        }
        // in memory, also an import: a server takes `max_import_bytes` at most
        let body = to_bytes(body, usize::MAX).await.map_err(super::error::of_body)?;
        let request = Request::from_parts(parts, Full::new(body));
        let sent = self.client.send(request, timeouts).await;
        let response = sent.with_context(|| format!("cannot reach {}", self.base))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.map(Body::new));
        }
        if status.is_redirection() {
            let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
            bail!(
                "{} redirects to {}; give --server the URL of the server itself",
                self.base,
                to.unwrap_or("?")
            );
        }
        let body =
            to_bytes(Body::new(response.into_body()), MAX_RESPONSE).await.map_err(super::error::of_body)?;
        match ApiFailure::remote(status, &body) {
            Some(failure) => Err(failure.into()),
            None => bail!("{} (status {})", self.not_loam(), status.as_u16()),
        }
    }
}

const AGENT: &str = concat!("loam/", env!("CARGO_PKG_VERSION"));

/// The first line of a file. What follows it on standard input is the command's.
fn read_key(file: &Path) -> Result<Zeroizing<String>> {
    let mut line = Zeroizing::new(String::new());
    let read = |source: &mut dyn BufRead, line: &mut String| source.take(MAX_KEY).read_line(line);
    if file.as_os_str() == "-" {
        read(&mut std::io::stdin().lock(), &mut line).context("cannot read the API key")?;
    } else {
        let open = std::fs::File::open(file);
        let done = open.and_then(|file| read(&mut std::io::BufReader::new(file), &mut line));
        done.with_context(|| format!("cannot read the API key in {}", file.display()))?;
    }
    Ok(Zeroizing::new(line.trim().to_owned()))
}
