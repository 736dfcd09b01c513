//! HTTPS with certificates made on the spot.

use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use tempfile::TempDir;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::support::{Server, client, get, serve, text};
use crate::client::{Client, Config, SendError};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        Self { issuer, folder: TempDir::new().expect("a folder") }
    }

    fn file(&self) -> PathBuf {
        let path = self.folder.path().join("ca.pem");
        std::fs::write(&path, self.issuer.pem()).expect("a writable folder");
        path
    }

    fn server_config(&self, name: &str) -> ServerConfig {
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring's versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::try_from(key.serialize_der()).expect("a PKCS #8 key"),
            )
            .expect("a matching pair");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }

    /// Answers each request with the protocol that ALPN chose; keeps the connection.
    fn serve(&self, name: &str, seen: Arc<Mutex<Vec<String>>>) -> Server {
        let config = Arc::new(self.server_config(name));
        serve(move |peer| {
            let session = ServerConnection::new(config.clone()).expect("a session");
            let mut stream = StreamOwned::new(session, peer.into_stream());
            let mut buffer = [0; 4096];
            while let Ok(1..) = stream.read(&mut buffer) {
                let alpn =
                    String::from_utf8_lossy(stream.conn.alpn_protocol().unwrap_or_default()).into_owned();
                seen.lock().expect("no panic").push(alpn);
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nsecret");
            }
        })
    }
}

fn trusting(authority: &Authority) -> Client {
    client(Config { allow_loopback: true, ca_file: Some(authority.file()), ..Config::default() })
}

fn tls_error(error: &SendError) -> String {
    match error {
        SendError::Tls { source, .. } => format!("{source:?}"),
        other => panic!("not a TLS error: {other:?}"),
    }
}

#[tokio::test]
async fn a_certificate_of_the_configured_authority_is_good() {
    let (authority, seen) = (Authority::new(), Arc::default());
    let server = authority.serve("localhost", Arc::clone(&seen));
    let client = trusting(&authority);
    for _ in 0..2 {
        let url = format!("https://localhost:{}/", server.address.port());
        assert_eq!(text(get(&client, &url).await.expect("an answer")).await, "secret");
    }
    assert_eq!(*seen.lock().expect("no panic"), ["http/1.1", "http/1.1"]);
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_certificate_for_an_address_is_good() {
    let authority = Authority::new();
    let server = authority.serve("127.0.0.1", Arc::default());
    let response = get(&trusting(&authority), &format!("https://{}/", server.address)).await;
    assert_eq!(text(response.expect("an answer")).await, "secret");
}

#[tokio::test]
async fn an_unknown_authority_is_refused() {
    let server = Authority::new().serve("localhost", Arc::default());
    let other = Authority::new();
    let url = format!("https://localhost:{}/", server.address.port());
    let error = get(&trusting(&other), &url).await.err().expect("an unknown authority");
    assert!(
        tls_error(&error).contains("UnknownIssuer") || tls_error(&error).contains("BadSignature"),
        "{error:?}"
    );
    assert!(!error.maybe_sent());
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused() {
    let authority = Authority::new();
    let seen = Arc::default();
    let server = authority.serve("api.example.com", Arc::clone(&seen));
    let url = format!("https://localhost:{}/", server.address.port());
    let error = get(&trusting(&authority), &url).await.err().expect("another name");
    assert!(tls_error(&error).contains("NotValidForName"), "{error:?}");
    assert!(seen.lock().expect("no panic").is_empty(), "the server got no request");
}

#[tokio::test]
async fn plain_http_in_answer_to_a_handshake_is_a_tls_error() {
    let authority = Authority::new();
    let server = serve(|mut peer| peer.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error =
        get(&trusting(&authority), &format!("https://{}/", server.address)).await.err().expect("no TLS");
    tls_error(&error);
}

#[test]
fn a_wrong_ca_file_is_found_at_the_start() {
    let folder = TempDir::new().expect("a folder");
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").expect("a writable folder");
    for path in [empty, folder.path().join("missing.pem")] {
        let error =
            Client::new(&Config { ca_file: Some(path), ..Config::default() }).err().expect("no certificate");
        assert_eq!(error.param(), Some("ca_file"));
    }
}
