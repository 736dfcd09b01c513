//! Estimates the memory of a message before it is decoded: two bytes of protobuf can become hundreds.

use prost::encoding::{WireType, decode_key, decode_varint};

/// Field numbers of nested messages, from the outermost inwards.
type Path = &'static [&'static [u32]];

/// Resources, scopes, spans; the fields of a span are counted.
pub(in crate::otlp) const TRACES: Path = &[&[1], &[2], &[2]];
/// Resources, scopes, metrics, their data; the fields of the data are counted.
pub(in crate::otlp) const METRICS: Path = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11]];

/// The number of length-delimited fields along the path. Stops counting beyond `max`, and at invalid protobuf, which is
/// reported when it is decoded.
pub(in crate::otlp) fn count_fields(mut bytes: &[u8], path: Path, max: usize) -> usize {
    let mut count = 0;
    while !bytes.is_empty() && count <= max {
        let Ok((number, wire)) = decode_key(&mut bytes) else { break };
        let length = match wire {
            WireType::Varint => {
                if decode_varint(&mut bytes).is_err() {
                    break;
                }
                0
            }
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => match decode_varint(&mut bytes).map(usize::try_from) {
                Ok(Ok(length)) => length,
                _ => break,
            },
            WireType::StartGroup | WireType::EndGroup => break,
        };
        let Some((content, rest)) = bytes.split_at_checked(length) else { break };
        bytes = rest;
        if wire == WireType::LengthDelimited {
            count += 1;
            if let Some((fields, path)) = path.split_first()
                && fields.contains(&number)
            {
                count += count_fields(content, path, max - count.min(max));
            }
        }
    }
    count
}
