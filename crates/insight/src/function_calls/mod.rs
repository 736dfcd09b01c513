//! Calls of functions, as they are read from packed trees.

mod load;
pub mod routes;
mod view;

pub use routes::FunctionCallFilter;
pub(crate) use view::CallReference;
pub use view::FunctionCallView;
