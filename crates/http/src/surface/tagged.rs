//! Responses with an entity tag.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use loam_kernel::etag;
use serde::Serialize;

/// A resource with its version, as JSON with an `ETag`.
#[derive(Debug)]
pub struct Tagged<T> {
    status: StatusCode,
    updated_at: DateTime<Utc>,
    body: T,
}

impl<T> Tagged<T> {
    /// A resource with its current version.
    pub fn new(updated_at: DateTime<Utc>, body: T) -> Self {
        Self { status: StatusCode::OK, updated_at, body }
    }
}

/// A new resource: 201.
pub fn created<T>(updated_at: DateTime<Utc>, body: T) -> Tagged<T> {
    Tagged { status: StatusCode::CREATED, updated_at, body }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = (self.status, axum::Json(self.body)).into_response();
        if let Ok(tag) = HeaderValue::from_str(&etag(self.updated_at)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}
