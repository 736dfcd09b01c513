//! Function calls: the spans of stored traces, as the API shows them.

mod load;
pub mod routes;
mod view;

pub use routes::FunctionCallFilter;
pub(crate) use view::CallReference;
pub use view::FunctionCallView;
