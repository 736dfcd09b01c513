//! How much a message would take in memory, before it is read: two bytes of protobuf may become hundreds.

use prost::encoding::{WireType, decode_key, decode_varint};

/// The fields that hold messages, from the outermost inwards.
type Path = &'static [&'static [u32]];

/// Resources, scopes, spans; what is in a span is counted.
pub(in crate::otlp) const TRACES: Path = &[&[1], &[2], &[2]];
/// Resources, scopes, metrics, their data; what is in that is counted.
pub(in crate::otlp) const METRICS: Path = &[&[1], &[2], &[2], &[5, 7, 9, 10, 11]];

/// How many messages and texts there are down to those that the path ends in; stops counting beyond `most`, and where it
/// is no protobuf, as that is found when it is read.
pub(in crate::otlp) fn weight(mut bytes: &[u8], path: Path, most: usize) -> usize {
    let mut found = 0;
    while !bytes.is_empty() && found <= most {
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
        let Some((inside, rest)) = bytes.split_at_checked(length) else { break };
        bytes = rest;
        if wire == WireType::LengthDelimited {
            found += 1;
            if let Some((fields, path)) = path.split_first()
                && fields.contains(&number)
            {
                found += weight(inside, path, most - found.min(most));
            }
        }
    }
    found
}
