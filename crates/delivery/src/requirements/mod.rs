//! Requirements: what somebody wants, in their own words, and the analysis of it.

mod analysis;
pub mod entity;
pub(crate) mod routes;
mod service;

#[cfg(test)]
pub(crate) use service::RequirementContent;
