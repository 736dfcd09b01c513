//! The functions that took the most of a record.

pub mod entity;
