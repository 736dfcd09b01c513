//! How a format evolves, shown by a test kind that has a field more in each version.

use loam_kernel::Result;
use serde::{Deserialize, Serialize};

use super::StoredFormat;

/// The product's type.
#[derive(Debug, PartialEq)]
struct Order {
    item: String,
    count: u32,
    note: Option<String>,
}

const ORDER: StoredFormat = StoredFormat::new("order", 3).first_unversioned();

#[derive(Serialize, Deserialize)]
struct OrderV1 {
    item: String,
}

#[derive(Serialize, Deserialize)]
struct OrderV2 {
    item: String,
    count: u32,
}

#[derive(Serialize, Deserialize)]
struct OrderV3 {
    item: String,
    count: u32,
    note: Option<String>,
}

impl Order {
    fn read(payload: &[u8]) -> Result<Self> {
        let order = match ORDER.open(payload)? {
            (1, body) => {
                let OrderV1 { item } = ORDER.decode(body)?;
                OrderV3 { item, count: 1, note: None }
            }
            (2, body) => {
                let OrderV2 { item, count } = ORDER.decode(body)?;
                OrderV3 { item, count, note: None }
            }
            (_, body) => ORDER.decode(body)?,
        };
        Ok(Self { item: order.item, count: order.count, note: order.note })
    }
}

fn source(error: &loam_kernel::Error) -> String {
    std::error::Error::source(error).expect("a cause for the log").to_string()
}

#[test]
fn all_earlier_versions_are_read_and_the_current_one_is_written() {
    let order =
        |count, note: Option<&str>| Order { item: "tea".to_owned(), count, note: note.map(str::to_owned) };
    let first = b"\x03tea";
    let second = b"\x80\x00\x02\x03tea\x07";
    let third = b"\x80\x00\x03\x03tea\x07\x01\x04soon";
    assert_eq!(Order::read(first).expect("version 1"), order(1, None));
    assert_eq!(Order::read(second).expect("version 2"), order(7, None));
    assert_eq!(Order::read(third).expect("version 3"), order(7, Some("soon")));
    let written = OrderV3 { item: "tea".to_owned(), count: 7, note: Some("soon".to_owned()) };
    assert_eq!(ORDER.encode(&written).expect("written"), third);
}

#[test]
fn an_unknown_version_is_refused_by_name() {
    let error = Order::read(b"\x80\x00\x04\x03tea\x07\x01\x04soon").expect_err("unknown");
    assert_eq!(source(&error), "stored `order` has format version 4; this server reads versions 1 to 3");
    let always_versioned = StoredFormat::new("report", 3).since(2);
    for version in [0, 1, 4, 200] {
        let error = always_versioned.open(&[version, 1, 2]).expect_err("unknown");
        let expected =
            format!("stored `report` has format version {version}; this server reads versions 2 to 3");
        assert_eq!(source(&error), expected);
    }
    assert_eq!(always_versioned.open(&[2, 9]).expect("known"), (2, &[9][..]));
}

#[test]
fn damaged_bytes_are_refused() {
    let damaged = [&b""[..], b"\x80\x00", b"\x80\x00\x03\x03te", b"\x80\x00\x02\x03tea\x07\x00", b"\x09tea"];
    for payload in damaged {
        assert_eq!(source(&Order::read(payload).expect_err("damaged")), "stored `order` is damaged");
    }
}
