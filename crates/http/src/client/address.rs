//! Classification of addresses, by IANA's special-purpose registries (RFC 6890) and the documented metadata services of
//! cloud providers.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The class of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A public address.
    Public,
    /// A private network.
    Private,
    /// This machine.
    Loopback,
    /// Never reachable, with the reason.
    Never(&'static str),
}

use Class::{Loopback, Never, Private, Public};

const METADATA: Class = Never("it is a cloud metadata address");
const LINK_LOCAL: Class = Never("it is a link-local address");
const UNSPECIFIED: Class = Never("it is an unspecified address");
const MULTICAST: Class = Never("it is a multicast address");
const BROADCAST: Class = Never("it is the broadcast address");
const DOCUMENTATION: Class = Never("it is an address for documentation");
const RESERVED: Class = Never("it is a reserved address");
const HIDDEN: Class = Never("it embeds an IPv4 address that isn't public");

/// The class of an address, looking through the forms in which IPv6 carries an IPv4 address.
pub(super) fn classify(address: IpAddr) -> Class {
    match address.to_canonical() {
        IpAddr::V4(v4) => classify_v4(v4),
        IpAddr::V6(v6) => classify_v6(v6),
    }
}

fn classify_v4(address: Ipv4Addr) -> Class {
    match address.octets() {
        // AWS, Google, Azure and most others; Alibaba; Azure's wire server
        [169, 254, 169, 254] | [100, 100, 100, 200] | [168, 63, 129, 16] => METADATA,
        [0, ..] => UNSPECIFIED,
        [127, ..] => Loopback,
        [169, 254, ..] => LINK_LOCAL,
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Private,
        // benchmarks (RFC 2544), in practice one more private range
        [198, 18..=19, ..] => Private,
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => DOCUMENTATION,
        [192, 0, 0, _] | [192, 88, 99, _] => RESERVED,
        [224..=239, ..] => MULTICAST,
        [255, 255, 255, 255] => BROADCAST,
        [240..=255, ..] => RESERVED,
        _ => Public,
    }
}

fn classify_v6(address: Ipv6Addr) -> Class {
    let s = address.segments();
    match s {
        [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] => METADATA,
        [0, 0, 0, 0, 0, 0, 0, 0] => UNSPECIFIED,
        [0, 0, 0, 0, 0, 0, 0, 1] => Loopback,
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => hidden(high, low),
        [0x2002, high, low, ..] => hidden(high, low),
        // Teredo (RFC 4380) carries the relay as it is and the client with every bit flipped
        [0x2001, 0, high, low, .., client_high, client_low] => match hidden(high, low) {
            Public => hidden(!client_high, !client_low),
            refused => refused,
        },
        // ISATAP (RFC 5214), under any prefix
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] if hidden(high, low) != Public => HIDDEN,
        [0xfe80..=0xfebf, ..] => LINK_LOCAL,
        // unique local, and the site-local range that it replaced
        [0xfc00..=0xfdff, ..] | [0xfec0..=0xfeff, ..] => Private,
        [0xff00..=0xffff, ..] => MULTICAST,
        [0x2001, 0xdb8, ..] | [0x3fff, 0..=0xfff, ..] => DOCUMENTATION,
        // benchmarks, and identifiers that aren't addresses (ORCHID)
        [0x2001, 2, 0, ..] | [0x2001, 0x10..=0x3f, ..] => RESERVED,
        // the only range from which public addresses are given out
        [0x2000..=0x3fff, ..] => Public,
        _ => RESERVED,
    }
}

/// An address embedded in a tunnel must be public, whatever is allowed directly.
fn hidden(high: u16, low: u16) -> Class {
    match classify_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))) {
        Public => Public,
        _ => HIDDEN,
    }
}
