//! Columns of spans: the values of one field of all spans in sequence, which compress better than rows.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use loam_platform::varint::{Reader, put_text, put_varint, put_zigzag};

use super::chunk::Span;

/// Encodings of the span id column.
const HEX: u8 = 0;
const DECIMAL: u8 = 1;
const TEXT: u8 = 2;

/// Which values of an optional column are present.
const NONE: u8 = 0;
const ALL: u8 = 1;
const SOME: u8 = 2;

/// Parent references that are not relative positions: no parent, and a parent outside of this chunk.
const NO_PARENT: u64 = 0;
const EXTERNAL_PARENT: u64 = 1;

/// Span ids. Sixteen hexadecimal digits, the form of OpenTelemetry's span ids, take eight bytes; decimal numbers are
/// written as differences to the previous id.
pub(super) fn put_ids(bytes: &mut Vec<u8>, spans: &[Span]) {
    if let Some(ids) = all(spans, |span| hex(&span.id)) {
        bytes.push(HEX);
        ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_be_bytes()));
    } else if let Some(ids) = all(spans, |span| decimal(&span.id)) {
        bytes.push(DECIMAL);
        let mut last = 0_i64;
        for id in ids {
            put_zigzag(bytes, id - last);
            last = id;
        }
    } else {
        bytes.push(TEXT);
        spans.iter().for_each(|span| put_text(bytes, &span.id));
    }
}

pub(super) fn ids(reader: &mut Reader<'_>, count: usize) -> Option<Vec<String>> {
    match reader.byte()? {
        HEX => {
            let (ids, _) = reader.slice(count.checked_mul(8)?)?.as_chunks::<8>();
            Some(ids.iter().map(|id| hex_text(u64::from_be_bytes(*id))).collect())
        }
        DECIMAL => {
            let mut last = 0_i64;
            collect(count, || {
                last = last.checked_add(reader.zigzag()?)?;
                Some(last.to_string())
            })
        }
        TEXT => collect(count, || reader.text().map(str::to_owned)),
        _ => None,
    }
}

/// Parents, as relative positions.
pub(super) fn put_parents(bytes: &mut Vec<u8>, spans: &[Span]) {
    let indexes: HashMap<&str, i64> = spans.iter().map(|span| span.id.as_str()).zip(0..).collect();
    let mut external = Vec::new();
    for (span, index) in spans.iter().zip(0_i64..) {
        match span.parent.as_deref().map(|parent| (parent, indexes.get(parent))) {
            None => put_varint(bytes, NO_PARENT),
            Some((_, Some(parent))) => {
                let offset = index - parent;
                put_varint(bytes, ((offset.cast_unsigned() << 1) ^ (offset >> 63).cast_unsigned()) + 2);
            }
            Some((parent, None)) => {
                put_varint(bytes, EXTERNAL_PARENT);
                external.push(parent);
            }
        }
    }
    external.iter().for_each(|parent| put_text(bytes, parent));
}

pub(super) fn parents(reader: &mut Reader<'_>, ids: &[String]) -> Option<Vec<Option<String>>> {
    let mut external = Vec::new();
    let mut parents = Vec::with_capacity(ids.len());
    for index in 0..ids.len() {
        parents.push(match reader.varint()? {
            NO_PARENT => None,
            EXTERNAL_PARENT => {
                external.push(index);
                None
            }
            offset => {
                let offset = offset - 2;
                let offset = (offset >> 1).cast_signed() ^ -(offset & 1).cast_signed();
                let parent = i64::try_from(index).ok()?.checked_sub(offset)?;
                Some(ids.get(usize::try_from(parent).ok()?)?.clone())
            }
        });
    }
    for index in external {
        parents[index] = Some(reader.text()?.to_owned());
    }
    Some(parents)
}

/// Timestamps in nanoseconds, as differences to the previous one; in microseconds if no timestamp is finer.
pub(super) fn put_times(bytes: &mut Vec<u8>, times: &[i64]) {
    let unit: i64 = if times.iter().all(|time| time % 1000 == 0) { 1000 } else { 1 };
    put_varint(bytes, unit.cast_unsigned());
    let mut last = 0_i64;
    for time in times {
        put_zigzag(bytes, (time / unit).wrapping_sub(last));
        last = time / unit;
    }
}

pub(super) fn times(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    let unit = i64::try_from(reader.varint()?).ok()?;
    let mut last = 0_i64;
    collect(count, || {
        last = last.wrapping_add(reader.zigzag()?);
        last.checked_mul(unit)
    })
}

pub(super) fn put_durations(bytes: &mut Vec<u8>, durations: impl Iterator<Item = u64> + Clone) {
    let unit = if durations.clone().all(|duration| duration % 1000 == 0) { 1000 } else { 1 };
    put_varint(bytes, unit);
    durations.for_each(|duration| put_varint(bytes, duration / unit));
}

pub(super) fn durations(reader: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    let unit = reader.varint()?;
    collect(count, || reader.varint()?.checked_mul(unit))
}

/// Optional values: first which are present, then the present ones, which `write` writes.
pub(super) fn put_optionals<T: Copy>(
    bytes: &mut Vec<u8>,
    values: &[Option<T>],
    write: impl FnOnce(&mut Vec<u8>, &[T]),
) {
    let present: Vec<T> = values.iter().copied().flatten().collect();
    match present.len() {
        0 => bytes.push(NONE),
        count if count == values.len() => bytes.push(ALL),
        _ => {
            bytes.push(SOME);
            bytes.extend(values.iter().map(|value| u8::from(value.is_some())));
        }
    }
    write(bytes, &present);
}

pub(super) fn optionals<'a, T>(
    reader: &mut Reader<'a>,
    count: usize,
    read: impl FnOnce(&mut Reader<'a>, usize) -> Option<Vec<T>>,
) -> Option<Vec<Option<T>>> {
    let present: Vec<bool> = match reader.byte()? {
        NONE => vec![false; count],
        ALL => vec![true; count],
        SOME => reader.slice(count)?.iter().map(|byte| *byte == 1).collect(),
        _ => return None,
    };
    let mut values = read(reader, present.iter().filter(|present| **present).count())?.into_iter();
    present.into_iter().map(|present| if present { values.next().map(Some) } else { Some(None) }).collect()
}

pub(super) fn put_numbers(bytes: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| put_varint(bytes, *number));
}

pub(super) fn numbers(reader: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    collect(count, || reader.varint())
}

/// Dictionary encoding: each distinct value once, referenced by the index of its first occurrence.
pub(super) struct Dictionary<'a, T> {
    by_address: HashMap<*const T, u64>,
    by_value: HashMap<&'a T, u64>,
    pub(super) all: Vec<&'a T>,
}

impl<'a, T: Hash + Eq> Dictionary<'a, T> {
    pub(super) fn new() -> Self {
        Self { by_address: HashMap::new(), by_value: HashMap::new(), all: Vec::new() }
    }

    /// The index of a value. Shared values are looked up by address first, so that their strings are hashed only once.
    pub(super) fn index(&mut self, value: &'a Arc<T>) -> u64 {
        *self.by_address.entry(Arc::as_ptr(value)).or_insert_with(|| {
            *self.by_value.entry(value).or_insert_with(|| {
                self.all.push(value);
                self.all.len() as u64 - 1
            })
        })
    }
}

fn all<T>(spans: &[Span], read: impl Fn(&Span) -> Option<T>) -> Option<Vec<T>> {
    spans.iter().map(read).collect()
}

pub(super) fn collect<T>(count: usize, mut next: impl FnMut() -> Option<T>) -> Option<Vec<T>> {
    // a corrupt count must not allocate much memory
    let mut values = Vec::with_capacity(count.min(1 << 16));
    for _ in 0..count {
        values.push(next()?);
    }
    Some(values)
}

/// Sixteen lower-case hexadecimal digits. Other notations would not read back as they were.
fn hex(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn hex_text(mut id: u64) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 16];
    for digit in text.iter_mut().rev() {
        *digit = DIGITS[(id & 15) as usize];
        id >>= 4;
    }
    text.iter().map(|digit| char::from(*digit)).collect()
}

/// A decimal number without leading zeros, small enough that differences don't overflow.
fn decimal(text: &str) -> Option<i64> {
    let plain = (1..=15).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}
