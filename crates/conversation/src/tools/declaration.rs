//! The declaration of a tool: what the model sees, and who executes it.

use std::collections::BTreeMap;

use loam_kernel::JsonObject;
use loam_platform::seal::SealedSecret;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// The setting of a session that holds its tools. Only this folder writes it, because it holds secrets.
pub(crate) const KEY: &str = "tools";

/// A tool of a session.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolDeclaration {
    /// Always `function`.
    #[serde(rename = "type", default)]
    #[schema(default = json!("function"))]
    pub(super) kind: ToolKind,
    /// The function as the model sees it.
    pub(super) function: ToolFunction,
    /// Who executes it. Defaults to the client.
    #[serde(default)]
    #[schema(default = json!({"kind": "client"}))]
    pub(super) execution: Execution,
}

/// Kinds of tools.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// A function with a name and parameters.
    #[default]
    Function,
}

/// A function as the model sees it, in OpenAI's format.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolFunction {
    /// 1 to 64 letters, digits, `_` or `-`; unique in the session.
    pub(super) name: String,
    /// What it does and when to use it; at most 4,096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) description: Option<String>,
    /// JSON Schema of its arguments, at most 16 KiB. Defaults to an object without properties.
    #[serde(default = "no_parameters")]
    #[schema(value_type = JsonObject, default = json!({"type": "object", "properties": {}}))]
    pub(super) parameters: Value,
    /// Whether the provider must enforce the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) strict: Option<bool>,
}

/// Who executes a tool.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Execution {
    /// The client executes it and sends the result.
    Client {},
    /// Loam executes it by an HTTP request.
    Http(HttpExecution),
}

/// How Loam executes a tool: it sends `{tool, arguments, session_id, turn_id, tool_call_id}`, and the body of
/// a 2xx response is the result.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpExecution {
    /// `http` or `https` URL. Internal addresses are refused unless an operator allows them.
    pub(super) url: String,
    /// Defaults to `POST`.
    #[serde(default)]
    #[schema(default = json!("POST"))]
    pub(super) method: ToolMethod,
    /// Headers to send. The values are stored sealed and shown as `{"sealed": true, "last4": …}`; send that
    /// back in an update to keep a value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, SecretText>)]
    pub(super) headers: BTreeMap<String, Value>,
    /// Secret that signs each request, 16 to 256 characters: `x-loam-signature` is `v1=` followed by the
    /// hex-encoded HMAC-SHA256 of `x-loam-timestamp`, a dot and the body. Stored sealed, like the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SecretText>, nullable = false)]
    pub(super) secret: Option<Value>,
    /// Timeout of the whole request in milliseconds, 100 to 120,000. Defaults to 30,000.
    #[serde(default = "default_timeout")]
    #[schema(default = 30_000)]
    pub(super) timeout_ms: u64,
    /// Maximum size of a result in bytes, 1 to 1,048,576. Defaults to 262,144.
    #[serde(default = "default_max_bytes")]
    #[schema(default = 262_144)]
    pub(super) max_bytes: u64,
}

/// A secret: a text, or what stands for the stored one.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes JSON that `secrets.rs` reads and writes")]
enum SecretText {
    /// A new secret.
    Text(String),
    /// The stored secret.
    Stored(SealedSecret),
}

/// HTTP methods for executing a tool.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum ToolMethod {
    /// `POST`.
    #[default]
    Post,
    /// `PUT`.
    Put,
}

impl Default for Execution {
    fn default() -> Self {
        Self::Client {}
    }
}

fn no_parameters() -> Value {
    json!({ "type": "object", "properties": {} })
}

fn default_timeout() -> u64 {
    30_000
}

fn default_max_bytes() -> u64 {
    256 << 10
}

impl ToolDeclaration {
    /// Its name, which the model's tool calls refer to.
    pub(crate) fn name(&self) -> &str {
        &self.function.name
    }

    /// The declaration in OpenAI's format.
    pub(crate) fn wire(&self) -> Value {
        json!({ "type": "function", "function": self.function })
    }

    /// Whether Loam executes it, rather than the client.
    pub(crate) fn runs_on_server(&self) -> bool {
        matches!(self.execution, Execution::Http(_))
    }
}
