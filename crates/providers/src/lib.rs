//! The wire formats of model providers, a file each, without database or network.
//!
//! Belongs here: what a provider's configuration looks like, how its requests are written and its answers are read.
//! Does not belong here: choosing a provider, sending, accounting.

mod kinds;
pub mod openai;
mod tokens;
mod usage;
mod wire;

pub use kinds::{Config, KINDS, KindInfo, kind};
pub use tokens::count_tokens;
pub use usage::Usage;
pub use wire::{Ask, Endpoint, Forward, Outgoing, Reader, Whole, Wire};
