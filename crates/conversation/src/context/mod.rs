//! Builds the prompt of a model call: the system prompt, and as much of the conversation as fits.

mod build;
mod path;
mod segments;
pub(crate) mod settings;
pub mod summaries;
mod summary;

pub(crate) use build::PromptParams;

use std::sync::Arc;

use loam_db::Db;
use loam_gateway::Proxy;
use loam_kernel::Clock;
use loam_platform::system_config::LiveConfig;

use crate::chat_sessions::Sessions;
use settings::ContextSettings;

/// Builds prompts. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Prompts(pub(crate) Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) clock: Clock,
    /// Summarizes what doesn't fit.
    pub(crate) proxy: Proxy,
    pub(crate) settings: LiveConfig<ContextSettings>,
    pub(crate) sessions: Sessions,
}
