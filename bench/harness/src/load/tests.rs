//! The load generator against the mock upstream, and against servers that answer wrongly.

use clap::Parser;
use tokio::{io::AsyncWriteExt, net::TcpListener};

use super::*;
use crate::upstream;

#[derive(Parser)]
struct Load {
    #[command(flatten)]
    args: Args,
}

#[derive(Parser)]
struct Mock {
    #[command(flatten)]
    args: upstream::Args,
}

async fn mock(flags: &[&str]) -> String {
    let args = Mock::parse_from([&["mock"], flags].concat()).args;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/v1/chat/completions", listener.local_addr().unwrap());
    tokio::spawn(upstream::serve(listener, args));
    url
}

async fn load(url: &str, flags: &[&str]) -> Report {
    drive(Load::parse_from([&["load", "--url", url], flags].concat()).args).await.unwrap()
}

/// A server that reads one request and answers each connection with `answer`, then closes it.
async fn canned(answer: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut buf = bytes::BytesMut::new();
            crate::http1::fill(&mut stream, &mut buf, false).await.unwrap();
            stream.write_all(answer).await.unwrap();
        }
    });
    url
}

async fn calls(url: &str) -> serde_json::Value {
    let authority = Target::parse(url).unwrap().authority;
    let mut stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    stream.write_all(b"GET /count HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let (mut buf, mut body) = (bytes::BytesMut::new(), Vec::new());
    answer::read(&mut stream, &mut buf, &mut body, false).await.unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test]
async fn every_request_is_answered_and_counted_once() {
    let url = mock(&[]).await;
    let plain = load(&url, &["--connections", "4", "--requests", "101"]).await;
    let streamed =
        load(&url, &["--connections", "3", "--requests", "50", "--stream", "--include-usage"]).await;
    let large = load(&url, &["--requests", "5", "--body-bytes", "200000"]).await;
    for (report, requests) in [(&plain, 101), (&streamed, 50), (&large, 5)] {
        assert!(report.errors.is_empty(), "{:?}", report.errors);
        assert_eq!((report.requests, report.completed, report.sent), (requests, requests, requests));
    }
    assert!(large.bytes_out > 1_000_000);
    let (first, last) = (streamed.first_byte_us.unwrap(), streamed.latency_us.unwrap());
    assert!(first.p50 > 0.0 && first.p50 <= last.p50);
    let count = calls(&url).await;
    assert_eq!((&count["calls"], &count["streams"], &count["aborted"]), (&156.into(), &50.into(), &0.into()));
}

#[tokio::test]
async fn the_warm_up_is_not_measured_and_the_tail_is_finished() {
    let url = mock(&["--delay-ms", "30"]).await;
    let report = load(&url, &["--connections", "2", "--duration", "0.3", "--warmup", "0.3"]).await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert_eq!(report.completed, report.sent);
    assert!(report.requests < report.completed, "{report}");
    assert!(report.latency_us.unwrap().p50 >= 30_000.0);
    assert_eq!(calls(&url).await["calls"], report.completed);
}

#[tokio::test]
async fn a_gap_between_chunks_delays_the_end_not_the_beginning() {
    let url = mock(&["--chunks", "4", "--chunk-gap-us", "20000"]).await;
    let report = load(&url, &["--requests", "3", "--stream"]).await;
    assert!(report.errors.is_empty(), "{:?}", report.errors);
    assert!(report.first_byte_us.unwrap().p50 < 20_000.0);
    assert!(report.latency_us.unwrap().p50 >= 80_000.0);
}

#[tokio::test]
async fn wrong_answers_are_errors() {
    const OK: &[u8] =
        b"HTTP/1.1 200 OK\r\ncontent-length: 44\r\n\r\n{\"a\": \" (end of the answer)\", \"usage\": {}} \n";
    let cases: [(&'static [u8], &[&str], Option<&str>); 8] = [
        (OK, &[], None),
        (OK, &["--stream"], Some("stream without [DONE]")),
        (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", &[], Some("status 502")),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"usage\"",
            &[],
            Some("connection closed inside a message"),
        ),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n{\"usage\":1}",
            &[],
            Some("text of the answer cut or missing"),
        ),
        (b"HTTP/1.1 200 OK\r\n\r\n{\"usage\":1", &[], Some("not a whole completion")),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n",
            &["--stream"],
            Some("connection closed inside a message"),
        ),
        (b"nonsense\r\n\r\n", &[], Some("malformed head: invalid HTTP version")),
    ];
    for (answer, flags, error) in cases {
        let url = canned(answer).await;
        let report = load(&url, &[&["--requests", "1"], flags].concat()).await;
        match error {
            None => assert_eq!((report.requests, report.failures()), (1, 0), "{:?}", report.errors),
            Some(error) => {
                assert_eq!(report.errors.get(error), Some(&1), "{:?}", report.errors);
                assert_eq!(report.requests, 0);
            }
        }
    }
}

#[tokio::test]
async fn a_server_that_never_answers_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let report =
        load(&url, &["--connections", "3", "--duration", "0.1", "--warmup", "0", "--grace", "0.1"]).await;
    assert_eq!(report.errors.get("no answer within the grace period"), Some(&3), "{:?}", report.errors);
    drop(listener);
}
