//! Reading answers: streams, silence, endings.

use std::io::Write as _;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use http::Method;
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::support::{QUICK, Server, get, loopback_client, request, serve, text};
use crate::client::{BodyError, Timeouts};

const HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

fn idle(milliseconds: u64) -> Timeouts {
    Timeouts { idle: Duration::from_millis(milliseconds), ..QUICK }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_given_up() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write(format!("{HEAD}5\r\nfirst\r\n"));
        peer.request();
    });
    let get = request(Method::GET, &server.url("/"), "");
    let mut body = loopback_client().send(get, idle(200)).await.expect("an answer").into_body();
    let frame = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(frame.into_data().expect("data"), "first");
    let begun = Instant::now();
    let error = body.frame().await.expect("a frame").expect_err("silence");
    assert!(matches!(error, BodyError::Idle { .. }), "{error:?}");
    assert!((200..2_000).contains(&begun.elapsed().as_millis()), "{:?}", begun.elapsed());
    assert!(body.frame().await.is_none(), "an error is the end");
}

#[tokio::test]
async fn a_slow_stream_may_take_longer_than_the_idle_time() {
    let server = serve(|mut peer| {
        while peer.request().is_some() {
            peer.write(HEAD);
            for _ in 0..10 {
                thread::sleep(Duration::from_millis(60));
                peer.write("1\r\nx\r\n");
            }
            peer.write("0\r\n\r\n");
        }
    });
    let client = loopback_client();
    for _ in 0..2 {
        let get = request(Method::GET, &server.url("/"), "");
        assert_eq!(text(client.send(get, idle(400)).await.expect("an answer")).await, "xxxxxxxxxx");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_slow_reader_is_not_taken_for_a_silent_server() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write(format!("{HEAD}3\r\none\r\n"));
        thread::sleep(Duration::from_millis(100));
        peer.write("3\r\ntwo\r\n0\r\n\r\n");
        peer.request();
    });
    let get = request(Method::GET, &server.url("/"), "");
    let mut body = loopback_client().send(get, idle(200)).await.expect("an answer").into_body();
    body.frame().await.expect("a frame").expect("no error");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(body.collect().await.expect("the rest").to_bytes(), "two");
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write(format!("{HEAD}5\r\nfirst\r\n"));
    });
    let body = get(&loopback_client(), &server.url("/")).await.expect("an answer").into_body();
    let error = body.collect().await.expect_err("a cut");
    assert!(matches!(error, BodyError::Cut { .. }), "{error:?}");
}

#[tokio::test]
async fn a_body_without_a_length_ends_with_the_connection() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it");
    });
    let client = loopback_client();
    for _ in 0..2 {
        assert_eq!(text(get(&client, &server.url("/")).await.expect("an answer")).await, "all of it");
    }
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn what_has_arrived_is_read_without_waiting() {
    let server = serve(|mut peer| {
        peer.request();
        peer.write(format!("{HEAD}{}", "1\r\nx\r\n".repeat(10)));
        peer.request();
    });
    let mut body = get(&loopback_client(), &server.url("/")).await.expect("an answer").into_body();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut frames = 0;
    let cx = &mut Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(Ok(_))) = Pin::new(&mut body).poll_frame(cx) {
        frames += 1;
    }
    assert_eq!(frames, 10);
    assert!(!body.is_end_stream());
}

#[tokio::test]
async fn trailers_are_passed_on() {
    let server = serve(|mut peer| {
        while peer.request().is_some() {
            peer.write(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: cost\r\n\r\n1\r\nx\r\n0\r\ncost: 7\r\n\r\n",
            );
        }
    });
    let client = loopback_client();
    for _ in 0..2 {
        let body = get(&client, &server.url("/")).await.expect("an answer").into_body();
        let whole = body.collect().await.expect("a body");
        assert_eq!(whole.trailers().expect("trailers")["cost"], "7");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_dropped_body_tells_the_server_to_stop() {
    let (gone, stopped) = std::sync::mpsc::channel();
    let server = serve(move |mut peer| {
        peer.request();
        peer.write(format!("{HEAD}5\r\nfirst\r\n"));
        let _ = gone.send(peer.request().is_none());
    });
    drop(get(&loopback_client(), &server.url("/")).await.expect("an answer"));
    tokio::task::yield_now().await;
    assert_eq!(stopped.recv_timeout(Duration::from_secs(5)), Ok(true));
}

#[tokio::test]
async fn a_length_that_was_announced_ends_the_body() {
    let server = super::support::echo_path();
    let client = loopback_client();
    let mut body = get(&client, &server.url("/abc")).await.expect("an answer").into_body();
    assert_eq!(body.size_hint().exact(), Some(4));
    body.frame().await.expect("a frame").expect("no error");
    assert!(body.is_end_stream());
    text(get(&client, &server.url("/")).await.expect("an answer")).await;
    assert_eq!(server.connections(), 1, "given back with the last byte, not with the drop");
}

/// Serves the body in chunks of `size` bytes, with this coding in its head.
fn compressed(coding: &'static str, body: &[u8], size: usize) -> Server {
    let parts: Vec<Vec<u8>> = body.chunks(size).map(<[u8]>::to_vec).collect();
    serve(move |mut peer| {
        let (head, _) = peer.request().expect("a request");
        assert!(head.to_lowercase().contains("accept-encoding: identity\r\n"), "{head}");
        peer.write(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked\r\n\r\n"
        ));
        for part in &parts {
            peer.write(format!("{:x}\r\n", part.len()));
            peer.write(part);
            peer.write("\r\n");
        }
        peer.write("0\r\n\r\n");
    })
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

#[tokio::test]
async fn a_compressed_body_is_decoded_whatever_its_chunks() {
    let body = "data: x\n\n".repeat(5_000);
    let mut deflate = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    deflate.write_all(body.as_bytes()).expect("memory");
    let deflate = deflate.finish().expect("memory");
    for (coding, bytes) in [("gzip", gzip(&body)), ("X-GZIP", gzip(&body)), ("deflate", deflate)] {
        for size in [1, 7, 1 << 20] {
            let server = compressed(coding, &bytes, size);
            let answer = get(&loopback_client(), &server.url("/")).await.expect("an answer");
            assert!(!answer.headers().contains_key("content-encoding"));
            assert_eq!(text(answer).await, body, "{coding} in chunks of {size}");
        }
    }
    let server = compressed("gzip", b"", 1);
    assert_eq!(text(get(&loopback_client(), &server.url("/")).await.expect("an answer")).await, "");
}

#[tokio::test]
async fn an_event_of_a_compressed_stream_does_not_wait_for_the_next() {
    let server = serve(|mut peer| {
        peer.request();
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(b"first").and_then(|()| encoder.flush()).expect("memory");
        let part = encoder.get_ref();
        peer.write(format!(
            "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n",
            part.len()
        ));
        peer.write(part);
        peer.write("\r\n");
        peer.request();
    });
    let mut body = get(&loopback_client(), &server.url("/")).await.expect("an answer").into_body();
    let frame = body.frame().await.expect("a frame").expect("no error");
    assert_eq!(frame.into_data().expect("data"), "first");
}

#[tokio::test]
async fn a_body_that_is_not_compressed_as_its_head_says_is_an_error() {
    for bytes in [b"plain text".to_vec(), gzip("cut")[..12].to_vec()] {
        let server = compressed("gzip", &bytes, 5);
        let body = get(&loopback_client(), &server.url("/")).await.expect("an answer").into_body();
        let error = body.collect().await.expect_err("no gzip");
        assert!(matches!(error, BodyError::Encoding { .. }), "{error:?}");
    }
    let server = compressed("br", b"x", 1);
    let error = get(&loopback_client(), &server.url("/")).await.map(drop).expect_err("an unknown encoding");
    assert!(error.to_string().contains("`br`"), "{error}");
}
