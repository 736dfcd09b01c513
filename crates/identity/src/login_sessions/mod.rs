//! Log-in sessions: browsers in which somebody is logged in.

pub mod entity;
pub mod routes;
pub mod service;
