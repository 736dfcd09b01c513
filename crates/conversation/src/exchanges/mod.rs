//! What is said in calls that name a session: the gateway tells of it, and it is kept as messages.

mod keep;
mod later;
mod matching;
#[cfg(test)]
pub(crate) mod tests;
mod window;

pub(crate) use later::{KeepExchange, UnkeptSink};
