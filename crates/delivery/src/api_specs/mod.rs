//! API specifications: OpenAPI documents, made from technical designs or imported.

pub mod entity;
pub(crate) mod routes;
mod service;
mod validate;

#[cfg(test)]
pub(crate) use service::SpecContent;
