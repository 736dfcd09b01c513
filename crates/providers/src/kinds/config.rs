//! A configuration, opened and ready for use.

use serde::Deserialize;
use zeroize::Zeroizing;

/// A provider's configuration. What a kind has no use for is not in its schema, and so never set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// Where it is, up to but without the paths of its API.
    pub base_url: String,
    /// What it wants to see.
    #[serde(default)]
    pub api_key: Option<Zeroizing<String>>,
    /// More keys, used in turn with the first; one that is refused or used up rests for a while.
    #[serde(default)]
    pub api_keys: Vec<Zeroizing<String>>,
    /// The models it offers, when it can't be asked.
    #[serde(default)]
    pub models: Vec<String>,
    /// OpenAI's organisation.
    #[serde(default)]
    pub organization: Option<String>,
    /// OpenAI's project.
    #[serde(default)]
    pub project: Option<String>,
    /// Tokens that an answer of Anthropic's may have when the client sets no limit.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// How Anthropic is told how much to think.
    #[serde(default)]
    pub thinking: Option<Thinking>,
    /// Names of Anthropic's features that are still being tried out.
    #[serde(default)]
    pub betas: Vec<String>,
    /// Whether a Dify application is an agent, which answers in streams alone.
    #[serde(default)]
    pub agent: bool,
    /// Seconds until the answer begins.
    #[serde(default)]
    pub first_byte_timeout: Option<u64>,
    /// Seconds without a byte, once it has begun.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
}

/// How Anthropic's models are told how much to think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// By an effort, as all models since Claude 4.6 want it.
    #[default]
    Adaptive,
    /// By a number of tokens, as models before want it.
    Budget,
    /// Not at all.
    Off,
}
