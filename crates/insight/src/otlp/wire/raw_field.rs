//! Fields of an encoded protobuf message.

use prost::encoding::{WireType, decode_key, decode_varint};

/// A field that is not decoded.
#[derive(Clone, Copy)]
pub(super) struct RawField<'a> {
    pub(super) number: u32,
    /// Its bytes, with key and length.
    pub(super) bytes: &'a [u8],
    /// The content of a message, string or list of bytes.
    pub(super) content: Option<&'a [u8]>,
}

impl<'a> RawField<'a> {
    /// Splits off the first field; none if it is invalid.
    pub(super) fn split(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut rest = *bytes;
        let (number, wire) = decode_key(&mut rest).ok()?;
        let length = match wire {
            WireType::Varint => decode_varint(&mut rest).map(|_| 0).ok()?,
            WireType::ThirtyTwoBit => 4,
            WireType::SixtyFourBit => 8,
            WireType::LengthDelimited => usize::try_from(decode_varint(&mut rest).ok()?).ok()?,
            WireType::StartGroup | WireType::EndGroup => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        let field = &bytes[..bytes.len() - rest.len()];
        *bytes = rest;
        let content = (wire == WireType::LengthDelimited).then_some(content);
        Some(Self { number, bytes: field, content })
    }
}
