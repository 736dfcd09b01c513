//! Delivery: what an application is to do, from a sentence to an API specification.
//!
//! Belongs here: requirements, product requirements documents, technical designs and API specifications, with their
//! versions and their status. Does not belong here: projects (`loam-identity`), calls to models (`loam-gateway`), or what
//! is measured of the running application (`loam-insight`).

mod api_specs;
mod document_versions;
mod documents;
mod domain;
mod personal;
mod prd_docs;
mod requirements;
mod service;
mod tech_designs;

pub use service::Delivery;
