//! Reuse of connections, and what happens when they die.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use http::{Method, StatusCode};

use super::support::{QUICK, client, echo_path, get, loopback_client, post, request, serve, text};
use crate::client::{Client, Config, SendError};

#[tokio::test]
async fn a_request_arrives_as_it_was_sent() {
    let server = serve(|mut peer| {
        let (head, body) = peer.request().expect("a request");
        peer.answer(&format!("{head}{}", String::from_utf8_lossy(&body)));
    });
    let seen =
        text(post(&loopback_client(), &server.url("/v1/chat?x=1"), "{}").await.expect("an answer")).await;
    assert!(seen.starts_with("POST /v1/chat?x=1 HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_lowercase().contains(&format!("\r\nhost: {}\r\n", server.address)), "{seen}");
    assert!(seen.ends_with("\r\n\r\n{}"), "{seen}");
}

#[tokio::test]
async fn one_connection_carries_one_request_after_another() {
    let (server, client) = (echo_path(), loopback_client());
    for path in ["/a", "/b", "/c"] {
        assert_eq!(text(get(&client, &server.url(path)).await.expect("an answer")).await, path);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn requests_at_the_same_time_have_a_connection_each() {
    let (server, client) = (echo_path(), loopback_client());
    let (url, other) = (server.url("/a"), server.url("/b"));
    let (a, b) = tokio::join!(get(&client, &url), get(&client, &other));
    assert_eq!(
        (text(a.expect("an answer")).await, text(b.expect("an answer")).await),
        ("/a".into(), "/b".into())
    );
    assert_eq!(server.connections(), 2);
}

#[test]
fn each_runtime_has_its_own_connections() {
    let server = Arc::new(echo_path());
    let client = loopback_client();
    let threads: Vec<_> = (0..2)
        .map(|_| {
            let (server, client) = (server.clone(), client.clone());
            thread::spawn(move || {
                block_on(async {
                    for _ in 0..5 {
                        text(get(&client, &server.url("/")).await.expect("an answer")).await;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                });
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("both finish");
    }
    assert_eq!(server.connections(), 2);
}

#[test]
fn a_client_outlives_the_runtime_that_used_it() {
    let (server, client) = (echo_path(), loopback_client());
    for _ in 0..3 {
        block_on(async {
            assert_eq!(text(get(&client, &server.url("/")).await.expect("an answer")).await, "/")
        });
    }
    assert_eq!(server.connections(), 3);
}

fn block_on(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future);
}

#[tokio::test]
async fn an_idle_connection_that_died_is_replaced() {
    // Says nothing of closing, and closes.
    let server = serve(|mut peer| {
        if peer.request().is_some() {
            peer.answer("once");
        }
    });
    let client = loopback_client();
    for expected in 1..=3 {
        assert_eq!(text(post(&client, &server.url("/"), "{}").await.expect("an answer")).await, "once");
        assert_eq!(server.connections(), expected);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Answers the first request of the first connection, and closes it once it has received the second.
fn drops_the_second(received: Arc<AtomicUsize>) -> super::support::Server {
    serve(move |mut peer| {
        while peer.request().is_some() {
            let count = received.fetch_add(1, Ordering::SeqCst);
            if peer.number == 0 && count == 1 {
                return;
            }
            peer.answer("here");
        }
    })
}

#[tokio::test]
async fn a_sent_get_without_an_answer_is_sent_once_more() {
    let received = Arc::new(AtomicUsize::new(0));
    let (server, client) = (drops_the_second(received.clone()), loopback_client());
    for _ in 0..2 {
        assert_eq!(text(get(&client, &server.url("/")).await.expect("an answer")).await, "here");
    }
    assert_eq!((server.connections(), received.load(Ordering::SeqCst)), (2, 3));
}

#[tokio::test]
async fn a_sent_post_is_never_sent_twice() {
    let received = Arc::new(AtomicUsize::new(0));
    let (server, client) = (drops_the_second(received.clone()), loopback_client());
    assert_eq!(text(post(&client, &server.url("/"), "{}").await.expect("an answer")).await, "here");
    let error = post(&client, &server.url("/"), "{}").await.err().expect("a closed connection");
    assert!(matches!(error, SendError::Closed { sent: true, .. }), "{error:?}");
    assert!(error.maybe_sent());
    assert_eq!((server.connections(), received.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = serve(|mut peer| {
        while peer.request().is_some() {
            peer.write(
                "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n",
            );
        }
    });
    let client = loopback_client();
    for _ in 0..2 {
        let response = get(&client, &server.url("/")).await.expect("an answer");
        assert_eq!(response.status(), StatusCode::FOUND);
        assert_eq!(response.headers()["location"], "http://169.254.169.254/");
    }
    assert_eq!(server.connections(), 1, "an answer without a body frees its connection at once");
}

#[tokio::test]
async fn a_connection_is_closed_when_idle_for_too_long() {
    let (gone, closed) = std::sync::mpsc::channel();
    let server = serve(move |mut peer| {
        while peer.request().is_some() {
            peer.answer("");
        }
        let _ = gone.send(());
    });
    let client = client(Config { allow_loopback: true, pool_idle_timeout: 1, ..Config::default() });
    get(&client, &server.url("/")).await.expect("an answer");
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(closed.try_recv().is_err(), "not yet");
    tokio::time::sleep(Duration::from_millis(1_700)).await;
    assert!(closed.try_recv().is_ok(), "closed by now");
}

#[tokio::test]
async fn no_more_than_the_set_number_is_kept() {
    let server = echo_path();
    let client = client(Config { allow_loopback: true, max_idle_per_host: 1, ..Config::default() });
    let url = server.url("/");
    for _ in 0..2 {
        let (a, b) = tokio::join!(get(&client, &url), get(&client, &url));
        text(a.expect("an answer")).await;
        text(b.expect("an answer")).await;
    }
    assert_eq!(server.connections(), 3);
}

#[tokio::test]
async fn a_large_body_passes_both_ways() {
    let server = serve(|mut peer| {
        while let Some((_, body)) = peer.request() {
            peer.answer(&String::from_utf8_lossy(&body));
        }
    });
    let client = loopback_client();
    let sent = "x".repeat(5_000_000);
    let post = request(Method::POST, &server.url("/"), sent.clone());
    assert!(text(client.send(post, QUICK).await.expect("an answer")).await == sent);
}

#[test]
fn a_client_can_be_shared_and_an_answer_sent_on() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn sent<T: Send + 'static>(_: T) {}
    shared::<Client>();
    sent(async { get(&loopback_client(), "http://127.0.0.1:1/").await });
}
