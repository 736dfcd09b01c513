//! Messages that are not decoded yet, in either encoding.

use std::fmt;

use loam_kernel::truncate_bytes;
use prost::Message;
use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::raw_field::RawField;
use crate::ingest::RecordError;

/// Maximum length of an error message, in bytes: it may repeat the value.
const MAX_MESSAGE: usize = 300;

/// A field: its number in protobuf, its two names in JSON.
#[derive(Clone, Copy)]
pub(super) struct Field(pub(super) u32, pub(super) &'static str, pub(super) &'static str);

/// A message that is not decoded yet.
#[derive(Clone, Copy)]
pub(in crate::otlp) enum Fragment<'a> {
    Json(&'a str),
    Protobuf(&'a [u8]),
}

/// A message without some of its fields.
pub(super) enum OwnedFragment {
    Json(String),
    Protobuf(Vec<u8>),
}

impl OwnedFragment {
    pub(super) fn fragment(&self) -> Fragment<'_> {
        match self {
            Self::Json(text) => Fragment::Json(text),
            Self::Protobuf(bytes) => Fragment::Protobuf(bytes),
        }
    }
}

impl<'a> Fragment<'a> {
    /// The messages of a list; none if this is not a message with such a list.
    pub(super) fn list(self, field: Field) -> Option<Vec<Self>> {
        match self {
            Self::Json(text) => {
                let mut messages = Vec::new();
                for (_, value) in object(text)?.into_iter().filter(|(name, _)| field.has_name(name)) {
                    messages.extend(array(value)?.into_iter().filter(|item| *item != "null").map(Self::Json));
                }
                Some(messages)
            }
            Self::Protobuf(bytes) => {
                let fields = fields(bytes)?.into_iter().filter(|raw| raw.number == field.0);
                fields.map(|raw| raw.content.map(Self::Protobuf)).collect()
            }
        }
    }

    /// The message of a field; none if this is not a message.
    pub(super) fn message(self, field: Field) -> Option<Option<Self>> {
        match self {
            Self::Json(text) => {
                let mut values = object(text)?.into_iter().filter(|(name, _)| field.has_name(name));
                Some(
                    values
                        .next_back()
                        .map(|(_, value)| value)
                        .filter(|value| *value != "null")
                        .map(Self::Json),
                )
            }
            Self::Protobuf(_) => Some(self.list(field)?.pop()),
        }
    }

    /// This message without these fields; none if this is not a message.
    pub(super) fn without(self, excluded: &[Field]) -> Option<OwnedFragment> {
        Some(match self {
            Self::Json(text) => {
                let included = object(text)?
                    .into_iter()
                    .filter(|(name, _)| !excluded.iter().any(|field| field.has_name(name)))
                    .map(|(name, value)| member(&name, value));
                OwnedFragment::Json(format!("{{{}}}", included.collect::<Vec<_>>().join(",")))
            }
            Self::Protobuf(bytes) => {
                let included = fields(bytes)?
                    .into_iter()
                    .filter(|raw| !excluded.iter().any(|field| field.0 == raw.number))
                    .map(|raw| raw.bytes);
                OwnedFragment::Protobuf(included.collect::<Vec<_>>().concat())
            }
        })
    }

    /// Decodes the message. If a value of it can't be decoded, the result is the rest of it, and the error.
    pub(super) fn decode<T: Message + Default + DeserializeOwned>(self) -> (T, Option<RecordError>) {
        match self {
            Self::Json(text) => decode_json(text),
            Self::Protobuf(bytes) => decode_protobuf(bytes),
        }
    }
}

impl Field {
    fn has_name(self, name: &str) -> bool {
        name == self.1 || name == self.2
    }
}

fn decode_json<T: Message + Default + DeserializeOwned>(text: &str) -> (T, Option<RecordError>) {
    let error = match serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(text)) {
        Ok(message) => return (message, None),
        Err(e) => value_error(RecordError::unreadable(e.path(), &e.inner().to_string())),
    };
    let mut message = T::default();
    let mut add = |name: &str, value: &str| {
        let part = serde_json::from_str::<T>(&format!("{{{}}}", member(name, value)));
        part.is_ok_and(|part| message.merge(part.encode_to_vec().as_slice()).is_ok())
    };
    for (name, value) in object(text).unwrap_or_default() {
        if !add(&name, value) {
            for item in array(value).unwrap_or_default() {
                add(&name, &format!("[{item}]"));
            }
        }
    }
    (message, Some(error))
}

fn decode_protobuf<T: Message + Default>(bytes: &[u8]) -> (T, Option<RecordError>) {
    let error = match T::decode(bytes) {
        Ok(message) => return (message, None),
        Err(e) => value_error(RecordError { code: "", message: e.to_string(), param: None }),
    };
    let mut message = T::default();
    for raw in fields(bytes).unwrap_or_default() {
        if T::decode(raw.bytes).is_ok() {
            _ = message.merge(raw.bytes);
        }
    }
    (message, Some(error))
}

fn value_error(error: RecordError) -> RecordError {
    let message = truncate_bytes(&error.message, MAX_MESSAGE).to_owned();
    RecordError { code: "invalid_value", message, param: error.param }
}

/// The fields of a message; none if it is not protobuf.
fn fields(mut bytes: &[u8]) -> Option<Vec<RawField<'_>>> {
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        fields.push(RawField::split(&mut bytes)?);
    }
    Some(fields)
}

/// A member of a JSON object.
fn member(name: &str, value: &str) -> String {
    format!("{}:{value}", serde_json::Value::from(name))
}

/// The items of a JSON array, not decoded; none if it is not an array.
fn array(text: &str) -> Option<Vec<&str>> {
    Some(serde_json::from_str::<Vec<&RawValue>>(text).ok()?.into_iter().map(RawValue::get).collect())
}

/// The members of a JSON object, not decoded; none if it is not an object.
fn object(text: &str) -> Option<Vec<(String, &str)>> {
    serde_json::from_str::<Members<'_>>(text).ok().map(|members| members.0)
}

struct Members<'a>(Vec<(String, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor).map(Members)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Vec<(String, &'de str)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
            members.push((name, value.get()));
        }
        Ok(members)
    }
}
