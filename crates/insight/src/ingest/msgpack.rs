//! Finds the boundaries of MessagePack values, so that a batch is split into records without decoding them: an invalid
//! record doesn't affect the others.

/// Splits off the first value; `None` if it is incomplete.
pub(super) fn value(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut at = 0;
    let mut pending: u64 = 1;
    while pending > 0 {
        let (length, nested) = header(bytes.get(at..)?)?;
        at = at.checked_add(length)?;
        // each nested value takes at least one byte
        if at > bytes.len() || nested > (bytes.len() - at) as u64 {
            return None;
        }
        pending = pending - 1 + nested;
    }
    Some(bytes.split_at(at))
}

/// The number of pairs of a map, and the bytes after its header.
pub(super) fn map(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, nested) = header(bytes)?;
    let is_map = matches!(bytes[0], 0x80..=0x8f | 0xde | 0xdf);
    is_map.then_some(())?;
    Some((nested / 2, bytes.get(length..)?))
}

/// The number of items of an array, and the bytes after its header.
pub(super) fn array(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (length, nested) = header(bytes)?;
    let is_array = matches!(bytes[0], 0x90..=0x9f | 0xdc | 0xdd);
    is_array.then_some(())?;
    Some((nested, bytes.get(length..)?))
}

/// The size of a value without its nested values, and the number of nested values.
fn header(bytes: &[u8]) -> Option<(usize, u64)> {
    let first = *bytes.first()?;
    let number = |size: usize| -> Option<u64> {
        bytes.get(1..=size).map(|bytes| bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    let long = |size: usize, more: usize| -> Option<(usize, u64)> {
        usize::try_from(number(size)?).ok()?.checked_add(1 + size + more).map(|length| (length, 0))
    };
    match first {
        0x00..=0x7f | 0xe0..=0xff | 0xc0 | 0xc2 | 0xc3 => Some((1, 0)),
        0x80..=0x8f => Some((1, 2 * u64::from(first & 0x0f))),
        0x90..=0x9f => Some((1, u64::from(first & 0x0f))),
        0xa0..=0xbf => Some((1 + usize::from(first & 0x1f), 0)),
        0xc1 => None,
        0xc4 | 0xd9 => long(1, 0),
        0xc5 | 0xda => long(2, 0),
        0xc6 | 0xdb => long(4, 0),
        0xc7 => long(1, 1),
        0xc8 => long(2, 1),
        0xc9 => long(4, 1),
        0xcc | 0xd0 => Some((2, 0)),
        0xcd | 0xd1 => Some((3, 0)),
        0xca | 0xce | 0xd2 => Some((5, 0)),
        0xcb | 0xcf | 0xd3 => Some((9, 0)),
        0xd4..=0xd8 => Some((2 + (1 << (first - 0xd4)), 0)),
        0xdc => Some((3, number(2)?)),
        0xdd => Some((5, number(4)?)),
        0xde => Some((3, 2 * number(2)?)),
        0xdf => Some((5, 2 * number(4)?)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_end_of_a_value_is_found() {
        let values = [
            json!(null),
            json!(true),
            json!(5),
            json!(-5),
            json!(300),
            json!(70_000),
            json!(5_000_000_000_u64),
            json!(-70_000),
            json!(0.5),
            json!("short"),
            json!("x".repeat(40)),
            json!("x".repeat(300)),
            json!("x".repeat(70_000)),
            json!([1, [2, [3]]]),
            json!((0..20).collect::<Vec<_>>()),
            json!((0..70_000).collect::<Vec<_>>()),
            json!({"a": {"b": [1]}, "c": []}),
        ];
        for written in values {
            let mut bytes = rmp_serde::to_vec(&written).unwrap();
            let length = bytes.len();
            bytes.extend_from_slice(b"rest");
            let (first, rest) = value(&bytes).unwrap();
            assert_eq!((first.len(), rest), (length, &b"rest"[..]), "{:.40}", written.to_string());
            assert!(value(&bytes[..length - 1]).is_none());
        }
    }

    #[test]
    fn lengths_beyond_the_input_are_rejected() {
        for bytes in [
            &[0xdd, 0xff, 0xff, 0xff, 0xff, 0][..],
            &[0xdf, 0xff, 0xff, 0xff, 0xff],
            &[0xdb, 0xff, 0xff, 0xff, 0xff, 1],
            &[0xc1],
            &[],
        ] {
            assert!(value(bytes).is_none(), "{bytes:?}");
        }
        // nested arrays that never end
        assert!(value(&[0x91; 100_000]).is_none());
    }
}
