//! Columns of calls: the values of one field of all of them, one after the other, which is what makes them small.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::bytes::{Reader, put, put_signed, put_text};
use super::part::Call;

/// How ids are written.
const HEX: u8 = 0;
const DECIMAL: u8 = 1;
const TEXT: u8 = 2;

/// Which values of a column are there.
const NONE: u8 = 0;
const ALL: u8 = 1;
const SOME: u8 = 2;

/// Parents that are not near: none, and one that is not among the calls.
const NO_PARENT: u64 = 0;
const ELSEWHERE: u64 = 1;

/// Ids of calls. Sixteen hexadecimal digits, as spans have them, are eight bytes; numbers are what they add to the one
/// before.
pub(super) fn put_ids(bytes: &mut Vec<u8>, calls: &[Call]) {
    if let Some(ids) = all(calls, |call| hex(&call.id)) {
        bytes.push(HEX);
        ids.iter().for_each(|id| bytes.extend_from_slice(&id.to_be_bytes()));
    } else if let Some(ids) = all(calls, |call| decimal(&call.id)) {
        bytes.push(DECIMAL);
        let mut last = 0_i64;
        for id in ids {
            put_signed(bytes, id - last);
            last = id;
        }
    } else {
        bytes.push(TEXT);
        calls.iter().for_each(|call| put_text(bytes, &call.id));
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
                last = last.checked_add(reader.signed()?)?;
                Some(last.to_string())
            })
        }
        TEXT => collect(count, || reader.text().map(str::to_owned)),
        _ => None,
    }
}

/// Who called, as how far away it stands.
pub(super) fn put_parents(bytes: &mut Vec<u8>, calls: &[Call]) {
    let places: HashMap<&str, i64> = calls.iter().map(|call| call.id.as_str()).zip(0..).collect();
    let mut elsewhere = Vec::new();
    for (call, place) in calls.iter().zip(0_i64..) {
        match call.parent.as_deref().map(|parent| (parent, places.get(parent))) {
            None => put(bytes, NO_PARENT),
            Some((_, Some(parent))) => {
                let away = place - parent;
                put(bytes, ((away.cast_unsigned() << 1) ^ (away >> 63).cast_unsigned()) + 2);
            }
            Some((parent, None)) => {
                put(bytes, ELSEWHERE);
                elsewhere.push(parent);
            }
        }
    }
    elsewhere.iter().for_each(|parent| put_text(bytes, parent));
}

pub(super) fn parents(reader: &mut Reader<'_>, ids: &[String]) -> Option<Vec<Option<String>>> {
    let mut elsewhere = Vec::new();
    let mut parents = Vec::with_capacity(ids.len());
    for place in 0..ids.len() {
        parents.push(match reader.number()? {
            NO_PARENT => None,
            ELSEWHERE => {
                elsewhere.push(place);
                None
            }
            away => {
                let away = away - 2;
                let away = (away >> 1).cast_signed() ^ -(away & 1).cast_signed();
                let parent = i64::try_from(place).ok()?.checked_sub(away)?;
                Some(ids.get(usize::try_from(parent).ok()?)?.clone())
            }
        });
    }
    for place in elsewhere {
        parents[place] = Some(reader.text()?.to_owned());
    }
    Some(parents)
}

/// Moments and lengths of time in nanoseconds; in microseconds where none is finer.
pub(super) fn put_times(bytes: &mut Vec<u8>, times: &[i64]) {
    let unit: i64 = if times.iter().all(|time| time % 1000 == 0) { 1000 } else { 1 };
    put(bytes, unit.cast_unsigned());
    let mut last = 0_i64;
    for time in times {
        put_signed(bytes, (time / unit).wrapping_sub(last));
        last = time / unit;
    }
}

pub(super) fn times(reader: &mut Reader<'_>, count: usize) -> Option<Vec<i64>> {
    let unit = i64::try_from(reader.number()?).ok()?;
    let mut last = 0_i64;
    collect(count, || {
        last = last.wrapping_add(reader.signed()?);
        last.checked_mul(unit)
    })
}

pub(super) fn put_lengths(bytes: &mut Vec<u8>, lengths: impl Iterator<Item = u64> + Clone) {
    let unit = if lengths.clone().all(|length| length % 1000 == 0) { 1000 } else { 1 };
    put(bytes, unit);
    lengths.for_each(|length| put(bytes, length / unit));
}

pub(super) fn lengths(reader: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    let unit = reader.number()?;
    collect(count, || reader.number()?.checked_mul(unit))
}

/// Values that may be missing: which are there, then those; `one` writes them.
pub(super) fn put_some<T: Copy>(
    bytes: &mut Vec<u8>,
    values: &[Option<T>],
    one: impl FnOnce(&mut Vec<u8>, &[T]),
) {
    let there: Vec<T> = values.iter().copied().flatten().collect();
    match there.len() {
        0 => bytes.push(NONE),
        count if count == values.len() => bytes.push(ALL),
        _ => {
            bytes.push(SOME);
            bytes.extend(values.iter().map(|value| u8::from(value.is_some())));
        }
    }
    one(bytes, &there);
}

pub(super) fn some<'a, T>(
    reader: &mut Reader<'a>,
    count: usize,
    one: impl FnOnce(&mut Reader<'a>, usize) -> Option<Vec<T>>,
) -> Option<Vec<Option<T>>> {
    let there: Vec<bool> = match reader.byte()? {
        NONE => vec![false; count],
        ALL => vec![true; count],
        SOME => reader.slice(count)?.iter().map(|byte| *byte == 1).collect(),
        _ => return None,
    };
    let mut values = one(reader, there.iter().filter(|there| **there).count())?.into_iter();
    there.into_iter().map(|there| if there { values.next().map(Some) } else { Some(None) }).collect()
}

pub(super) fn put_numbers(bytes: &mut Vec<u8>, numbers: &[u64]) {
    numbers.iter().for_each(|number| put(bytes, *number));
}

pub(super) fn numbers(reader: &mut Reader<'_>, count: usize) -> Option<Vec<u64>> {
    collect(count, || reader.number())
}

/// Things that come again and again, each once, by the number it was first met with.
pub(super) struct Table<'a, T> {
    by_place: HashMap<*const T, u64>,
    by_value: HashMap<&'a T, u64>,
    pub(super) all: Vec<&'a T>,
}

impl<'a, T: Hash + Eq> Table<'a, T> {
    pub(super) fn new() -> Self {
        Self { by_place: HashMap::new(), by_value: HashMap::new(), all: Vec::new() }
    }

    /// The number of a thing. What is shared is known by where it lies, so that its texts are hashed once.
    pub(super) fn number(&mut self, thing: &'a Arc<T>) -> u64 {
        *self.by_place.entry(Arc::as_ptr(thing)).or_insert_with(|| {
            *self.by_value.entry(thing).or_insert_with(|| {
                self.all.push(thing);
                self.all.len() as u64 - 1
            })
        })
    }
}

fn all<T>(calls: &[Call], read: impl Fn(&Call) -> Option<T>) -> Option<Vec<T>> {
    calls.iter().map(read).collect()
}

pub(super) fn collect<T>(count: usize, mut next: impl FnMut() -> Option<T>) -> Option<Vec<T>> {
    // no more room than a fault in the count may cost
    let mut values = Vec::with_capacity(count.min(1 << 16));
    for _ in 0..count {
        values.push(next()?);
    }
    Some(values)
}

/// Sixteen hexadecimal digits as they are written by everybody, so that they come back as they were.
fn hex(text: &str) -> Option<u64> {
    let plain = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

fn hex_text(mut id: u64) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = [0_u8; 16];
    for place in text.iter_mut().rev() {
        *place = DIGITS[(id & 15) as usize];
        id >>= 4;
    }
    text.iter().map(|digit| char::from(*digit)).collect()
}

/// A number without leading zeros, small enough that differences are numbers too.
fn decimal(text: &str) -> Option<i64> {
    let plain = (1..=15).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && (text == "0" || !text.starts_with('0'));
    plain.then(|| text.parse().ok()).flatten()
}
