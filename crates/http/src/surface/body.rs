//! Extractors that refuse bad input with the field named.

use std::borrow::Cow;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use loam_kernel::{Error, Kind};
use serde::de::DeserializeOwned;

use super::{ApiError, read_at_most, scan};

/// JSON of fewer bytes is not heavy, whatever is in it.
const LIGHT: usize = 256 << 10;
/// The most values of a body.
const MAX_VALUES: usize = 1 << 20;
/// The most characters of what a client wrote that an error repeats.
const MAX_SAID: usize = 300;

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
    // a struct can also be read from an array, whose items would be taken for its fields in order
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(invalid("the body must be a JSON object, not an array".to_owned()));
    }
    let json = &mut serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut *json).map_err(|e| {
        fault("invalid_json", "the body is not what is expected", e.path(), &e.inner().to_string())
    })?;
    json.end().map_err(|e| invalid(format!("the body goes on after its JSON: {e}")))?;
    Ok(value)
}

/// The error for what serde says, with the field named.
fn fault(code: &'static str, what: &str, path: &serde_path_to_error::Path, said: &str) -> Error {
    let path = path.to_string();
    let mut param = (path != ".").then_some(path);
    // serde counts such a field to its parent
    let named = ["missing field `", "duplicate field `"]
        .iter()
        .find_map(|before| said.strip_prefix(before)?.split_once('`'));
    if let Some((name, _)) = named {
        param = Some(match param {
            Some(path) if path != name => format!("{path}.{name}"),
            _ => name.to_owned(),
        });
    }
    let error = Error::new(Kind::Invalid, code, format!("{what}: {}", shortened(in_words(said))));
    match param {
        Some(param) => error.with_param(shortened(&param)),
        None => error,
    }
}

/// The beginning of what may repeat all that a client wrote.
fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(MAX_SAID) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// What the parsers of times and numbers say is meant for programmers.
fn in_words(said: &str) -> &str {
    const TIME: [&str; 5] = [
        "input contains invalid",
        "premature end of input",
        "input is out of range",
        "input is not enough",
        "trailing input",
    ];
    const NUMBER: [&str; 2] = ["invalid digit found", "cannot parse integer"];
    let begins = |with: &[&str]| with.iter().any(|with| said.starts_with(with));
    if begins(&TIME) {
        "must be a time such as 2026-01-31T12:00:00Z"
    } else if begins(&NUMBER) {
        "must be a whole number"
    } else {
        said
    }
}

/// Refuses JSON with a NUL, naming its place. PostgreSQL can't store a NUL in text or in JSON, so none comes in; on SQLite neither, as both must behave alike.
pub fn refuse_nul(bytes: &[u8]) -> Result<(), Error> {
    match scan::nul_path(bytes) {
        Some(path) => Err(Error::invalid(path, "must not contain a NUL character")),
        None => Ok(()),
    }
}

/// Refuses JSON that would take many times its length in memory once it is read.
///
/// # Errors
/// 413 `too_many_values`.
pub fn refuse_heavy(bytes: &[u8]) -> Result<(), Error> {
    if bytes.len() > LIGHT && scan::is_heavy(bytes, MAX_VALUES) {
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
            .map_err(|e| fault("invalid_query", "query parameter", e.path(), &e.inner().to_string()))?;
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

/// JSON as it came, for what is passed on. It is read on the way for some providers, so it must not be heavy. How large it may be, and how long it may take, is set at the edge of the
/// server, for every route alike.
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
