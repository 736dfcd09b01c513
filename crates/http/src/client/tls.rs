//! TLS with rustls: HTTP/1.1 only, the system's root certificates plus those of the configuration.

use std::io;
use std::path::Path;
use std::sync::Arc;

use loam_kernel::{Error, Result};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Creates TLS connections. The system's roots take milliseconds to load and megabytes of memory, so they are loaded for
/// the first connection that needs them.
pub(super) struct Tls {
    extra_roots: Vec<CertificateDer<'static>>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    /// Reads the additional roots, so that a wrong path is detected at the start and not at the first request.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self> {
        let extra_roots = match ca_file {
            Some(path) => read(path)?,
            None => Vec::new(),
        };
        Ok(Self { extra_roots, connector: OnceCell::new() })
    }

    /// Secures a connection to `host`, a name or an address that the certificate must be for.
    pub(super) async fn handshake(&self, host: &str, tcp: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(host.trim_end_matches('.').to_owned()).map_err(io::Error::other)?;
        let connector = self.connector.get_or_try_init(|| self.load()).await?;
        connector.connect(name, tcp).await
    }

    async fn load(&self) -> io::Result<TlsConnector> {
        let extra = self.extra_roots.clone();
        let config = tokio::task::spawn_blocking(move || build(extra)).await.map_err(io::Error::other)??;
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn read(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let wrong = |message: &str| Error::invalid("ca_file", format!("`{}` {message}", path.display()));
    let file = CertificateDer::pem_file_iter(path);
    let certificates: std::result::Result<Vec<_>, _> = file.and_then(Iterator::collect);
    let certificates = certificates.map_err(|error| wrong("can't be read as PEM").with_source(error))?;
    if certificates.is_empty() {
        return Err(wrong("holds no certificate"));
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store
            .add(certificate.clone())
            .map_err(|error| wrong("holds an unusable certificate").with_source(error))?;
    }
    Ok(certificates)
}

fn build(extra: Vec<CertificateDer<'static>>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    // A system's store may contain certificates that rustls can't use; they are skipped.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots.add_parsable_certificates(extra);
    if roots.is_empty() {
        let message = "no root certificates: install the package `ca-certificates`, or set `ca_file`";
        return Err(io::Error::new(io::ErrorKind::NotFound, message));
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
