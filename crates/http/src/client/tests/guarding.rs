//! The guard on URLs, on names, and on the way to the socket.

use std::net::{IpAddr, TcpListener};

use super::support::{client, echo_path, get, loopback_client, text};
use crate::client::{Client, Config, Guard, SendError};

fn closed_client() -> Client {
    client(Config::default())
}

#[test]
fn good_urls_pass() {
    let guard = Guard::new(&Config::default());
    for url in [
        "https://api.openai.com/v1",
        "http://example.com:8080",
        "HTTPS://EXAMPLE.COM/",
        "https://8.8.8.8/x?y=z",
        "https://[2606:4700::1111]:8443/v1",
        "https://1password.com",
        "https://x.0xabc.example.",
        "http://a/",
    ] {
        assert!(guard.check_url("base_url", url).is_ok(), "{url}");
    }
}

#[test]
fn bad_urls_are_refused_under_the_name_of_their_field() {
    let guard = Guard::new(&Config::default());
    for url in [
        "",
        "example.com",
        "/v1",
        "//example.com",
        "ftp://example.com",
        "file:///etc/passwd",
        "unix:/run/x.sock",
        "https://",
        "https:///path",
        "https://user@example.com",
        "https://user:pw@example.com",
        "https://@example.com",
        "https://example.com/#part",
        "https://example.com:0/",
        "https://example.com:65536/",
        "https://example.com:/",
        "https://example.com:x/",
        "https://exa mple.com/",
        "https://example.com/\0",
        "https://[::1",
        "https://[]/",
        "https://8.8.8.8@169.254.169.254/",
        "https://[fe80::1%25eth0]/",
        // addresses
        "http://127.0.0.1/",
        "http://[::1]:8080/",
        "http://10.0.0.1/",
        "http://169.254.169.254/latest/meta-data/",
        "http://[::ffff:169.254.169.254]/",
        "http://[fd00:ec2::254]/",
        "http://0.0.0.0/",
        "http://169.254.169.254./",
        // this machine by name
        "http://localhost/",
        "http://LocalHost:8080/",
        "http://db.localhost/",
        "http://localhost./",
        // other spellings of addresses
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://127.1/",
        "http://0177.0.0.1/",
        "http://0xa9fea9fe/",
        "http://169.254.43518/",
        "http://0/",
        "http://0x/",
        "http://1.2.3.4.5/",
    ] {
        let error = guard.check_url("base_url", url).err().unwrap_or_else(|| panic!("`{url}` passed"));
        assert_eq!((error.status(), error.param()), (400, Some("base_url")), "{url}");
    }
}

#[test]
fn what_is_allowed_passes_as_a_url_too() {
    let guard = Guard::new(&Config { allow_loopback: true, allow_private: true, ..Config::default() });
    for url in ["http://localhost:8080/", "http://127.0.0.1:1/", "http://[::1]/", "http://10.0.0.1/"] {
        assert!(guard.check_url("base_url", url).is_ok(), "{url}");
    }
    assert!(guard.check_url("base_url", "http://169.254.169.254/").is_err());
}

#[tokio::test]
async fn a_refused_address_is_never_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a listener");
    let port = listener.local_addr().expect("a bound listener").port();
    let client = closed_client();
    for host in
        ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0x7f.1", "2130706433", "127.1", "0177.0.0.1"]
    {
        let error = get(&client, &format!("http://{host}:{port}/")).await.err().expect(host);
        let SendError::Refused { address, .. } = &error else { panic!("{host}: {error:?}") };
        assert!(address.to_canonical().is_loopback(), "{host}: {address}");
        assert!(!error.maybe_sent());
    }
    assert!(listener.accept().is_err(), "nobody knocked");
}

#[tokio::test]
async fn metadata_is_refused_in_every_spelling() {
    let client = client(Config { allow_private: true, allow_loopback: true, ..Config::default() });
    for host in ["169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "[::ffff:a9fe:a9fe]"] {
        let error = get(&client, &format!("http://{host}/")).await.err().expect(host);
        let SendError::Refused { address, .. } = error else { panic!("{host}: {error:?}") };
        assert_eq!(address.to_canonical(), IpAddr::from([169, 254, 169, 254]), "{host}");
    }
}

#[tokio::test]
async fn other_spellings_reach_an_allowed_address() {
    let server = echo_path();
    let client = loopback_client();
    for host in ["0x7f.1", "2130706433", "localhost"] {
        let url = format!("http://{host}:{}/here", server.address.port());
        assert_eq!(text(get(&client, &url).await.expect(host)).await, "/here");
    }
}

#[tokio::test]
async fn an_allowed_network_opens_loopback() {
    let server = echo_path();
    let networks = vec!["127.0.0.1/32".parse().expect("a network")];
    let client = client(Config { allow_networks: networks, ..Config::default() });
    // the name may also stand for `::1`, which isn't allowed and is left out
    let url = format!("http://localhost:{}/here", server.address.port());
    assert_eq!(text(get(&client, &url).await.expect("an answer")).await, "/here");
}

#[tokio::test]
async fn a_url_that_is_not_for_this_client_is_refused() {
    let client = loopback_client();
    for url in ["/v1", "ftp://example.com/", "http://user@127.0.0.1/", "http://127.0.0.1:0/", "example.com"] {
        let error = get(&client, url).await.err().expect(url);
        assert!(matches!(error, SendError::Url { .. }), "{url}: {error:?}");
    }
}

#[test]
fn a_configuration_is_read_strictly() {
    let read = |text: &str| serde_json::from_str::<Config>(text);
    let config = read(r#"{"allow_networks": ["10.0.0.0/8", "fd00::/8", "::1"], "first_byte_timeout": 7}"#);
    let config = config.expect("a valid configuration");
    assert_eq!(format!("{:?}", config.allow_networks), "[10.0.0.0/8, fd00::/8, ::1/128]");
    assert_eq!(config.timeouts().first_byte.as_secs(), 7);
    assert_eq!(config.timeouts().connect.as_secs(), 5);
    assert!(read(r#"{"allow_privat": true}"#).is_err());
    for network in ["10.0.0.0/33", "::/129", "10.0.0/8", "example.com", "10.0.0.0/", "10.0.0.0/-1", ""] {
        assert!(read(&format!(r#"{{"allow_networks": ["{network}"]}}"#)).is_err(), "{network}");
    }
}
