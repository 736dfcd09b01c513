//! The error format, `{"error": {code, message, type, param, request_id}}`, which is compatible with OpenAI's clients.

use std::sync::Arc;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use loam_kernel::{Error, Kind, TenantId};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of a handler.
pub type ApiResult<T> = Result<T, ApiError>;

/// An error response.
#[derive(Debug)]
pub struct ApiError(Error);

impl<E: Into<Error>> From<E> for ApiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub struct ErrorBody<'a> {
    /// The error.
    pub error: ErrorDetail<'a>,
}

/// The error.
#[derive(Serialize, ToSchema)]
pub struct ErrorDetail<'a> {
    /// Stable code for programs.
    pub code: &'a str,
    /// Message for people.
    pub message: &'a str,
    /// The class of the error, in OpenAI's terms.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// The invalid field.
    pub param: Option<&'a str>,
    /// Id of this request in the server's log.
    pub request_id: &'a str,
}

impl IntoResponse for ApiError {
    /// Sets only the status and the error: [`render_error`] writes the body, as it knows the request's id.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(Arc::new(self.0));
        response
    }
}

fn class(error: &Error) -> &'static str {
    match (error.kind(), error.status()) {
        (_, 401) => "authentication_error",
        (_, 403) => "permission_error",
        (_, 429) => "rate_limit_error",
        (Kind::Internal | Kind::BadGateway | Kind::Unavailable | Kind::Timeout, _) | (_, 500..) => {
            "server_error"
        }
        _ => "invalid_request_error",
    }
}

/// The body of an error in the standard format.
pub fn error_body(error: &Error, request_id: &str) -> Vec<u8> {
    let body = ErrorBody {
        error: ErrorDetail {
            code: error.code(),
            message: error.message(),
            kind: class(error),
            param: error.param(),
            request_id,
        },
    };
    serde_json::to_vec(&body).unwrap_or_default()
}

/// The error format of a protocol.
#[derive(Clone, Debug)]
pub struct ErrorFormat {
    /// The content type of the body.
    pub content_type: HeaderValue,
    /// The body, from the error and the request's id.
    pub body: fn(&Error, &str) -> Vec<u8>,
}

impl ErrorFormat {
    /// A JSON format.
    pub fn json(body: fn(&Error, &str) -> Vec<u8>) -> Self {
        Self { content_type: HeaderValue::from_static("application/json"), body }
    }
}

/// Writes an error in the format of the request's protocol (the default is [`error_body`]), and logs server errors once,
/// with their causes. Other responses are not changed. The tenant is the caller's, nil if unknown.
pub fn render_error(
    response: Response,
    request_id: &str,
    tenant: TenantId,
    method: &Method,
    path: &str,
    format: ErrorFormat,
) -> Response {
    let Some(error) = response.extensions().get::<Arc<Error>>().cloned() else { return response };
    if matches!(error.kind(), Kind::Internal | Kind::BadGateway | Kind::Unavailable | Kind::Timeout) {
        let causes = std::iter::successors(std::error::Error::source(&*error), |cause| cause.source());
        let cause = causes.map(ToString::to_string).collect::<Vec<_>>().join("\n");
        let tenant = (tenant != TenantId::NIL).then(|| tenant.to_string());
        tracing::error!(
            request.id = request_id,
            tenant.id = tenant,
            http.method = %method,
            url.path = path,
            error.code = error.code(),
            error.message = error.message(),
            error.cause = (!cause.is_empty()).then_some(cause),
            "request failed"
        );
    }
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(header::CONTENT_TYPE, format.content_type);
    if let Some(after) = error.retry_after() {
        parts.headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
    }
    if parts.status == StatusCode::UNAUTHORIZED {
        parts.headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    parts.headers.remove(header::CONTENT_LENGTH);
    Response::from_parts(parts, (format.body)(&error, request_id).into())
}

/// Converts axum's own rejections (an unknown path, a wrong method) into the error format.
pub fn rejected_as_error(status: StatusCode) -> ApiError {
    ApiError(match status {
        StatusCode::METHOD_NOT_ALLOWED => {
            Error::new(Kind::Invalid, "method_not_allowed", "this path does not support this method")
                .with_status(405)
        }
        _ => Error::new(Kind::NotFound, "unknown_path", "there is nothing at this path; see /docs"),
    })
}
