//! Attribute lookup by current and former names.

use loam_kernel::truncate_bytes;
use serde_json::Value as Json;

use super::wire::{AnyValue, KeyValue, Value};

/// The attributes of a span, an event or a resource.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [KeyValue]);

impl<'a> Attributes<'a> {
    /// The value of the first of these names that is present.
    pub(super) fn get(self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|attribute| attribute.key == *name)?;
            found.value.as_ref()?.value.as_ref()
        })
    }

    /// A non-empty string.
    pub(super) fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| match self.get(&[name])? {
            Value::String(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// A value of any type, as a string.
    pub(super) fn to_text(self, names: &[&str]) -> Option<String> {
        self.usable(names, |value| Some(value_text(value)).filter(|text| !text.is_empty()))
    }

    /// The first of these attributes that converts: one that doesn't, such as a NaN, hides no other.
    fn usable<T>(self, names: &[&str], convert: impl Fn(&'a Value) -> Option<T>) -> Option<T> {
        names.iter().find_map(|name| self.get(&[name]).and_then(&convert))
    }

    /// A non-negative integer.
    pub(super) fn unsigned(self, names: &[&str]) -> Option<u64> {
        self.usable(names, |value| match value {
            Value::Int(number) => u64::try_from(*number).ok(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
            Value::Double(number) if (0.0..9e15).contains(number) => Some(*number as u64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A finite number.
    pub(super) fn double(self, names: &[&str]) -> Option<f64> {
        self.usable(names, |value| {
            match value {
                Value::Double(number) => Some(*number),
                #[expect(clippy::cast_precision_loss, reason = "attributes are far below 2^52")]
                Value::Int(number) => Some(*number as f64),
                Value::String(text) => text.parse().ok(),
                _ => None,
            }
            .filter(|number: &f64| number.is_finite())
        })
    }

    /// A boolean.
    pub(super) fn bool(self, names: &[&str]) -> Option<bool> {
        self.usable(names, |value| match value {
            Value::Bool(bool) => Some(*bool),
            Value::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A value of any type as JSON. A string that contains JSON is parsed.
    pub(super) fn json(self, names: &[&str]) -> Option<Json> {
        match self.get(names)? {
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())),
            other => Some(AnyValue::from(other.clone()).json()),
        }
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

/// The same, made storable.
pub(super) fn storable(text: &str, max: usize) -> String {
    // PostgreSQL can't store a NUL
    truncate_bytes(text, max).replace('\0', "\u{fffd}")
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
