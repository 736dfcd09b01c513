//! What every route shares: one error shape, checked input, entity tags.

mod body;
mod caller;
mod error;
mod etag;
mod patch;
mod repeated;

pub use body::{Body, Json, Path, Query, chunks, read_at_most, read_json, refuse_nul};
pub use caller::{Caller, IfMatch};
pub use error::{
    ApiError, ApiResult, ErrorBody, ErrorDetail, Shape, error_body, rejected_as_error, render_error,
};
pub use etag::{Tagged, created, etag, next_version};
pub use patch::present;
pub use repeated::Repeated;
