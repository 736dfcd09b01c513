//! Reads and edits a request without parsing it into a tree: fields that Loam doesn't know are forwarded unchanged.

use std::collections::BTreeMap;

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderValue;
use loam_kernel::{Error, Kind, Result};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::form::{Form, read_form};
use crate::body::bounded_user;
use crate::pass_through_endpoints::{asks_for_events, requested};
use crate::{Endpoint, Quantity};

/// The fields of a request that the gateway needs, with their positions in the body.
#[derive(Debug)]
pub struct RequestEnvelope {
    /// The model as the client wrote it.
    pub model: String,
    /// Whether the response is to be streamed.
    pub stream: bool,
    /// Whether the client requested usage in the stream.
    pub wants_usage: bool,
    /// Limits on the size of the response.
    pub output_limits: OutputLimits,
    /// The application's end user, as the client wrote it: `user`, `safety_identifier`, or `user_id` of `metadata`.
    pub end_user: Option<String>,
    /// The texts in the request's `metadata`, without `user_id`: at most [`MAX_METADATA`], as OpenAI allows.
    pub metadata: Vec<(String, String)>,
    /// The quantity that the request asks for, if it tells.
    pub quantity: Option<Quantity>,
    /// Set if the body is a form, and not JSON.
    pub form: Option<Form>,
    model_span: (usize, usize),
    /// Where the end user is named.
    user_spans: [Option<(usize, usize)>; 2],
    options: StreamOptionsEdit,
}

/// A request's limits on the size of its response.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimits {
    /// Maximum tokens per choice: `max_completion_tokens`, `max_tokens` or `max_output_tokens`.
    pub max_tokens: Option<u64>,
    /// The number of choices.
    pub n: Option<u64>,
}

/// The edit of `stream_options` that makes the provider send usage.
#[derive(Debug)]
enum StreamOptionsEdit {
    Keep,
    Insert,
    Replace { span: (usize, usize), with: String },
}

#[derive(Deserialize)]
struct Wire<'a> {
    #[serde(borrow, default, deserialize_with = "raw")]
    model: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    stream: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "raw")]
    stream_options: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_completion_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    max_output_tokens: Option<&'a RawValue>,
    #[serde(borrow, default)]
    n: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user: Option<&'a RawValue>,
    #[serde(borrow, default)]
    safety_identifier: Option<&'a RawValue>,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

/// The field of a request's metadata that identifies the end user.
const USER_ID: &str = "user_id";
/// Fields of metadata that are kept, and characters of their names and values.
const MAX_METADATA: usize = 16;
const MAX_METADATA_NAME: usize = 64;
const MAX_METADATA_VALUE: usize = 512;

impl Wire<'_> {
    fn end_user(&self, metadata: &BTreeMap<String, &RawValue>) -> Option<String> {
        self.user
            .and_then(id_text)
            .or_else(|| self.safety_identifier.and_then(id_text))
            .or_else(|| metadata.get(USER_ID).copied().and_then(id_text))
    }

    /// The fields of the metadata; none of something else, which is left to the provider to reject.
    fn metadata(&self) -> BTreeMap<String, &RawValue> {
        let raw = self.metadata.map(RawValue::get).filter(|raw| raw.starts_with('{'));
        raw.and_then(|raw| serde_json::from_str(raw).ok()).unwrap_or_default()
    }
}

/// The fields that are kept: texts of a reasonable length.
fn kept(metadata: &BTreeMap<String, &RawValue>) -> Vec<(String, String)> {
    let fits = |text: &str, max| text.chars().count() <= max && !text.contains('\0');
    let fields = metadata.iter().filter(|(name, _)| *name != USER_ID && fits(name, MAX_METADATA_NAME));
    let texts = fields.filter_map(|(name, raw)| {
        let value = serde_json::from_str::<String>(raw.get()).ok()?;
        fits(&value, MAX_METADATA_VALUE).then(|| (name.clone(), value))
    });
    texts.take(MAX_METADATA).collect()
}

/// A string, or the digits of an integer; other values are left to the provider to reject.
fn id_text(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    match text.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(text).ok().filter(|id_text| !id_text.is_empty()),
        _ => text.parse::<i64>().ok().map(|number| number.to_string()),
    }
}

/// An explicit null has a position in the body, unlike a missing field.
fn raw<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

impl RequestEnvelope {
    /// Reads the envelope of a request to an endpoint.
    pub fn of(endpoint: Endpoint, content_type: Option<&HeaderValue>, body: &[u8]) -> Result<Self> {
        if endpoint.takes_form() {
            return read_form(content_type, body);
        }
        let mut envelope = Self::read(body)?;
        envelope.quantity = requested(endpoint, body, envelope.output_limits.n);
        envelope.stream |= endpoint.returns_bytes() && asks_for_events(body);
        Ok(envelope)
    }

    /// An envelope without anything but the position of the model.
    pub(super) fn of_model(model_span: (usize, usize), output_limits: OutputLimits) -> Self {
        Self {
            model: String::new(),
            stream: false,
            wants_usage: false,
            output_limits,
            end_user: None,
            metadata: Vec::new(),
            quantity: None,
            form: None,
            model_span,
            user_spans: [None; 2],
            options: StreamOptionsEdit::Keep,
        }
    }

    /// Reads the envelope of a body, and checks that the body is a JSON object.
    pub fn read(body: &[u8]) -> Result<Self> {
        let invalid = |why: String| Error::new(Kind::Invalid, "invalid_json", why);
        let text =
            std::str::from_utf8(body).map_err(|e| invalid(format!("the body is not valid UTF-8: {e}")))?;
        // serde also reads a struct from an array, which no provider accepts
        if !text.trim_start().starts_with('{') {
            return Err(invalid("the body must be a JSON object".to_owned()));
        }
        let wire: Wire<'_> = serde_json::from_str(text)
            .map_err(|e| invalid(format!("the body is not a valid request: {e}")))?;
        let span = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            (start, start + raw.get().len())
        };
        let model_raw = wire.model.ok_or_else(|| Error::invalid("model", "is missing"))?;
        let model: String =
            serde_json::from_str(model_raw.get()).map_err(|_| Error::invalid("model", "must be a string"))?;
        let stream = match wire.stream {
            None => false,
            Some(raw) => serde_json::from_str::<Option<bool>>(raw.get())
                .map_err(|_| Error::invalid("stream", "must be true or false"))?
                .unwrap_or(false),
        };
        // a value that isn't a number is left to the provider to reject
        let number = |raw: Option<&RawValue>| raw.and_then(|raw| raw.get().parse::<u64>().ok());
        let max_tokens = number(wire.max_completion_tokens)
            .or_else(|| number(wire.max_tokens))
            .or_else(|| number(wire.max_output_tokens));
        let metadata = wire.metadata();
        let output_limits = OutputLimits { max_tokens, n: number(wire.n) };
        let mut envelope = Self {
            model,
            stream,
            end_user: wire.end_user(&metadata),
            metadata: kept(&metadata),
            user_spans: [wire.user, wire.safety_identifier].map(|user| user.map(span)),
            ..Self::of_model(span(model_raw), output_limits)
        };
        if stream {
            (envelope.wants_usage, envelope.options) =
                match wire.stream_options.map(|raw| (raw, serde_json::from_str(raw.get()))) {
                    None => (false, StreamOptionsEdit::Insert),
                    Some((raw, Ok(Value::Null))) => {
                        (false, StreamOptionsEdit::Replace { span: span(raw), with: INCLUDE.to_owned() })
                    }
                    Some((raw, Ok(Value::Object(mut options)))) => match options.get("include_usage") {
                        Some(Value::Bool(true)) => (true, StreamOptionsEdit::Keep),
                        _ => {
                            options.insert("include_usage".to_owned(), Value::Bool(true));
                            (
                                false,
                                StreamOptionsEdit::Replace {
                                    span: span(raw),
                                    with: Value::Object(options).to_string(),
                                },
                            )
                        }
                    },
                    Some(_) => return Err(Error::invalid("stream_options", "must be an object")),
                };
        }
        Ok(envelope)
    }

    /// The body for a provider of the client's own format: the model's name is replaced, and an end user of more than
    /// `max_user` characters by a digest. All other bytes are unchanged.
    pub fn with_model(&self, body: &[u8], model: &str, max_user: Option<usize>) -> Bytes {
        let out = BytesMut::with_capacity(body.len() + model.len());
        Self::edited(out, body, 0, self.edits(body, model, max_user))
    }

    /// The body of a chat completion for a provider: as [`Self::with_model`], and usage is requested.
    pub fn rewrite(&self, body: &[u8], model: &str, max_user: Option<usize>) -> Bytes {
        let mut edits = self.edits(body, model, max_user);
        if let StreamOptionsEdit::Replace { span, with } = &self.options {
            edits.push((*span, with.clone()));
        }
        let mut out = BytesMut::with_capacity(body.len() + model.len() + 64);
        let mut from = 0;
        if matches!(self.options, StreamOptionsEdit::Insert) {
            let brace = memchr::memchr(b'{', body).unwrap_or(0);
            out.put_slice(&body[..=brace]);
            out.put_slice(b"\"stream_options\":");
            out.put_slice(INCLUDE.as_bytes());
            // the object isn't empty: it has a model
            out.put_u8(b',');
            from = brace + 1;
        }
        Self::edited(out, body, from, edits)
    }

    /// What is written in place of the model and of long names of the end user.
    fn edits(&self, body: &[u8], model: &str, max_user: Option<usize>) -> Vec<((usize, usize), String)> {
        let model = match self.form {
            Some(_) => model.to_owned(),
            None => Value::from(model).to_string(),
        };
        let mut edits = vec![(self.model_span, model)];
        let Some(max_user) = max_user else { return edits };
        for (start, end) in self.user_spans.into_iter().flatten() {
            let user: Value = serde_json::from_slice(&body[start..end]).unwrap_or_default();
            let bounded = bounded_user(user.clone(), max_user);
            if bounded != user {
                edits.push(((start, end), bounded.to_string()));
            }
        }
        edits
    }

    /// Adds the body from a position on, with the edits.
    fn edited(
        mut out: BytesMut,
        body: &[u8],
        mut from: usize,
        mut edits: Vec<((usize, usize), String)>,
    ) -> Bytes {
        edits.sort_unstable();
        for ((start, end), with) in edits {
            out.put_slice(&body[from..start]);
            out.put_slice(with.as_bytes());
            from = end;
        }
        out.put_slice(&body[from..]);
        out.freeze()
    }
}

const INCLUDE: &str = r#"{"include_usage":true}"#;

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(body: &str) -> String {
        let envelope = RequestEnvelope::read(body.as_bytes()).expect("valid");
        String::from_utf8(envelope.rewrite(body.as_bytes(), "m\"2", None).to_vec()).expect("UTF-8")
    }

    #[test]
    fn only_the_model_changes_and_every_other_byte_stays() {
        let body = r#" { "n" : 1.50, "model" :"p/m", "x_unknown":{"model":"keep"},"messages":[] }"#;
        assert_eq!(rewritten(body), body.replace(r#""p/m""#, r#""m\"2""#));
    }

    #[test]
    fn for_other_formats_only_the_model_changes() {
        let body = r#"{"stream":true, "model":"p/m","max_tokens":1}"#;
        let envelope = RequestEnvelope::read(body.as_bytes()).expect("valid");
        assert_eq!(
            &envelope.with_model(body.as_bytes(), "m2", None)[..],
            body.replace("p/m", "m2").as_bytes()
        );
    }

    #[test]
    fn a_long_name_of_the_end_user_becomes_a_digest() {
        let long = "x".repeat(65);
        let body = format!(r#"{{"user" : "{long}","model":"p/m","safety_identifier":"short","x":"{long}"}}"#);
        let envelope = RequestEnvelope::read(body.as_bytes()).expect("valid");
        assert_eq!(envelope.end_user.as_deref(), Some(long.as_str()));
        let sent = envelope.with_model(body.as_bytes(), "m", Some(64));
        let sent: Value = serde_json::from_slice(&sent).expect("JSON");
        let digest = bounded_user(long.as_str().into(), 64);
        assert_eq!(digest.as_str().map(str::len), Some(64));
        assert_eq!(
            sent,
            serde_json::json!({"user": digest, "model": "m", "safety_identifier": "short", "x": long})
        );
        assert_eq!(&envelope.rewrite(body.as_bytes(), "p/m", None)[..], body.as_bytes());
    }

    #[test]
    fn usage_is_requested_if_the_client_did_not() {
        let with = |options: &str| rewritten(&format!(r#"{{"model":"p/m","stream":true{options}}}"#));
        assert_eq!(with(""), r#"{"stream_options":{"include_usage":true},"model":"m\"2","stream":true}"#);
        let off = with(r#","stream_options":{"include_usage":false,"x":1}"#);
        assert_eq!(off, r#"{"model":"m\"2","stream":true,"stream_options":{"include_usage":true,"x":1}}"#);
        let null = with(r#","stream_options":null"#);
        assert_eq!(null, r#"{"model":"m\"2","stream":true,"stream_options":{"include_usage":true}}"#);
        let own = r#"{"model":"p/m","stream":true,"stream_options":{"include_usage":true}}"#;
        assert!(RequestEnvelope::read(own.as_bytes()).expect("valid").wants_usage);
        assert_eq!(rewritten(own), own.replace("p/m", "m\\\"2"));
    }

    #[test]
    fn the_end_user_is_read_from_the_field_of_each_format() {
        let of = |rest: &str| {
            RequestEnvelope::read(format!(r#"{{"model":"p/m",{rest}}}"#).as_bytes()).expect("valid").end_user
        };
        for body in [
            r#""user":"bob-1""#,
            r#""safety_identifier":"bob-1""#,
            r#""metadata":{"x":{"user_id":"no"},"user_id":"bob-1"}"#,
            r#""user":null,"metadata":{"user_id":"bob-1"}"#,
            r#""user":"b\u006fb-1","safety_identifier":"other""#,
        ] {
            assert_eq!(of(body).as_deref(), Some("bob-1"), "{body}");
        }
        assert_eq!(of(r#""user":17"#).as_deref(), Some("17"));
        for body in [
            r#""user":"""#,
            r#""user":{"id":1}"#,
            r#""metadata":["user_id"]"#,
            r#""metadata":null"#,
            r#""n":1"#,
        ] {
            assert_eq!(of(body), None, "{body}");
        }
    }

    #[test]
    fn the_texts_of_metadata_are_kept_within_bounds() {
        let of = |metadata: &str| {
            let body = format!(r#"{{"model":"p/m","metadata":{metadata}}}"#);
            RequestEnvelope::read(body.as_bytes()).expect("valid").metadata
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let kept = of(r#"{"user_id":"bob","plan":"pro","a":"\u00e9","n":1,"x":null,"o":{"y":"z"}}"#);
        assert_eq!(kept, [pair("a", "é"), pair("plan", "pro")]);
        let long = "x".repeat(513);
        assert_eq!(of(&format!(r#"{{"a":"{long}","{long}":"b","nul":"\u0000"}}"#)), []);
        let many: Vec<String> = (0..20).map(|number| format!(r#""k{number}":"v""#)).collect();
        assert_eq!(of(&format!("{{{}}}", many.join(","))).len(), MAX_METADATA);
        for other in ["null", "[]", "7", r#""text""#] {
            assert_eq!(of(other), [], "{other}");
        }
    }

    #[test]
    fn an_invalid_body_is_rejected_with_the_field() {
        let param =
            |body: &[u8]| RequestEnvelope::read(body).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(br#"{"messages":[]}"#), Some("model".to_owned()));
        assert_eq!(param(br#"{"model":7}"#), Some("model".to_owned()));
        assert_eq!(param(br#"{"model":"m","stream":"yes"}"#), Some("stream".to_owned()));
        assert_eq!(
            param(br#"{"model":"m","stream":true,"stream_options":[]}"#),
            Some("stream_options".to_owned())
        );
        for body in [
            &b"{"[..],
            b"[]",
            br#"["p/m", true, null]"#,
            b"\xff",
            b"{\"model\":\"\xff\"}",
            b"",
            b"{\"model\":\"a\"} x",
        ] {
            assert!(RequestEnvelope::read(body).is_err(), "{body:?}");
        }
    }
}
