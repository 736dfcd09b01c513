//! Technical designs, which are made from PRDs.

mod content;
pub mod entity;
pub(crate) mod routes;
mod service;

#[cfg(test)]
pub(crate) use content::DesignContent;
