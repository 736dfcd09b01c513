//! Each way of failing before an answer has its own name.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use http::Method;

use super::support::{QUICK, get, loopback_client, post, request, serve};
use crate::client::{SendError, Timeouts};

#[tokio::test]
async fn a_closed_port_does_not_accept() {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|one| one.local_addr()).expect("a free port");
    let error = get(&loopback_client(), &format!("http://{address}/")).await.err().expect("nobody there");
    assert!(matches!(error, SendError::Connect { .. }), "{error:?}");
    assert!(!error.maybe_sent());
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_apart() {
    // A label may have 63 characters: the resolver knows without asking anyone.
    let url = format!("http://{}.invalid/", "a".repeat(64));
    let error = get(&loopback_client(), &url).await.err().expect("no such name");
    assert!(matches!(error, SendError::Dns { .. }), "{error:?}");
}

#[tokio::test]
async fn a_handshake_without_an_answer_counts_as_connecting() {
    let server = serve(|_peer| thread::sleep(Duration::from_secs(3)));
    let timeouts = Timeouts { connect: Duration::from_millis(200), ..QUICK };
    let request = request(Method::GET, &format!("https://{}/", server.address), "");
    let error = loopback_client().send(request, timeouts).await.err().expect("a time-out");
    assert!(matches!(error, SendError::ConnectTimeout { .. }), "{error:?}");
    assert!(error.is_timeout() && !error.maybe_sent());
}

#[tokio::test]
async fn an_answer_that_does_not_begin_is_given_up() {
    let server = serve(|mut peer| while peer.request().is_some() {});
    let timeouts = Timeouts { first_byte: Duration::from_millis(200), ..QUICK };
    let begun = Instant::now();
    let request = request(Method::GET, &server.url("/"), "");
    let error = loopback_client().send(request, timeouts).await.err().expect("a time-out");
    assert!(matches!(error, SendError::FirstByteTimeout { .. }), "{error:?}");
    assert!(error.is_timeout() && error.maybe_sent());
    assert!((200..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_closed_before_the_answer_is_told_apart() {
    let server = serve(|mut peer| drop(peer.request()));
    let error = post(&loopback_client(), &server.url("/"), "{}").await.err().expect("closed");
    assert!(matches!(error, SendError::Closed { sent: true, .. }), "{error:?}");
    assert_eq!(server.connections(), 1, "a fresh connection is not tried twice");
}

#[tokio::test]
async fn an_answer_cut_within_its_head_is_told_apart() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\ncontent-le");
    });
    let error = get(&loopback_client(), &server.url("/")).await.err().expect("closed");
    assert!(matches!(error, SendError::Closed { sent: true, .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_told_apart() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write("SSH-2.0-OpenSSH_9.9\r\n\r\n");
    });
    let error = get(&loopback_client(), &server.url("/")).await.err().expect("not HTTP");
    assert!(matches!(error, SendError::Protocol { .. }), "{error:?}");
}
