//! The gateway: OpenAI's API over any provider, with exactly-once accounting of every call.
//!
//! Belongs here: providers and prices, the path of a call, and the ledger. Does not belong here: a provider's wire
//! format (`loam-providers`), or the purpose of a call (conversation, insight).

pub mod ai_providers;
mod catalog;
mod config;
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

use loam_db::EntityShape;
use loam_platform::seal::{SealedTable, rows};

pub use config::Config;
pub use loam_providers::Usage;
pub use proxy::{Completion, ProviderTest};
pub use service::{Gateway, Parts};
pub use settings::{CALLS, CallSettings, config_keys};

/// The tables of this crate with sealed values.
pub fn sealed() -> Vec<Box<dyn SealedTable>> {
    vec![rows::<ai_providers::entity::Entity>()]
}

/// The entities of this crate.
pub fn entities() -> Vec<EntityShape> {
    vec![
        EntityShape::of::<ai_providers::entity::Entity>(),
        EntityShape::of::<model_prices::entity::Entity>(),
        EntityShape::of::<model_routes::entity::Entity>(),
        EntityShape::of::<limits::entity::Entity>(),
        EntityShape::of::<usage::entity::Entity>(),
        EntityShape::of::<llm_calls::entity::Entity>(),
        EntityShape::of::<tool_calls::entity::Entity>(),
    ]
}
