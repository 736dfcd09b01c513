//! Looking attributes up, by each of the names that a thing has had.

use serde_json::Value as Json;

use super::wire::{AnyValue, KeyValue, Value};

/// The attributes of a span, an event or a resource.
#[derive(Clone, Copy)]
pub(super) struct Attributes<'a>(pub(super) &'a [KeyValue]);

impl<'a> Attributes<'a> {
    /// The first of these names that is there.
    pub(super) fn get(self, names: &[&str]) -> Option<&'a Value> {
        names.iter().find_map(|name| {
            let found = self.0.iter().find(|attribute| attribute.key == *name)?;
            found.value.as_ref()?.value.as_ref()
        })
    }

    /// A text that is not empty.
    pub(super) fn text(self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| match self.get(&[name])? {
            Value::String(text) if !text.is_empty() => Some(text.as_str()),
            _ => None,
        })
    }

    /// A text, or what else there is as one.
    pub(super) fn words(self, names: &[&str]) -> Option<String> {
        self.get(names).map(words).filter(|text| !text.is_empty())
    }

    /// A number that is not below zero.
    pub(super) fn whole(self, names: &[&str]) -> Option<u64> {
        match self.get(names)? {
            Value::Int(number) => u64::try_from(*number).ok(),
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded before")]
            Value::Double(number) if (0.0..9e15).contains(number) => Some(*number as u64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number.
    pub(super) fn double(self, names: &[&str]) -> Option<f64> {
        match self.get(names)? {
            Value::Double(number) => Some(*number),
            #[expect(clippy::cast_precision_loss, reason = "of attributes, none is that large")]
            Value::Int(number) => Some(*number as f64),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
        .filter(|number: &f64| number.is_finite())
    }

    /// Yes or no.
    pub(super) fn bool(self, names: &[&str]) -> Option<bool> {
        match self.get(names)? {
            Value::Bool(bool) => Some(*bool),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// Whatever it is, as JSON: of a text that is JSON, what it says.
    pub(super) fn json(self, names: &[&str]) -> Option<Json> {
        match self.get(names)? {
            Value::String(text) => Some(serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())),
            other => Some(AnyValue::from(other.clone()).json()),
        }
    }

    /// Those whose names begin so, with the rest of the name.
    pub(super) fn below(self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |attribute| {
            let rest = attribute.key.strip_prefix(prefix)?;
            Some((rest, attribute.value.as_ref()?.value.as_ref()?))
        })
    }
}

/// A value as text.
pub(super) fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        // headers come as lists of one
        Value::Array(array) if array.values.len() == 1 => {
            array.values[0].value.as_ref().map(words).unwrap_or_default()
        }
        other => AnyValue::from(other.clone()).json().to_string(),
    }
}

/// The beginning of a text, of at most so many bytes.
pub(super) fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The same of a text that is kept as it is.
pub(super) fn kept(text: &str, most: usize) -> String {
    // PostgreSQL can't store a NUL
    cut(text, most).replace('\0', "\u{fffd}")
}
