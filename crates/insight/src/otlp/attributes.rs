//! Attribute lookup by current and former names.

use serde_json::Value as Json;

use super::wire::{AnyValue, KeyValue, Value};
pub(super) use crate::ingest::limits::storable;

/// The attributes of a span, an event or a resource.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [KeyValue]);

impl<'a> Attributes<'a> {
    /// The first of these names whose value `read` accepts: a bad value under one name doesn't hide a good one under
    /// another.
    fn first<T>(self, names: &[&str], read: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        let all = |name: &&str| self.0.iter().find(|attribute| attribute.key == **name);
        names.iter().filter_map(all).find_map(|attribute| read(attribute.value.as_ref()?.value.as_ref()?))
    }

    /// The value of the first of these names that is present.
    pub(super) fn get(self, names: &[&str]) -> Option<&'a Value> {
        self.first(names, Some)
    }

    /// A non-empty string.
    pub(super) fn text(self, names: &[&str]) -> Option<&'a str> {
        self.first(names, |value| match value {
            Value::String(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// A value of any type, as a string.
    pub(super) fn to_text(self, names: &[&str]) -> Option<String> {
        self.first(names, |value| Some(value_text(value)).filter(|text| !text.is_empty()))
    }

    /// A non-negative integer, also written as `26.0`.
    pub(super) fn unsigned(self, names: &[&str]) -> Option<u64> {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
        let whole = |number: f64| (0.0..9e15).contains(&number).then_some(number as u64);
        self.first(names, |value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            Value::Double(number) => whole(*number),
            Value::String(text) => text.parse().ok().or_else(|| whole(text.parse().ok()?)),
            _ => None,
        })
    }

    /// A finite number.
    pub(super) fn double(self, names: &[&str]) -> Option<f64> {
        self.first(names, |value| {
            let number: Option<f64> = match value {
                Value::Double(number) => Some(*number),
                #[expect(clippy::cast_precision_loss, reason = "attributes are far below 2^52")]
                Value::Int(number) => Some(*number as f64),
                Value::String(text) => text.parse().ok(),
                _ => None,
            };
            number.filter(|number| number.is_finite())
        })
    }

    /// A boolean.
    pub(super) fn bool(self, names: &[&str]) -> Option<bool> {
        self.first(names, |value| match value {
            Value::Bool(bool) => Some(*bool),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A value of any type as JSON. A string that contains JSON is parsed. Empty strings and null are absent.
    pub(super) fn json(self, names: &[&str]) -> Option<Json> {
        let json = |value: &Value| match value {
            Value::String(text) => serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into()),
            other => AnyValue::from(other.clone()).json(),
        };
        self.first(names, |value| Some(json(value)).filter(|json| !json.is_null() && json != ""))
    }

    /// The attributes with this name prefix, with the rest of their names.
    pub(super) fn with_prefix(self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |attribute| {
            let rest = attribute.key.strip_prefix(prefix)?;
            Some((rest, attribute.value.as_ref()?.value.as_ref()?))
        })
    }
}

/// A value of any type, as a string.
pub(super) fn value_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // headers are sent as lists of one value
        Value::Array(array) if array.values.len() == 1 => {
            array.values[0].value.as_ref().map(value_text).unwrap_or_default()
        }
        other => AnyValue::from(other.clone()).json().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unusable_value_under_a_new_name_does_not_hide_a_good_old_one() {
        let good = |value: Value| {
            let attribute =
                |(key, value): (&str, Value)| KeyValue { key: key.to_owned(), value: Some(value.into()) };
            let all = [("new", value), ("old", Value::Int(26))].map(attribute);
            let (attributes, names) = (Attributes(&all), ["new", "old"]);
            (attributes.unsigned(&names), attributes.double(&names), attributes.to_text(&names))
        };
        for bad in [Value::Double(f64::NAN), Value::Double(f64::INFINITY), Value::String("many".to_owned())] {
            let (unsigned, double, _) = good(bad.clone());
            assert_eq!((unsigned, double), (Some(26), Some(26.0)), "{bad:?}");
        }
        assert_eq!(good(Value::Int(-1)).0, Some(26));
        assert_eq!(good(Value::String(String::new())), (Some(26), Some(26.0), Some("26".to_owned())));
        assert_eq!(good(Value::Int(7)), (Some(7), Some(7.0), Some("7".to_owned())));
    }
}
