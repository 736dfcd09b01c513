//! The wire formats of model providers and of their clients, without database or network.
//!
//! Belongs here: what a provider's configuration looks like, how its requests are written and its answers are read, and
//! how one format becomes another.
//! Does not belong here: choosing a provider, sending, accounting.

mod anthropic;
mod assemble;
mod body;
mod count;
mod deepseek;
mod dify;
mod feature;
mod kinds;
mod ollama;
pub mod openai;
mod piece;
mod qwen;
mod said;
mod sse;
mod text;
mod tokens;
mod usage;
mod wire;

pub use anthropic::anthropic_error;
pub use assemble::assemble;
pub use count::count_prompt;
pub use feature::Feature;
pub use kinds::{Config, KINDS, KindInfo, Thinking, kind};
pub use said::{Finish, Said, Speaker, answered, asked};
pub use text::{completion_text, prompt_text};
pub use tokens::count_tokens;
pub use usage::Usage;
pub use wire::{Ask, Endpoint, Forward, Outgoing, Reader, Whole, Wire};

pub(crate) use anthropic::Ways;
