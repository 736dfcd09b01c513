//! Removes the sampling parameters that a model of Anthropic's refuses.

use serde_json::{Map, Value};

use crate::model_names::claude_version;
use crate::omitted::Omitted;

/// The first version that accepts either `temperature` or `top_p`, but not both.
const ONE_ONLY: (u32, u32) = (4, 1);
/// The first version that accepts none.
const NONE: (u32, u32) = (4, 7);
/// The smallest `top_p` with thinking.
const MIN_TOP_P: f64 = 0.95;

/// Removes what the model refuses; what changes the response is noted.
pub(super) fn fit_sampling(model: &str, request: &mut Map<String, Value>, omitted: &mut Omitted) {
    let is_one = |value: &Value| value.as_f64() == Some(1.0);
    let version = claude_version(model).unwrap_or_default();
    let thinks = request.contains_key("thinking");
    let number = |request: &Map<String, Value>, field: &str| request.get(field).and_then(Value::as_f64);
    for field in ["temperature", "top_p"] {
        // the default, which some clients always send
        if (version >= ONE_ONLY || thinks) && request.get(field).is_some_and(is_one) {
            request.remove(field);
        }
    }
    if version >= NONE {
        for field in ["temperature", "top_p", "top_k"] {
            omitted.remove(request, field, format!("`{model}` doesn't take it"));
        }
    }
    if thinks {
        let why = "it excludes thinking";
        omitted.remove(request, "temperature", why);
        omitted.remove(request, "top_k", why);
        if number(request, "top_p").is_some_and(|top_p| top_p < MIN_TOP_P) {
            omitted.remove(request, "top_p", why);
        }
    }
    if version >= ONE_ONLY && request.contains_key("temperature") {
        omitted.remove(request, "top_p", format!("`{model}` doesn't take it with `temperature`"));
    }
}
