//! The kinds of provider, and what the configuration of each looks like.

use std::sync::LazyLock;

use jsonschema::Validator;
use loam_kernel::{Error, Result};
use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::Wire;
use crate::openai::OpenAi;

/// A kind of provider.
pub struct KindInfo {
    /// What `ai_providers.kind` says.
    pub name: &'static str,
    /// What people call it.
    pub display_name: &'static str,
    /// JSON Schema of the configuration. A property with `"writeOnly": true` is a secret, and is kept sealed.
    pub config_schema: LazyLock<Value>,
    validator: LazyLock<Validator>,
    /// How it is spoken to.
    pub wire: &'static dyn Wire,
}

/// A provider's configuration, opened and ready for use.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Where it is, up to but without `/chat/completions`.
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
    /// Seconds until the answer begins.
    #[serde(default)]
    pub first_byte_timeout: Option<u64>,
    /// Seconds without a byte, once it has begun.
    #[serde(default)]
    pub idle_timeout: Option<u64>,
}

fn openai_schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OpenAI, or any server that speaks its API",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "base_url": {
                "type": "string", "format": "uri", "maxLength": 2000, "default": "https://api.openai.com/v1",
                "description": "where it is, up to but without `/chat/completions`"
            },
            "api_key": {
                "type": "string", "minLength": 1, "maxLength": 4000, "writeOnly": true, "pattern": "^[!-~]+$",
                "description": "sent as a Bearer token; leave it out for a server that wants none"
            },
            "models": {
                "type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 200}, "maxItems": 1000,
                "description": "the models it offers; asked of the provider when left out"
            },
            "organization": {"type": "string", "maxLength": 200, "pattern": "^[!-~]+$", "description": "sent as OpenAI-Organization"},
            "project": {"type": "string", "maxLength": 200, "pattern": "^[!-~]+$", "description": "sent as OpenAI-Project"},
            "first_byte_timeout": {
                "type": "integer", "minimum": 1, "maximum": 3600, "default": 300,
                "description": "seconds until the answer begins"
            },
            "idle_timeout": {
                "type": "integer", "minimum": 1, "maximum": 3600, "default": 120,
                "description": "seconds without a byte, once the answer has begun"
            }
        }
    })
}

/// Every kind.
pub static KINDS: [KindInfo; 1] = [KindInfo {
    name: "openai",
    display_name: "OpenAI",
    config_schema: LazyLock::new(openai_schema),
    validator: LazyLock::new(|| {
        jsonschema::options()
            .should_validate_formats(true)
            .build(&openai_schema())
            .expect("the schema above is valid: a test builds it")
    }),
    wire: &OpenAi,
}];

/// The kind of this name.
pub fn kind(name: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|kind| kind.name == name)
}

impl KindInfo {
    /// Fills in defaults, then refuses what the schema doesn't allow, naming the path of the fault.
    pub fn check(&self, mut config: Value) -> Result<Value> {
        if let (Some(fields), Some(properties)) =
            (config.as_object_mut(), self.config_schema["properties"].as_object())
        {
            for (name, schema) in properties.iter().filter(|(_, schema)| schema["type"] == "string") {
                if let Some(default) = schema.get("default") {
                    fields.entry(name.clone()).or_insert_with(|| default.clone());
                }
            }
        }
        if let Some(fault) = self.validator.iter_errors(&config).next() {
            let path = fault.instance_path().to_string().replace('/', ".");
            // the value at fault may be a secret, so the message must not repeat it
            let message = fault.masked_with("the value").to_string();
            return Err(Error::invalid(format!("config{path}"), message));
        }
        Ok(config)
    }

    /// The names of the properties that are secrets.
    pub fn secrets(&self) -> Vec<&str> {
        let properties = self.config_schema["properties"].as_object();
        let properties = properties.into_iter().flatten();
        properties.filter(|(_, schema)| schema["writeOnly"] == true).map(|(name, _)| name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_is_checked_with_the_path_of_the_fault() {
        let kind = kind("openai").expect("built in");
        let checked = kind.check(json!({"api_key": "sk-1"})).expect("valid");
        assert_eq!(checked["base_url"], "https://api.openai.com/v1");
        let param = |config| kind.check(config).expect_err("refused").param().map(str::to_owned);
        assert_eq!(param(json!({"models": ["a", 7]})), Some("config.models.1".to_owned()));
        assert_eq!(param(json!({"api_key": 5})), Some("config.api_key".to_owned()));
        assert_eq!(param(json!({"base_url": "not a url"})), Some("config.base_url".to_owned()));
        assert_eq!(param(json!({"colour": "red"})), Some("config".to_owned()));
        assert_eq!(param(json!([])), Some("config".to_owned()));
        assert_eq!(kind.secrets(), ["api_key"]);
    }

    #[test]
    fn a_refused_secret_is_not_repeated() {
        let kind = kind("openai").expect("built in");
        let error = kind.check(json!({"api_key": "sk with spaces"})).expect_err("refused");
        assert!(!error.message().contains("sk with"), "{error}");
    }
}
