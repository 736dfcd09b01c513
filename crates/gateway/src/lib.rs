//! The gateway: OpenAI's API over any provider, with exactly-once accounting of every call.
//!
//! Belongs here: providers and prices, the path of a call, and the ledger. Does not belong here: a provider's wire
//! format (`loam-providers`), or the purpose of a call (conversation, insight).

pub mod ai_providers;
mod catalog;
mod config;
mod domain;
mod exchanges;
mod external_calls;
pub mod hook;
pub mod limits;
pub mod llm_calls;
pub mod model_prices;
pub mod model_routes;
pub mod personal;
mod proxy;
mod service;
mod settings;
pub mod tool_calls;
pub mod usage;

pub use config::Config;
pub use loam_providers::Usage;
pub use proxy::{ChatStream, ProviderTest, Proxy, interrupted};
pub use service::{Gateway, Parts};
pub use settings::{CALLS, CallSettings};
