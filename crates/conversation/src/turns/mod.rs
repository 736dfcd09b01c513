//! Turns: a question and its answer.

mod begin;
pub mod entity;
mod event;
mod follow;
mod frames;
mod input;
pub(crate) mod live;
mod log;
mod model_call;
pub mod part;
mod progress;
mod purge;
mod queue;
mod recover;
pub(crate) mod retention;
pub mod routes;
mod run;
mod service;
pub(crate) mod settings;
mod settings_schema;
pub(crate) mod sink;
mod step;
pub(crate) mod stored;
mod stored_event;
mod stream_event;
mod view;
mod writer;

pub(crate) use input::{Input, ReservedMessage, SETTINGS};
pub(crate) use purge::{purge_stream, rendered_stream};
pub(crate) use service::NewTurn;
