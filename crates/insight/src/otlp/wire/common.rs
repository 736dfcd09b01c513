//! Messages shared by traces and metrics.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::{absent, number};

/// The entity that produces telemetry: a service on a host.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct Resource {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) attributes: Vec<KeyValue>,
}

/// The instrumentation scope.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct InstrumentationScope {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) name: String,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct KeyValue {
    #[prost(string, tag = "1")]
    #[serde(deserialize_with = "absent::or_default")]
    pub(in crate::otlp) key: String,
    #[prost(message, optional, tag = "2")]
    pub(in crate::otlp) value: Option<AnyValue>,
}

/// The value of an attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub(in crate::otlp) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5, 6, 7")]
    pub(in crate::otlp) value: Option<Value>,
}

/// The variants of an attribute value.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(in crate::otlp) enum Value {
    #[prost(string, tag = "1")]
    String(String),
    #[prost(bool, tag = "2")]
    Bool(bool),
    #[prost(int64, tag = "3")]
    Int(i64),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(message, tag = "5")]
    Array(ArrayValue),
    #[prost(message, tag = "6")]
    List(KeyValueList),
    #[prost(bytes = "vec", tag = "7")]
    Bytes(Vec<u8>),
}

/// A list of values.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct ArrayValue {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) values: Vec<AnyValue>,
}

/// Values by name.
#[derive(Clone, PartialEq, prost::Message, Deserialize)]
#[serde(default)]
pub(in crate::otlp) struct KeyValueList {
    #[prost(message, repeated, tag = "1")]
    #[serde(deserialize_with = "absent::list")]
    pub(in crate::otlp) values: Vec<KeyValue>,
}

impl From<Value> for AnyValue {
    fn from(value: Value) -> Self {
        Self { value: Some(value) }
    }
}

impl AnyValue {
    /// As JSON.
    pub(in crate::otlp) fn json(&self) -> serde_json::Value {
        match &self.value {
            None => serde_json::Value::Null,
            Some(Value::String(text)) => text.as_str().into(),
            Some(Value::Bool(bool)) => (*bool).into(),
            Some(Value::Int(number)) => (*number).into(),
            Some(Value::Double(number)) => (*number).into(),
            Some(Value::Bytes(bytes)) => STANDARD.encode(bytes).into(),
            Some(Value::Array(array)) => array.values.iter().map(Self::json).collect(),
            Some(Value::List(list)) => {
                let field = |field: &KeyValue| {
                    (field.key.clone(), field.value.as_ref().map_or(serde_json::Value::Null, Self::json))
                };
                serde_json::Value::Object(list.values.iter().map(field).collect())
            }
        }
    }

    /// Converts from JSON; none for null.
    pub(in crate::otlp) fn of(json: serde_json::Value) -> Option<Self> {
        use serde_json::Value as Json;
        Some(Self::from(match json {
            Json::Null => return None,
            Json::String(text) => Value::String(text),
            Json::Bool(bool) => Value::Bool(bool),
            Json::Number(number) => match number.as_i64() {
                Some(whole) => Value::Int(whole),
                None => Value::Double(number.as_f64().unwrap_or_default()),
            },
            Json::Array(items) => {
                let values = items.into_iter().map(|item| Self::of(item).unwrap_or_default()).collect();
                Value::Array(ArrayValue { values })
            }
            Json::Object(fields) => {
                let values = fields.into_iter().map(|(key, value)| KeyValue { key, value: Self::of(value) });
                Value::List(KeyValueList { values: values.collect() })
            }
        }))
    }
}

/// Bytes in Base64.
struct Base64(Option<Vec<u8>>);

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text: Option<String> = Option::deserialize(deserializer)?;
        text.map(|text| STANDARD.decode(text).map_err(D::Error::custom)).transpose().map(Self)
    }
}

impl<'de> Deserialize<'de> for AnyValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(OneOf)
    }
}

/// `{"stringValue": "…"}` and the like.
struct OneOf;

impl<'de> Visitor<'de> for OneOf {
    type Value = AnyValue;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with one of `stringValue`, `intValue`, …")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<AnyValue, A::Error> {
        let mut value = None;
        while let Some(name) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            value = match name.as_ref() {
                "stringValue" | "string_value" => map.next_value::<Option<_>>()?.map(Value::String),
                "boolValue" | "bool_value" => map.next_value::<Option<_>>()?.map(Value::Bool),
                "intValue" | "int_value" => map.next_value::<number::Int>()?.0.map(Value::Int),
                "doubleValue" | "double_value" => map.next_value::<number::Double>()?.0.map(Value::Double),
                "arrayValue" | "array_value" => map.next_value::<Option<_>>()?.map(Value::Array),
                "kvlistValue" | "kvlist_value" => map.next_value::<Option<_>>()?.map(Value::List),
                "bytesValue" | "bytes_value" => map.next_value::<Base64>()?.0.map(Value::Bytes),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            .or(value);
        }
        Ok(AnyValue { value })
    }
}
