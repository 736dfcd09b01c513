//! Extractors that refuse bad input with the field named.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
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
        let bytes = Bytes::from_request(request, state).await.map_err(|e| unreadable(&e))?;
        refuse_nul(&bytes)?;
        let json = &mut serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut *json).map_err(|e| {
            let path = e.path().to_string();
            let error = Error::new(Kind::Invalid, "invalid_json", format!("the body is not what is expected: {}", e.inner()));
            if path == "." { error } else { error.with_param(path) }
        })?;
        json.end().map_err(|e| Error::new(Kind::Invalid, "invalid_json", format!("the body goes on after its JSON: {e}")))?;
        Ok(Self(value))
    }
}

/// Turns axum's refusal of a body into the one error.
pub(crate) fn unreadable(rejection: &axum::extract::rejection::BytesRejection) -> Error {
    match rejection.status().as_u16() {
        413 => Error::new(Kind::TooLarge, "body_too_large", "the body is larger than this server takes"),
        _ => Error::new(Kind::Invalid, "body_unreadable", "the body could not be read"),
    }
}

/// PostgreSQL can't store a NUL in text or in JSON, so none comes in; on SQLite neither, as both must behave alike.
fn refuse_nul(bytes: &[u8]) -> Result<(), Error> {
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
        Value::Array(items) => items.iter().enumerate().find_map(|(i, item)| nul_in(item, format!("{path}[{i}]"))),
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
        let value: T = serde_path_to_error::deserialize(fields).map_err(|e| {
            let path = e.path().to_string();
            let error = Error::new(Kind::Invalid, "invalid_query", format!("query parameter: {}", e.inner()));
            if path == "." { error } else { error.with_param(path) }
        })?;
        if form_urlencoded::parse(query.as_bytes()).any(|(_, value)| value.contains('\0')) {
            return Err(Error::new(Kind::Invalid, "invalid_query", "must not contain a NUL character").into());
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

/// A body as it came, for what is passed on.
#[derive(Debug)]
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        Bytes::from_request(request, state).await.map(Self).map_err(|e| unreadable(&e).into())
    }
}
