//! Numbers, enums and ids in protobuf's JSON mapping.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::absent::list;

/// A scalar as JSON writes it. Null and an empty string are the same as absent.
enum Scalar {
    Absent,
    Whole(i128),
    Double(f64),
    Name(String),
}

impl Scalar {
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }

    /// A whole number, also written as `26.0`.
    fn whole<T: TryFrom<i128>, E: Error>(self) -> Result<Option<T>, E> {
        const LIMIT: f64 = 1e30;
        let whole = match self {
            Self::Absent => return Ok(None),
            Self::Whole(whole) => whole,
            #[expect(clippy::cast_possible_truncation, reason = "bounded before")]
            Self::Double(double) if double.fract() == 0.0 && double.abs() < LIMIT => double as i128,
            Self::Double(double) => {
                return Err(E::invalid_value(Unexpected::Float(double), &"a whole number"));
            }
            Self::Name(name) => return Err(E::invalid_value(Unexpected::Str(&name), &"a whole number")),
        };
        T::try_from(whole).map(Some).map_err(|_| E::custom(format!("the number {whole} is out of range")))
    }

    #[expect(clippy::cast_precision_loss, reason = "a double was asked for")]
    fn double<E: Error>(self) -> Result<Option<f64>, E> {
        match self {
            Self::Absent => Ok(None),
            Self::Whole(whole) => Ok(Some(whole as f64)),
            Self::Double(double) => Ok(Some(double)),
            Self::Name(name) => Err(E::invalid_value(Unexpected::Str(&name), &"a number")),
        }
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a string with a number")
    }

    fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
        Ok(Scalar::Absent)
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Whole(number.into()))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(match text {
            "" => Scalar::Absent,
            _ => match text.parse() {
                Ok(whole) => Scalar::Whole(whole),
                // also `NaN` and `Infinity`
                Err(_) => text.parse().map_or_else(|_| Scalar::Name(text.to_owned()), Scalar::Double),
            },
        })
    }
}

/// A whole number. JSON writes 64 bits as a string because JSON numbers are less precise.
pub(super) fn whole<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i128> + Default,
{
    Ok(Scalar::read(deserializer)?.whole::<T, D::Error>()?.unwrap_or_default())
}

/// A whole number that can be omitted.
pub(super) fn optional_whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    Scalar::read(deserializer)?.whole()
}

/// A number that can be `"NaN"` or `"Infinity"`.
pub(super) fn double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Scalar::read(deserializer)?.double::<D::Error>()?.unwrap_or_default())
}

/// The same, if it can be omitted.
pub(super) fn optional_double<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    Scalar::read(deserializer)?.double()
}

/// An integer attribute.
#[derive(Deserialize)]
pub(super) struct Int(#[serde(deserialize_with = "optional_whole")] pub(super) Option<i64>);

/// A number attribute.
#[derive(Deserialize)]
pub(super) struct Double(#[serde(deserialize_with = "optional_double")] pub(super) Option<f64>);

/// A list of 64-bit integers.
pub(super) fn wholes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
    #[derive(Deserialize)]
    struct Item(#[serde(deserialize_with = "whole")] u64);
    Ok(list::<D, Item>(deserializer)?.into_iter().map(|item| item.0).collect())
}

/// A list of numbers.
pub(super) fn doubles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    #[derive(Deserialize)]
    struct Item(#[serde(deserialize_with = "double")] f64);
    Ok(list::<D, Item>(deserializer)?.into_iter().map(|item| item.0).collect())
}

/// A trace id or span id, which OTLP writes in hexadecimal digits.
pub(super) fn id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    // an invalid id becomes empty, so that only its span is rejected
    let text: Option<Cow<'de, str>> = Option::deserialize(deserializer)?;
    Ok(text.and_then(|text| bytes(&text)).unwrap_or_default())
}

/// A time, which JSON writes as a string; 0 if it is invalid, so that only its span is rejected.
pub(super) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    Ok(Scalar::read(deserializer)?.whole::<u64, D::Error>().ok().flatten().unwrap_or_default())
}

/// Decodes hexadecimal digits.
pub(in crate::otlp) fn bytes(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// The kind of a span, as its number or its name.
pub(super) fn span_kind<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 6] = ["UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"];
    enum_value(deserializer, |name| position(&NAMES, name.strip_prefix("SPAN_KIND_")?))
}

/// The code of a span's status.
pub(super) fn status_code<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    enum_value(deserializer, |name| position(&["UNSET", "OK", "ERROR"], name.strip_prefix("STATUS_CODE_")?))
}

/// The temporality of a metric.
pub(super) fn temporality<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 3] = ["UNSPECIFIED", "DELTA", "CUMULATIVE"];
    enum_value(deserializer, |name| position(&NAMES, name.strip_prefix("AGGREGATION_TEMPORALITY_")?))
}

/// The severity of a log record: six names, each with four levels (`ERROR`, `ERROR2`, …).
pub(super) fn severity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i32, D::Error> {
    const NAMES: [&str; 6] = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
    enum_value(deserializer, |name| {
        let name = name.strip_prefix("SEVERITY_NUMBER_")?;
        if name == "UNSPECIFIED" {
            return Some(0);
        }
        let level = match name.chars().last()? {
            digit @ '2'..='4' => digit.to_digit(10)?,
            _ => 1,
        };
        let first = position(&NAMES, name.trim_end_matches(['2', '3', '4']))?;
        Some(first * 4 + i32::try_from(level).ok()?)
    })
}

fn position(names: &[&str], name: &str) -> Option<i32> {
    i32::try_from(names.iter().position(|known| *known == name)?).ok()
}

/// An enum value, as its number or its name.
fn enum_value<'de, D: Deserializer<'de>>(
    deserializer: D,
    by_name: impl Fn(&str) -> Option<i32>,
) -> Result<i32, D::Error> {
    match Scalar::read(deserializer)? {
        Scalar::Name(name) => {
            by_name(&name).ok_or_else(|| D::Error::custom(format!("unknown enum value `{name}`")))
        }
        scalar => Ok(scalar.whole::<i32, D::Error>()?.unwrap_or_default()),
    }
}
