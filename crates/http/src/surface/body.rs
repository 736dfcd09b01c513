//! Extractors whose errors name the invalid field.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use loam_kernel::{Error, Kind};
use serde::de::DeserializeOwned;

use super::{ApiError, read_at_most, scan};

/// Smaller JSON is never checked for its number of values.
const HEAVY_CHECK_MIN_BYTES: usize = 256 << 10;
/// Maximum number of values in a body.
const MAX_VALUES: usize = 1 << 20;
/// Maximum number of the client's characters that an error repeats.
const MAX_ECHOED: usize = 300;

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        Ok(Self(read_json(&read_at_most(request.into_body(), usize::MAX).await?)?))
    }
}

/// Reads a JSON object from bytes, as [`Json`] does from a request.
///
/// # Errors
/// 400 `invalid_json`, with the field named.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let invalid = |message: String| Error::new(Kind::Invalid, "invalid_json", message);
    refuse_heavy(bytes)?;
    refuse_nul(bytes)?;
    // serde also deserializes a struct from an array, by the order of its fields
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(invalid("the body must be a JSON object, not an array".to_owned()));
    }
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *json)
        .map_err(|e| parse_error("invalid_json", "invalid body", e.path(), &e.inner().to_string()))?;
    json.end().map_err(|e| invalid(format!("unexpected data after the JSON body: {e}")))?;
    Ok(value)
}

/// Converts an error of serde, naming the field.
fn parse_error(code: &'static str, what: &str, path: &serde_path_to_error::Path, detail: &str) -> Error {
    let path = path.to_string();
    let mut param = (path != ".").then_some(path);
    // serde reports such a field with the path of its parent
    let named = ["missing field `", "duplicate field `"]
        .iter()
        .find_map(|before| detail.strip_prefix(before)?.split_once('`'));
    if let Some((name, _)) = named {
        param = Some(match param {
            Some(path) if path != name => format!("{path}.{name}"),
            _ => name.to_owned(),
        });
    }
    let error = Error::new(Kind::Invalid, code, format!("{what}: {}", shortened(plain_message(detail))));
    match param {
        Some(param) => error.with_param(shortened(&param)),
        None => error,
    }
}

/// Truncates a text that may repeat the client's input.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_ECHOED) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Replaces the technical messages of the parsers for times and numbers.
fn plain_message(detail: &str) -> &str {
    const TIME: [&str; 5] = [
        "input contains invalid",
        "premature end of input",
        "input is out of range",
        "input is not enough",
        "trailing input",
    ];
    const NUMBER: [&str; 2] = ["invalid digit found", "cannot parse integer"];
    let begins = |with: &[&str]| with.iter().any(|with| detail.starts_with(with));
    if begins(&TIME) {
        "must be a time such as 2026-01-31T12:00:00Z"
    } else if begins(&NUMBER) {
        "must be a whole number"
    } else {
        detail
    }
}

/// Rejects JSON with a NUL, naming its path. PostgreSQL can't store a NUL in text or JSON; SQLite could, but both must
/// behave alike.
pub fn refuse_nul(bytes: &[u8]) -> Result<(), Error> {
    match scan::nul_path(bytes) {
        Some(path) => Err(Error::invalid(path, "must not contain a NUL character")),
        None => Ok(()),
    }
}

/// Rejects JSON that would take many times its length in memory when it is parsed.
///
/// # Errors
/// 413 `too_many_values`.
pub fn refuse_heavy(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > HEAVY_CHECK_MIN_BYTES && scan::is_heavy(bytes, MAX_VALUES) {
        let message = format!("the body has more than {MAX_VALUES} values (an object counts as sixteen)");
        return Err(Error::new(Kind::TooLarge, "too_many_values", message));
    }
    Ok(())
}

/// Query parameters.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let query = parts.uri.query().unwrap_or_default();
        let fields = serde_urlencoded::Deserializer::new(form_urlencoded::parse(query.as_bytes()));
        let value: T = serde_path_to_error::deserialize(fields)
            .map_err(|e| parse_error("invalid_query", "query parameter", e.path(), &e.inner().to_string()))?;
        if let Some((name, _)) =
            form_urlencoded::parse(query.as_bytes()).find(|(_, value)| value.contains('\0'))
        {
            let error = Error::new(Kind::Invalid, "invalid_query", "must not contain a NUL character");
            return Err(error.with_param(name).into());
        }
        Ok(Self(value))
    }
}

/// The id in a path.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(value)| Self(value))
            .map_err(|_| Error::invalid("id", "must be a UUID").into())
    }
}

/// Unparsed JSON, for requests that are passed through. For some providers it is parsed later, so the number of values is
/// limited. The edge of the server limits the size and duration, for every route.
#[derive(Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        let bytes = read_at_most(request.into_body(), usize::MAX).await?;
        refuse_heavy(&bytes)?;
        Ok(Self(bytes))
    }
}
