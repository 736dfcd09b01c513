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
        self.get(names).map(value_text).filter(|text| !text.is_empty())
    }

    /// A non-negative integer.
    pub(super) fn unsigned(self, names: &[&str]) -> Option<u64> {
        match self.get(names)? {
            Value::Int(number) => u64::try_from(*number).ok(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
            Value::Double(number) if (0.0..9e15).contains(number) => Some(*number as u64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A finite number.
    pub(super) fn double(self, names: &[&str]) -> Option<f64> {
        match self.get(names)? {
            Value::Double(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "attributes are far below 2^52")]
            Value::Int(number) => Some(*number as f64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// A boolean.
    pub(super) fn bool(self, names: &[&str]) -> Option<bool> {
        match self.get(names)? {
            Value::Bool(bool) => Some(*bool),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
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
