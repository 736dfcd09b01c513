//! What a tool is: what the model is told of it, and who uses it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A tool of a session.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolDeclaration {
    /// Always `function`.
    #[serde(rename = "type", default)]
    pub(super) kind: ToolKind,
    /// What the model is told.
    pub(super) function: ToolFunction,
    /// Who uses it; the client unless given.
    #[serde(default)]
    pub(super) execution: Execution,
}

/// The kinds of tools.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ToolKind {
    /// A function with a name and parameters.
    #[default]
    Function,
}

/// What the model is told of a tool, as OpenAI has it.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ToolFunction {
    /// 1 to 64 letters, digits, `_` or `-`; unique in the session.
    pub(super) name: String,
    /// What it does, and when to use it; at most 4,096 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) description: Option<String>,
    /// JSON Schema of its arguments, at most 16 KiB; an object without properties unless given.
    #[serde(default = "no_parameters")]
    #[schema(value_type = Object)]
    pub(super) parameters: Value,
    /// Whether the provider is to hold the model to the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) strict: Option<bool>,
}

/// Who uses a tool.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Execution {
    /// The client, which sends the result.
    Client {},
    /// Loam, by a request to a server.
    Http(HttpExecution),
}

/// How Loam uses a tool: it sends `{tool, arguments, session_id, turn_id, tool_call_id}`, and the body of a 2xx answer is
/// the result.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HttpExecution {
    /// Where to; `http` or `https`. Internal addresses are refused unless an operator allowed them.
    pub(super) url: String,
    /// `POST` unless given.
    #[serde(default)]
    pub(super) method: ToolMethod,
    /// Headers to send. Their values are sealed, and read as `{"sealed": true, "last4": …}`, which a change can send back to
    /// keep them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, String>)]
    pub(super) headers: BTreeMap<String, Value>,
    /// Signs each request, 16 to 256 characters: `x-loam-signature` is `v1=` and the HMAC-SHA256, in hexadecimal, of
    /// `x-loam-timestamp`, a dot and the body. Sealed like the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub(super) secret: Option<Value>,
    /// Milliseconds from the request to the end of the answer, 100 to 120,000; 30,000 unless given.
    #[serde(default = "usual_timeout")]
    pub(super) timeout_ms: u64,
    /// Bytes that a result may have, 1 to 1,048,576; 262,144 unless given.
    #[serde(default = "usual_bytes")]
    pub(super) max_bytes: u64,
}

/// The methods of a request to a tool.
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

fn usual_timeout() -> u64 {
    30_000
}

fn usual_bytes() -> u64 {
    256 << 10
}

impl ToolDeclaration {
    /// Its name, by which the model asks for it.
    pub(crate) fn name(&self) -> &str {
        &self.function.name
    }

    /// What a provider is told of it, in OpenAI's format.
    pub(crate) fn wire(&self) -> Value {
        json!({ "type": "function", "function": self.function })
    }

    /// Whether Loam uses it, rather than the client.
    pub(crate) fn runs_here(&self) -> bool {
        matches!(self.execution, Execution::Http(_))
    }
}
