//! A decrypted configuration.

use serde::Deserialize;
use zeroize::Zeroizing;

/// A provider's configuration. Fields that a kind doesn't use are not in its schema, and so never set.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Config {
    /// The base URL, without the paths of the API.
    pub base_url: String,
    /// The API key.
    #[serde(default)]
    pub api_key: Option<Zeroizing<String>>,
    /// More keys, used in rotation with the first; a rejected or exhausted key is skipped for a while.
    #[serde(default)]
    pub api_keys: Vec<Zeroizing<String>>,
    /// The models it offers, if it can't be queried.
    #[serde(default)]
    pub models: Vec<String>,
    /// OpenAI's organisation.
    #[serde(default)]
    pub organization: Option<String>,
    /// OpenAI's project.
    #[serde(default)]
    pub project: Option<String>,
    /// The token limit that Anthropic is sent when the client sets none.
    #[serde(default)]
    pub max_tokens: Option<u64>,
    /// How `reasoning_effort` is translated for Anthropic.
    #[serde(default)]
    pub thinking: Thinking,
    /// For which models a translated request has a `reasoning_effort`.
    #[serde(default)]
    pub reasoning_effort: ReasoningEffort,
    /// Names of Anthropic's beta features.
    #[serde(default)]
    pub betas: Vec<String>,
    /// Whether a Dify application is an agent, which only streams.
    #[serde(default)]
    pub agent: bool,
    /// How requests to the Responses API are sent to a server of OpenAI's format.
    #[serde(default)]
    pub responses: ResponsesApi,
    /// Seconds until the first byte of the response.
    #[serde(default)]
    pub first_byte_timeout: Option<u64>,
    /// Seconds without a byte, after the first.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
}

/// How requests to the Responses API are sent to a server of OpenAI's format.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResponsesApi {
    /// Unchanged: the server has this API.
    #[default]
    Native,
    /// As chat completions.
    Translated,
}

/// For which models a translated request has a `reasoning_effort`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ReasoningEffort {
    /// For those that are known by their names to accept it.
    #[default]
    Auto,
    /// For all.
    Always,
    /// For none.
    Never,
}

/// How `reasoning_effort` is translated for Anthropic's models.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Thinking {
    /// By the model's name.
    #[default]
    Auto,
    /// As an effort, for models since Claude 4.6.
    Adaptive,
    /// As a token budget, for earlier models.
    Budget,
    /// It is dropped.
    Off,
}
