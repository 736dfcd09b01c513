//! What every route shares: the error format, validated input, entity tags.

mod body;
mod caller;
mod error;
mod intake;
mod patch;
mod replay_body;
mod scan;
mod tagged;

pub use body::{Body, Json, Path, Query, read_json, refuse_heavy, refuse_nul};
pub use caller::{Caller, IfMatch};
pub use error::{
    ApiError, ApiResult, ErrorBody, ErrorDetail, ErrorFormat, error_body, rejected_as_error, render_error,
};
pub use intake::{BodyRefused, chunks, read_at_most, unreadable};
pub use patch::present;
pub use replay_body::ReplayBody;
pub use tagged::{Tagged, created};
