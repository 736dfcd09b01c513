//! Strings and times of the record format, decoded without copying.

use std::borrow::Cow;
use std::fmt;

use chrono::DateTime;
use loam_kernel::truncate_bytes;
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

/// A string that borrows from the body, unless it had to be unescaped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl Text<'_> {
    /// The first `max` bytes, rounded down to a character boundary.
    pub(super) fn truncated(&self, max: usize) -> &str {
        truncate_bytes(&self.0, max)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                without_nul(text)?;
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                without_nul(text)?;
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Reader)
    }
}

/// Rejects NUL characters, which PostgreSQL can't store in text.
fn without_nul<E: serde::de::Error>(text: &str) -> Result<(), E> {
    match memchr::memchr(0, text.as_bytes()) {
        Some(_) => Err(E::custom("must not contain a NUL character")),
        None => Ok(()),
    }
}

/// A field's value; its default if it is null.
pub(super) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A time, sent as seconds since 1970 or in RFC 3339; held in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Timestamp(pub(super) i64);

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time such as 2026-01-31T12:00:00Z, or seconds since 1970")
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<Timestamp, E> {
                nanos(seconds)
                    .map(Timestamp)
                    .ok_or_else(|| E::custom("must be a time within three centuries of 1970"))
            }

            #[expect(clippy::cast_precision_loss, reason = "current times in seconds are far below 2^52")]
            fn visit_u64<E: serde::de::Error>(self, seconds: u64) -> Result<Timestamp, E> {
                self.visit_f64(seconds as f64)
            }

            #[expect(clippy::cast_precision_loss, reason = "current times in seconds are far below 2^52")]
            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<Timestamp, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Timestamp, E> {
                DateTime::parse_from_rfc3339(text)
                    .ok()
                    .and_then(|time| time.timestamp_nanos_opt())
                    .map(Timestamp)
                    .ok_or_else(|| {
                        E::custom("must be a time such as 2026-01-31T12:00:00Z, or seconds since 1970")
                    })
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// A duration, sent in seconds, held in nanoseconds. It can be negative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Seconds(pub(super) i64);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(deserializer)?;
        nanos(seconds).map(Self).ok_or_else(|| D::Error::custom("must be a number of seconds"))
    }
}

impl Seconds {
    /// In nanoseconds; none if negative.
    pub(super) fn as_nanos(self) -> Option<u64> {
        u64::try_from(self.0).ok()
    }
}

fn nanos(seconds: f64) -> Option<i64> {
    const MAX_SECONDS: f64 = 9e9;
    // whole seconds separately, so that current times are exact to the microsecond
    #[expect(
        clippy::cast_possible_truncation,
        reason = "both are within the range of an i64, as was checked"
    )]
    let nanos =
        |seconds: f64| seconds.trunc() as i64 * 1_000_000_000 + (seconds.fract() * 1e9).round() as i64;
    (seconds.abs() <= MAX_SECONDS).then(|| nanos(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_seconds_or_a_date_with_a_time_zone() {
        let read = |json: &str| serde_json::from_str::<Timestamp>(json).map(|timestamp| timestamp.0);
        assert_eq!(read("1767225600.25").unwrap(), 1_767_225_600_250_000_000);
        assert_eq!(read("1767225600").unwrap(), 1_767_225_600_000_000_000);
        assert_eq!(read("\"2026-01-01T01:00:00.5+01:00\"").unwrap(), 1_767_225_600_500_000_000);
        for wrong in ["\"2026-01-01T00:00:00\"", "\"yesterday\"", "1e300", "null", "true", "[]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn strings_are_borrowed_and_never_contain_nul() {
        let plain: Text<'_> = serde_json::from_str("\"plain\"").unwrap();
        assert!(matches!(plain.0, Cow::Borrowed("plain")));
        let escaped: Text<'_> = serde_json::from_str("\"a\\n\"").unwrap();
        assert_eq!(escaped.0, "a\n");
        assert_eq!(escaped.truncated(1), "a");
        assert!(serde_json::from_str::<Text<'_>>("\"a\\u0000\"").is_err());
    }

    #[test]
    fn a_duration_must_be_a_number() {
        assert_eq!(serde_json::from_str::<Seconds>("0.25").unwrap().as_nanos(), Some(250_000_000));
        assert_eq!(serde_json::from_str::<Seconds>("-1").unwrap().as_nanos(), None);
        assert!(serde_json::from_str::<Seconds>("1e10").is_err());
        assert!(rmp_serde::from_slice::<Seconds>(&rmp_serde::to_vec(&f64::NAN).unwrap()).is_err());
    }
}
