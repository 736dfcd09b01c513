//! Extractors of the authenticated caller and of `If-Match`.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use loam_kernel::{Error, ExpectedVersion, Kind, Scope};

use super::ApiError;

/// The caller. The authentication layer sets the scope; a route without the layer returns 401.
#[derive(Debug)]
pub struct Caller(pub Scope);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        // removed, as each request is handled once
        let scope = parts.extensions.remove::<Scope>();
        scope.map(Self).ok_or_else(|| {
            Error::new(
                Kind::Unauthenticated,
                "missing_credential",
                "send an API key: `Authorization: Bearer loam_…`",
            )
            .into()
        })
    }
}

/// The version that the client expects, from `If-Match`; any, when the client sent none.
#[derive(Debug)]
pub struct IfMatch(pub ExpectedVersion);

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let tags = parts.headers.get(header::IF_MATCH).map(|value| value.to_str().map(str::to_owned));
        let tags = tags.transpose().map_err(|_| Error::invalid("If-Match", "must be an entity tag"))?;
        Ok(Self(tags.map_or_else(ExpectedVersion::any, ExpectedVersion::tags)))
    }
}
