//! The table of addresses: what each one is, and what the guard makes of it.

use std::net::IpAddr;

use crate::client::address::{Class, classify};
use crate::client::{Config, Guard};

const PUBLIC: &[&str] = &[
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.15",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
    "2002:808:808::1",
    "2606:4700::1111",
    "2a00:1450:4001::200e",
    "2001:4860:4860::8888",
    "2001:0:808:808::f7f7:f7f7",
    "2606:4700::5efe:808:808",
    "2001:db7:ffff::1",
    "2001:db9::",
];

const PRIVATE: &[&str] = &[
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.1",
    "192.168.255.255",
    "100.64.0.0",
    "100.100.100.201",
    "100.127.255.255",
    "198.18.0.1",
    "198.19.255.255",
    "fc00::1",
    "fd00::1",
    "fdff:ffff::1",
    "fd00:ec2::253",
    "fec0::1",
    "::ffff:10.0.0.1",
    "::ffff:a00:1",
    "::ffff:192.168.1.1",
];

const LOOPBACK: &[&str] =
    &["127.0.0.1", "127.0.0.53", "127.255.255.255", "::1", "::ffff:127.0.0.1", "::ffff:7f00:1"];

const NEVER: &[&str] = &[
    // metadata
    "169.254.169.254",
    "169.254.170.2",
    "100.100.100.200",
    "168.63.129.16",
    "fd00:ec2::254",
    "fd20:ce::254",
    "::ffff:169.254.169.254",
    "::ffff:a9fe:a9fe",
    "::ffff:100.100.100.200",
    "64:ff9b::169.254.169.254",
    "64:ff9b::168.63.129.16",
    "2002:a9fe:a9fe::1",
    "2002:a83f:8110::",
    // link-local
    "169.254.0.0",
    "169.254.255.255",
    "fe80::1",
    "febf:ffff::1",
    "fe80::5efe:808:808",
    "::ffff:169.254.1.1",
    // unspecified, broadcast, multicast
    "0.0.0.0",
    "0.1.2.3",
    "::",
    "::ffff:0.0.0.0",
    "255.255.255.255",
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "ff0e::1",
    "::ffff:224.0.0.1",
    "::ffff:255.255.255.255",
    // documentation
    "192.0.2.1",
    "198.51.100.7",
    "203.0.113.255",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
    "64:ff9b::192.0.2.1",
    // reserved
    "192.0.0.1",
    "192.0.0.192",
    "192.88.99.1",
    "240.0.0.1",
    "255.255.255.254",
    "100::1",
    "2001:2::1",
    "2001:10::1",
    "2001:20::1",
    "4000::1",
    "5f00::1",
    "200::1",
    "::2",
    "::1.2.3.4",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b:1::1",
    "64:ff9b:1::10.0.0.1",
    // an IPv4 address that isn't public, in a tunnel: NAT64, 6to4, Teredo's server and client, ISATAP
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b::192.168.1.1",
    "64:ff9b::0.0.0.0",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:c0a8:101::1",
    "2001:0:7f00:1::f7f7:f7f7",
    "2001:0:808:808::80ff:fffe",
    "2001:0:808:808::5601:5601",
    "2001:0:808:808::f5ff:fffe",
    "2606:4700::5efe:a00:1",
    "2606:4700::200:5efe:7f00:1",
];

fn ip(text: &str) -> IpAddr {
    text.parse().expect(text)
}

fn guard(config: Config) -> Guard {
    Guard::new(&config)
}

fn network(text: &str) -> Config {
    Config { allow_networks: vec![text.parse().expect(text)], ..Config::default() }
}

#[test]
fn every_address_has_its_class() {
    for text in PUBLIC {
        assert_eq!(classify(ip(text)), Class::Public, "{text}");
    }
    for text in PRIVATE {
        assert_eq!(classify(ip(text)), Class::Private, "{text}");
    }
    for text in LOOPBACK {
        assert_eq!(classify(ip(text)), Class::Loopback, "{text}");
    }
    for text in NEVER {
        assert!(matches!(classify(ip(text)), Class::Never(_)), "{text}: {:?}", classify(ip(text)));
    }
}

#[test]
fn without_a_word_only_public_addresses_are_reached() {
    let guard = guard(Config::default());
    for text in PUBLIC {
        assert_eq!(guard.permit(ip(text)), Ok(()), "{text}");
    }
    for text in PRIVATE.iter().chain(LOOPBACK).chain(NEVER) {
        assert!(guard.permit(ip(text)).is_err(), "{text}");
    }
}

#[test]
fn private_and_loopback_are_allowed_apart() {
    let private = guard(Config { allow_private: true, ..Config::default() });
    let loopback = guard(Config { allow_loopback: true, ..Config::default() });
    for text in PRIVATE {
        assert!(private.permit(ip(text)).is_ok() && loopback.permit(ip(text)).is_err(), "{text}");
    }
    for text in LOOPBACK {
        assert!(private.permit(ip(text)).is_err() && loopback.permit(ip(text)).is_ok(), "{text}");
    }
}

#[test]
fn nothing_opens_what_is_never_reached() {
    let networks = ["0.0.0.0/0", "::/0"].map(|text| text.parse().expect(text));
    let everything = guard(Config {
        allow_private: true,
        allow_loopback: true,
        allow_networks: networks.to_vec(),
        ..Config::default()
    });
    for text in PUBLIC.iter().chain(PRIVATE).chain(LOOPBACK) {
        assert_eq!(everything.permit(ip(text)), Ok(()), "{text}");
    }
    for text in NEVER {
        assert!(everything.permit(ip(text)).is_err(), "{text}");
    }
}

#[test]
fn an_allowed_network_ends_at_its_edges() {
    let cases: &[(&str, &[&str], &[&str])] = &[
        (
            "10.1.0.0/16",
            &["10.1.0.0", "10.1.255.255", "::ffff:10.1.2.3"],
            &["10.0.255.255", "10.2.0.0", "fd00::1"],
        ),
        ("10.1.2.3/16", &["10.1.0.0"], &["10.2.0.0"]),
        ("192.168.7.9", &["192.168.7.9"], &["192.168.7.8", "192.168.7.10"]),
        ("127.0.0.0/8", &["127.0.0.1"], &["::1", "10.0.0.1"]),
        ("::1", &["::1"], &["127.0.0.1"]),
        ("fd12:3400::/24", &["fd12:3400::1", "fd12:34ff::1"], &["fd12:3500::1", "fd13::1"]),
    ];
    for (text, inside, outside) in cases {
        let guard = guard(network(text));
        for address in *inside {
            assert_eq!(guard.permit(ip(address)), Ok(()), "{address} in {text}");
        }
        for address in *outside {
            assert!(guard.permit(ip(address)).is_err(), "{address} not in {text}");
        }
    }
}
