//! Numbers and ids of protobuf's JSON form.

use serde::de::{Deserialize, Deserializer, Error};

use super::common::Digits;

/// A 64-bit number, which JSON writes as text since its own numbers are less exact.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    digits(Digits::deserialize(deserializer)?)
}

/// The same, with a sign, where it may be left out.
pub(super) fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Digits<i64>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Digits::Number(number)) => Ok(Some(number)),
        Some(Digits::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// Some of them.
pub(super) fn wholes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Vec::<Digits<u64>>::deserialize(deserializer)?.into_iter().map(digits).collect()
}

/// A number that may be `"NaN"` or `"Infinity"`.
pub(super) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Option::<Digits<f64>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Digits::Number(number)) => Ok(Some(number)),
        Some(Digits::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// An id of a trace or span, which OTLP writes in hexadecimal digits.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    // one that is none is left out, so that its span is refused alone
    Ok(bytes(&String::deserialize(deserializer)?).unwrap_or_default())
}

/// A time, which JSON writes as text; none, if it is no number of nanoseconds, so that its span is refused alone.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match Digits::<serde_json::Number>::deserialize(deserializer)? {
        Digits::Number(number) => number.as_u64().unwrap_or_default(),
        Digits::Text(text) => text.parse().unwrap_or_default(),
    })
}

/// The bytes that hexadecimal digits stand for.
pub(in crate::otlp) fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// A number of an enumeration, which some write by its name.
pub(super) fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    match Digits::<i32>::deserialize(deserializer)? {
        Digits::Number(number) => Ok(number),
        Digits::Text(name) => NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number)
            .ok_or_else(|| D::Error::custom(format!("there is no `{name}` in OTLP"))),
    }
}

const NAMES: [(&str, i32); 12] = [
    ("SPAN_KIND_UNSPECIFIED", 0),
    ("SPAN_KIND_INTERNAL", 1),
    ("SPAN_KIND_SERVER", 2),
    ("SPAN_KIND_CLIENT", 3),
    ("SPAN_KIND_PRODUCER", 4),
    ("SPAN_KIND_CONSUMER", 5),
    ("STATUS_CODE_UNSET", 0),
    ("STATUS_CODE_OK", 1),
    ("STATUS_CODE_ERROR", 2),
    ("AGGREGATION_TEMPORALITY_UNSPECIFIED", 0),
    ("AGGREGATION_TEMPORALITY_DELTA", 1),
    ("AGGREGATION_TEMPORALITY_CUMULATIVE", 2),
];

fn digits<E: Error>(digits: Digits<u64>) -> Result<u64, E> {
    match digits {
        Digits::Number(number) => Ok(number),
        Digits::Text(text) => text.parse().map_err(E::custom),
    }
}
