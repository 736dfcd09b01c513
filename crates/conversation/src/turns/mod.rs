//! Turns: a question, the way to its answer, and the answer.

pub mod entity;
pub mod part;
