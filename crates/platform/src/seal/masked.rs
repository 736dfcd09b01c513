//! What a reader sees in place of a sealed secret.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

/// A secret that is stored sealed and never shown.
#[derive(Serialize, ToSchema)]
pub struct SealedSecret {
    /// Always true.
    sealed: bool,
    /// Its last four characters, if it is long enough.
    last4: Option<String>,
}

/// What a reader sees in place of a kept secret: a [`SealedSecret`].
pub fn masked(kept: &Value) -> Value {
    let last4 = kept.get("last4").and_then(Value::as_str).map(str::to_owned);
    json!(SealedSecret { sealed: true, last4 })
}
