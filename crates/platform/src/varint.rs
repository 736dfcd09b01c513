//! Variable-length integers and length-prefixed strings.

/// Writes an unsigned integer as a LEB128 varint: seven bits per byte, least significant first.
pub fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

/// Writes a signed integer as a zigzag varint, which is short for values near zero.
pub fn put_zigzag(bytes: &mut Vec<u8>, number: i64) {
    put_varint(bytes, (number.cast_unsigned() << 1) ^ (number >> 63).cast_unsigned());
}

/// Writes a string after its length in bytes.
pub fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_varint(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

/// Writes an optional string: 0 for none, otherwise its length plus one and its bytes.
pub fn put_optional_text(bytes: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => {
            put_varint(bytes, text.len() as u64 + 1);
            bytes.extend_from_slice(text.as_bytes());
        }
        None => put_varint(bytes, 0),
    }
}

/// Reads what the functions above write. Every method returns `None` for invalid or truncated input.
pub struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    /// One byte.
    pub fn byte(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    /// An unsigned integer.
    pub fn varint(&mut self) -> Option<u64> {
        let (mut number, mut shift) = (0_u64, 0);
        loop {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return None;
            }
            number |= bits << shift;
            if byte < 0x80 {
                return Some(number);
            }
            shift += 7;
            if shift > 63 {
                return None;
            }
        }
    }

    /// A signed integer.
    pub fn zigzag(&mut self) -> Option<i64> {
        let number = self.varint()?;
        Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    /// Reads the number of the items that follow, each of at least `least` bytes. A count that exceeds the remaining
    /// input is rejected before memory is allocated for it.
    pub fn count(&mut self, least: usize) -> Option<usize> {
        let count = usize::try_from(self.varint()?).ok()?;
        (count.checked_mul(least)? <= self.0.len()).then_some(count)
    }

    /// The next `length` bytes.
    pub fn slice(&mut self, length: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(head)
    }

    /// A string.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.count(1)?;
        str::from_utf8(self.slice(length)?).ok()
    }

    /// An optional string.
    pub fn optional_text(&mut self) -> Option<Option<&'a str>> {
        let length = usize::try_from(self.varint()?).ok()?;
        match length {
            0 => Some(None),
            length => Some(Some(str::from_utf8(self.slice(length - 1)?).ok()?)),
        }
    }
}
