//! The kinds of provider, and the schema of each one's configuration.

mod config;
mod schema;
mod validation;

use std::sync::LazyLock;

use jsonschema::Validator;
use loam_kernel::{Error, Result};
use serde_json::Value;

pub use config::{Config, ReasoningEffort, ResponsesApi, Thinking};

use crate::Wire;
use crate::anthropic::Anthropic;
use crate::deepseek::DEEPSEEK;
use crate::dify::Dify;
use crate::ollama::OLLAMA;
use crate::openai::OPENAI;
use crate::qwen::QWEN;

/// A kind of provider.
pub struct KindInfo {
    /// The value of `ai_providers.kind`.
    pub name: &'static str,
    /// The display name.
    pub display_name: &'static str,
    /// JSON Schema of the configuration. A property with `"writeOnly": true` is a secret, and is stored sealed; so is
    /// each item of a list whose items are `"writeOnly": true`.
    pub config_schema: LazyLock<Value>,
    validator: LazyLock<Validator>,
    /// Its wire protocol.
    pub wire: &'static dyn Wire,
}

/// A kind from its name, display name, schema and wire protocol.
macro_rules! kind {
    ($name:literal, $display_name:literal, $schema:path, $wire:expr) => {
        KindInfo {
            name: $name,
            display_name: $display_name,
            config_schema: LazyLock::new($schema),
            validator: LazyLock::new(|| {
                jsonschema::options()
                    .should_validate_formats(true)
                    .build(&$schema())
                    .expect("the schema is built in: a test builds it")
            }),
            wire: $wire,
        }
    };
}

/// Every kind.
pub static KINDS: [KindInfo; 6] = [
    kind!("openai", "OpenAI", schema::openai, &OPENAI),
    kind!("anthropic", "Anthropic", schema::anthropic, &Anthropic),
    kind!("qwen", "Qwen", schema::qwen, &QWEN),
    kind!("deepseek", "DeepSeek", schema::deepseek, &DEEPSEEK),
    kind!("ollama", "Ollama", schema::ollama, &OLLAMA),
    kind!("dify", "Dify", schema::dify, &Dify),
];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl KindInfo {
    /// Fills in defaults, then rejects what the schema doesn't allow, with the path of the error.
    pub fn check(&self, mut config: Value) -> Result<Value> {
        if let Some(fields) = config.as_object_mut() {
            for (name, schema) in self.properties().filter(|(_, schema)| schema["type"] == "string") {
                if let Some(default) = schema.get("default") {
                    fields.entry(name.clone()).or_insert_with(|| default.clone());
                }
            }
        }
        if let Some(error) = self.validator.iter_errors(&config).next() {
            let (path, message) = validation::describe(&error);
            return Err(Error::invalid(format!("config{path}"), message));
        }
        Ok(config)
    }

    /// The names of the properties that are secrets.
    pub fn secrets(&self) -> Vec<&str> {
        self.properties()
            .filter(|(_, schema)| schema["writeOnly"] == true)
            .map(|(name, _)| name.as_str())
            .collect()
    }

    /// The names of the properties that are lists of secrets.
    pub fn secret_lists(&self) -> Vec<&str> {
        let lists = self.properties().filter(|(_, schema)| schema["items"]["writeOnly"] == true);
        lists.map(|(name, _)| name.as_str()).collect()
    }

    fn properties(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.config_schema["properties"].as_object().into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
