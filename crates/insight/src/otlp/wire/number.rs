//! Numbers and ids in protobuf's JSON mapping.

use serde::de::{Deserialize, Deserializer, Error};

use super::common::Digits;

/// A 64-bit integer, which JSON writes as a string because JSON numbers are less precise.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    digits(Digits::deserialize(deserializer)?)
}

/// A signed 64-bit integer that can be omitted.
pub(super) fn signed<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Option::<Digits<i64>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Digits::Number(number)) => Ok(Some(number)),
        Some(Digits::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// A list of 64-bit integers.
pub(super) fn wholes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    Vec::<Digits<u64>>::deserialize(deserializer)?.into_iter().map(digits).collect()
}

/// A number that can be `"NaN"` or `"Infinity"`.
pub(super) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    match Option::<Digits<f64>>::deserialize(deserializer)? {
        None => Ok(None),
        Some(Digits::Number(number)) => Ok(Some(number)),
        Some(Digits::Text(text)) => text.parse().map(Some).map_err(D::Error::custom),
    }
}

/// A trace id or span id, which OTLP writes in hexadecimal digits.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    // an invalid id becomes empty, so that only its span is rejected
    Ok(bytes(&String::deserialize(deserializer)?).unwrap_or_default())
}

/// A time, which JSON writes as a string; 0 if it is invalid, so that only its span is rejected.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(match Digits::<serde_json::Number>::deserialize(deserializer)? {
        Digits::Number(number) => number.as_u64().unwrap_or_default(),
        Digits::Text(text) => text.parse().unwrap_or_default(),
    })
}

/// Decodes hexadecimal digits.
pub(in crate::otlp) fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// An enum value, as its number or its name.
pub(super) fn kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    match Digits::<i32>::deserialize(deserializer)? {
        Digits::Number(number) => Ok(number),
        Digits::Text(name) => NAMES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, number)| *number)
            .ok_or_else(|| D::Error::custom(format!("unknown enum value `{name}`"))),
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
