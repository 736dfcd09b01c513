//! Extractors that refuse bad input with the field named.

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use futures_util::{Stream, TryStreamExt};
use http_body_util::LengthLimitError;
use loam_kernel::{Error, Kind};
use memchr::memmem;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::ApiError;

/// A JSON body.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let Body(bytes) = Body::from_request(request, state).await?;
        Ok(Self(read_json(&bytes)?))
    }
}

/// Reads a JSON object from bytes, as [`Json`] does from a request.
///
/// # Errors
/// 400 `invalid_json`, with the field named.
pub fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    let invalid = |message: String| Error::new(Kind::Invalid, "invalid_json", message);
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
    let error = Error::new(Kind::Invalid, code, format!("{what}: {}", in_words(said)));
    match param {
        Some(param) => error.with_param(param),
        None => error,
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
    if memmem::find(bytes, b"\\u0000").is_none() {
        return Ok(());
    }
    // the six characters may themselves be escaped, so only now is it worth looking closely
    let Ok(value) = serde_json::from_slice::<Value>(bytes) else { return Ok(()) };
    match nul_in(&value, String::new()) {
        Some(path) => Err(Error::invalid(path, "must not contain a NUL character")),
        None => Ok(()),
    }
}

fn nul_in(value: &Value, path: String) -> Option<String> {
    match value {
        Value::String(text) => text.contains('\0').then_some(path),
        Value::Array(items) => {
            items.iter().enumerate().find_map(|(i, item)| nul_in(item, format!("{path}[{i}]")))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if name.contains('\0') { Some(path) } else { nul_in(value, path) }
        }),
        _ => None,
    }
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

/// A body as it came, for what is passed on. How large it may be, and how long it may take, is set at the edge of the
/// server, for every route alike.
#[derive(Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, _: &S) -> Result<Self, ApiError> {
        to_bytes(request.into_body(), usize::MAX).await.map(Self).map_err(|e| unreadable(&e).into())
    }
}

/// The body of a request in the pieces in which it arrives, for what is taken piece by piece.
pub fn chunks(body: axum::body::Body) -> impl Stream<Item = Result<Bytes, Error>> + Unpin {
    body.into_data_stream().map_err(|e| unreadable(&e))
}

/// Reads a body of at most `max` bytes, where the server's own limit is wider than what the route takes.
///
/// # Errors
/// 413 `body_too_large`, 400 `body_unreadable`.
pub async fn read_at_most(body: axum::body::Body, max: usize) -> Result<Bytes, Error> {
    to_bytes(body, max).await.map_err(|e| unreadable(&e))
}

fn unreadable(error: &axum::Error) -> Error {
    let mut causes = std::iter::successors(Some(error as &(dyn std::error::Error + 'static)), |e| e.source());
    if causes.any(|cause| cause.is::<LengthLimitError>()) {
        return Error::new(Kind::TooLarge, "body_too_large", "the body is larger than this server takes");
    }
    Error::new(Kind::Invalid, "body_unreadable", "the body could not be read, or took too long")
}
