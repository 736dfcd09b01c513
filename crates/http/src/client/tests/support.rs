//! A scripted server on a thread of its own, and short forms.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};

use crate::client::{Body, Client, Config, SendError, Timeouts};

pub(super) const QUICK: Timeouts = Timeouts {
    connect: Duration::from_secs(5),
    first_byte: Duration::from_secs(5),
    idle: Duration::from_secs(5),
};

pub(super) fn loopback_client() -> Client {
    client(Config { allow_loopback: true, ..Config::default() })
}

pub(super) fn client(config: Config) -> Client {
    Client::new(&config).expect("a valid configuration")
}

/// What the server has seen.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

/// One accepted connection.
pub(super) struct Peer {
    /// Counts from zero.
    pub(super) number: usize,
    stream: BufReader<TcpStream>,
}

impl Peer {
    /// The next request's head and body, or nothing at the end of the connection.
    pub(super) fn request(&mut self) -> Option<(String, Vec<u8>)> {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if self.stream.read_line(&mut head).ok()? == 0 {
                return None;
            }
        }
        let length =
            head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut body).ok()?;
        Some((head, body))
    }

    /// The client may have left already; then nothing is written.
    pub(super) fn write(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.stream.get_mut().write_all(bytes.as_ref());
    }

    pub(super) fn answer(&mut self, body: &str) {
        self.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()));
    }

    pub(super) fn into_stream(self) -> TcpStream {
        self.stream.into_inner()
    }
}

/// Serves each connection with `script`, on a thread each; the connection is closed when it returns.
pub(super) fn serve(script: impl Fn(Peer) + Send + Sync + 'static) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    let connections = Arc::new(AtomicUsize::new(0));
    let script = Arc::new(script);
    let counter = connections.clone();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let number = counter.fetch_add(1, Ordering::SeqCst);
            let script = script.clone();
            thread::spawn(move || script(Peer { number, stream: BufReader::new(stream) }));
        }
    });
    Server { address, connections }
}

/// Answers every request with its path.
pub(super) fn echo_path() -> Server {
    serve(|mut peer| {
        while let Some((head, _)) = peer.request() {
            let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
            peer.answer(&path);
        }
    })
}

pub(super) fn request(method: Method, url: &str, body: impl Into<Bytes>) -> Request<Full<Bytes>> {
    Request::builder().method(method).uri(url).body(Full::new(body.into())).expect("a valid request")
}

pub(super) async fn get(client: &Client, url: &str) -> Result<Response<Body>, SendError> {
    client.send(request(Method::GET, url, ""), QUICK).await
}

pub(super) async fn post(
    client: &Client,
    url: &str,
    body: &'static str,
) -> Result<Response<Body>, SendError> {
    client.send(request(Method::POST, url, body), QUICK).await
}

/// The whole body as text.
pub(super) async fn text(response: Response<Body>) -> String {
    let body = response.into_body().collect().await.expect("a complete body").to_bytes();
    String::from_utf8(body.to_vec()).expect("text")
}
