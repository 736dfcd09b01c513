//! Splits a batch into records, which are decoded independently of each other.

use loam_kernel::{Error, Kind, Result};
use rmp_serde::decode::ReadRefReader;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use super::msgpack;
use super::record_error::RecordError;
use super::wire::Record;
use super::wire_call::CallInfo;
use crate::trace::{Environment, VersionInfo};

/// Maximum nesting depth of MessagePack.
const MAX_DEPTH: usize = 128;

type Unpacker<'a> = rmp_serde::Deserializer<ReadRefReader<'a, [u8]>>;

/// The format of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    MessagePack,
}

/// An item of a batch.
#[derive(Debug)]
pub(super) enum Item<'a> {
    Record(Box<Record<'a>>),
    Call(Box<CallInfo<'a>>),
}

/// Values that apply to the records of a batch that don't set their own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Defaults {
    pub(super) service: Option<String>,
    pub(super) version_info: Option<VersionInfo>,
    pub(super) environment: Option<Environment>,
}

/// A batch whose records are not decoded yet.
#[derive(Debug)]
pub(super) struct Batch<'a> {
    pub(super) format: Format,
    pub(super) defaults: Defaults,
    pub(super) records: Vec<&'a [u8]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    version_info: Option<VersionInfo>,
    #[serde(default)]
    environment: Option<Environment>,
    #[serde(borrow)]
    records: Vec<&'a RawValue>,
}

impl<'a> Batch<'a> {
    /// Splits a body into records.
    ///
    /// # Errors
    /// 400 if the body is not a batch.
    pub(super) fn split(format: Format, body: &'a [u8]) -> Result<Self> {
        match format {
            Format::Json => json(body),
            Format::MessagePack => messagepack(body),
        }
    }

    /// Decodes an item: a record, or a call that is sent outside of its record, which has a `call_id`.
    pub(super) fn parse_item(format: Format, bytes: &'a [u8]) -> Result<Item<'a>, RecordError> {
        let error = match Self::parse::<Record<'a>>(format, bytes) {
            Ok(record) => return Ok(Item::Record(Box::new(record))),
            Err(error) => error,
        };
        // the field is unknown in a record
        match error.param.as_deref() {
            Some("call_id" | "function_info" | "execution_info" | "call_context" | "performance_tags") => {
                Self::parse::<CallInfo<'a>>(format, bytes).map(|call| Item::Call(Box::new(call)))
            }
            _ => Err(error),
        }
    }

    fn parse<T: Deserialize<'a>>(format: Format, bytes: &'a [u8]) -> Result<T, RecordError> {
        let is_object = match format {
            Format::Json => bytes.first() == Some(&b'{'),
            Format::MessagePack => msgpack::map(bytes).is_some(),
        };
        // serde also deserializes structs from arrays, whose items would be assigned to the fields in order
        if !is_object {
            return Err(RecordError {
                code: "invalid_record",
                message: "must be an object".to_owned(),
                param: None,
            });
        }
        match format {
            Format::Json => serde_json::from_slice(bytes).map_err(|_| {
                // the error path is expensive, so it is only computed for invalid records
                let json = &mut serde_json::Deserializer::from_slice(bytes);
                path_error(serde_path_to_error::deserialize::<_, T>(json))
            }),
            Format::MessagePack => unpack(bytes)
                .map_err(|_| path_error(serde_path_to_error::deserialize::<_, T>(&mut unpacker(bytes)))),
        }
    }

    /// A record as a self-contained document, with the defaults of the batch.
    pub(super) fn document(&self, bytes: &[u8]) -> Option<Value> {
        let mut document: Value = match self.format {
            Format::Json => serde_json::from_slice(bytes).ok()?,
            Format::MessagePack => unpack(bytes).ok()?,
        };
        if let Value::Object(fields) = &mut document {
            let Defaults { service, version_info, environment } = &self.defaults;
            let shared = [
                ("service", service.as_ref().map(|service| Value::from(service.as_str()))),
                (
                    "version_info",
                    version_info.as_ref().and_then(|version| serde_json::to_value(version).ok()),
                ),
                (
                    "environment",
                    environment.as_ref().and_then(|environment| serde_json::to_value(environment).ok()),
                ),
            ];
            for (name, value) in shared {
                if let Some(value) = value {
                    fields.entry(name).or_insert(value);
                }
            }
        }
        Some(document)
    }
}

fn unpack<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, rmp_serde::decode::Error> {
    T::deserialize(&mut unpacker(bytes))
}

/// Limits the depth as for JSON: unlimited nesting could overflow the stack.
fn unpacker(bytes: &[u8]) -> Unpacker<'_> {
    let mut unpacker = rmp_serde::Deserializer::from_read_ref(bytes);
    unpacker.set_max_depth(MAX_DEPTH);
    unpacker
}

fn path_error<T, E: std::fmt::Display>(read: Result<T, serde_path_to_error::Error<E>>) -> RecordError {
    match read {
        Err(e) => RecordError::unreadable(e.path(), &e.inner().to_string()),
        Ok(_) => RecordError { code: "invalid_record", message: "can't be read".to_owned(), param: None },
    }
}

fn json(body: &[u8]) -> Result<Batch<'_>> {
    let message = |e: serde_json::Error| malformed(&e.to_string());
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(malformed("the body must be an object with `records`"));
    }
    let envelope: Envelope<'_> = serde_json::from_slice(body).map_err(message)?;
    let Envelope { service, version_info, environment, records } = envelope;
    Ok(Batch {
        format: Format::Json,
        defaults: Defaults { service, version_info, environment },
        records: records.into_iter().map(|record| record.get().as_bytes()).collect(),
    })
}

fn messagepack(body: &[u8]) -> Result<Batch<'_>> {
    let incomplete = || malformed("the body is not complete MessagePack");
    let (_, rest) = msgpack::value(body).ok_or_else(incomplete)?;
    if !rest.is_empty() {
        return Err(malformed("there is data after the MessagePack value"));
    }
    let (pairs, mut rest) =
        msgpack::map(body).ok_or_else(|| malformed("the body must be a map with `records`"))?;
    let mut batch = Batch { format: Format::MessagePack, defaults: Defaults::default(), records: Vec::new() };
    let mut has_records = false;
    for _ in 0..pairs {
        let (name, after) = msgpack::value(rest).ok_or_else(incomplete)?;
        let (value, after) = msgpack::value(after).ok_or_else(incomplete)?;
        rest = after;
        let message = |e: rmp_serde::decode::Error| malformed(&e.to_string());
        match unpack::<&str>(name).map_err(message)? {
            "service" => batch.defaults.service = unpack(value).map_err(message)?,
            "version_info" => batch.defaults.version_info = unpack(value).map_err(message)?,
            "environment" => batch.defaults.environment = unpack(value).map_err(message)?,
            "records" => {
                has_records = true;
                let (count, mut items) =
                    msgpack::array(value).ok_or_else(|| malformed("`records` must be an array"))?;
                for _ in 0..count {
                    let (record, after) = msgpack::value(items).ok_or_else(incomplete)?;
                    items = after;
                    batch.records.push(record);
                }
            }
            name => return Err(malformed(&format!("unknown field `{name}`"))),
        }
    }
    if has_records { Ok(batch) } else { Err(malformed("missing field `records`")) }
}

fn malformed(message: &str) -> Error {
    let mut message = message.to_owned();
    message.truncate(message.floor_char_boundary(300));
    Error::new(Kind::Invalid, "invalid_batch", format!("the body is not a batch of records: {message}"))
}
