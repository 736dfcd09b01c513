//! Turns: a question, the way to its answer, and the answer.

mod ask;
mod begin;
pub mod entity;
mod event;
mod follow;
mod forget;
mod frames;
mod input;
pub(crate) mod live;
mod log;
pub mod part;
mod progress;
mod queue;
mod recover;
pub(crate) mod retention;
pub mod routes;
mod run;
mod service;
pub(crate) mod settings;
pub(crate) mod sink;
mod step;
mod view;
mod writer;

pub(crate) use forget::{forget_stream, streamed};
pub(crate) use input::{Input, Promised, SETTINGS};
pub(crate) use service::New;
