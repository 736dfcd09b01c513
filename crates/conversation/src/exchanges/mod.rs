//! Records the messages of model calls that name a session. The gateway reports the calls.

mod deferred;
mod matching;
mod recorder;
#[cfg(test)]
pub(crate) mod tests;
mod window;

pub(crate) use deferred::{DEFERRED_EXCHANGE_FRAME, DeferredExchangeSink, RecordExchange};
