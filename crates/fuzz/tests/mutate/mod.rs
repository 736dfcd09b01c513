//! Mutates inputs: simple changes that find most bugs of parsers.

use fastrand::Rng;

/// Tokens that often trigger bugs of parsers.
const TOKENS: [&[u8]; 24] = [
    b"\\u0000",
    b"\\ud800",
    b"\0",
    b"\n\n",
    b"\r\n\r\n",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: ",
    b"null",
    b"{}",
    b"[]",
    b"\"\"",
    b"[[[[[[[[",
    b"{\"a\":{\"a\":",
    b"-0",
    b"1e999",
    b"18446744073709551616",
    b"-9223372036854775809",
    b"0.1",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
    b"\xdd\xff\xff\xff\xff",
    b"\xdf\xff\xff\xff\xff",
    b"\xf0\x9f\x8c\xb1",
];

/// A random entry of the corpus with a few mutations.
pub fn input(random: &mut Rng, corpus: &[Vec<u8>], max: usize) -> Vec<u8> {
    let mut bytes = random.choice(corpus).cloned().unwrap_or_default();
    for _ in 0..random.usize(1..8) {
        mutate(random, &mut bytes, corpus);
        bytes.truncate(max);
    }
    bytes
}

fn mutate(random: &mut Rng, bytes: &mut Vec<u8>, corpus: &[Vec<u8>]) {
    let at = random.usize(0..=bytes.len());
    let end = (at + random.usize(1..32)).min(bytes.len());
    match random.u8(0..8) {
        0 => bytes.truncate(at),
        1 => drop(bytes.drain(at..end)),
        2 => bytes.insert(at, random.u8(..)),
        3 => {
            let repeated = bytes[at..end].repeat(random.usize(1..20));
            bytes.splice(at..at, repeated);
        }
        4 => {
            let token = random.choice(TOKENS).unwrap_or_default();
            bytes.splice(at..end.min(at + token.len()), token.iter().copied());
        }
        5 => {
            let other = random.choice(corpus).cloned().unwrap_or_default();
            let from = random.usize(0..=other.len());
            bytes.splice(at.., other[from..].iter().copied());
        }
        _ => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << random.u8(0..8);
            }
        }
    }
}
