//! Login sessions: users' logged-in browsers.

pub mod entity;
pub mod routes;
pub mod service;
