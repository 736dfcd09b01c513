//! Product requirements documents (PRDs), which are made from requirements.

pub mod entity;
pub(crate) mod routes;
mod service;

#[cfg(test)]
pub(crate) use service::PrdContent;
