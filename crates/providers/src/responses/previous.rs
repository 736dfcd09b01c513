//! Continues a response: the items of the one before are put in front of the request's own. A provider that speaks the
//! API stores its responses itself; of the others Loam has the record of the call.

use bytes::Bytes;
use loam_kernel::{Error, Kind, LlmCallId, Result};
use memchr::memmem;
use serde_json::{Map, Value, json};

use super::PREFIX;
use crate::body::Body;

const FIELD: &str = "previous_response_id";

/// The call whose response has this id; none if a provider gave it.
pub fn call_of_response(id: &str) -> Option<LlmCallId> {
    id.strip_prefix(PREFIX)?.parse().ok()
}

/// The response that a request continues; none if it continues none, or isn't valid.
pub fn previous_response_id(request: &[u8]) -> Option<String> {
    // few requests continue another, and the search costs less than reading all of them
    memmem::find(request, FIELD.as_bytes())?;
    let fields: Map<String, Value> = serde_json::from_slice(request).ok()?;
    Some(fields.get(FIELD)?.as_str()?.to_owned())
}

/// The error for a response that can't be continued.
pub fn previous_response_not_found(id: &str, why: &str) -> Error {
    let message = format!("response `{id}` can't be continued: {why}");
    Error::new(Kind::Invalid, "previous_response_not_found", message).with_param(FIELD)
}

/// The request with the items of the previous request and its response, instead of its id. Instructions and tools are
/// those of the new request, as the API says.
///
/// # Errors
/// When the previous response can't be continued.
pub fn continue_response(request: &Bytes, id: &str, before: &[u8], response: &Value) -> Result<Bytes> {
    let fail = |why: &str| Err(previous_response_not_found(id, why));
    let Ok(mut before) = serde_json::from_slice::<Map<String, Value>>(before) else {
        return fail("its request was not recorded");
    };
    if before.get("store") == Some(&Value::Bool(false)) {
        return fail("it was requested with `store: false`");
    }
    if !matches!(response["status"].as_str(), Some("completed" | "incomplete")) {
        return fail("it failed, or was interrupted");
    }
    let mut body = Body::read(request)?;
    body.take(FIELD);
    let mut items = as_items(before.remove("input"));
    items.extend(response["output"].as_array().into_iter().flatten().cloned());
    items.extend(as_items(body.take("input")));
    let mut fields = body.rest();
    fields.insert("input".to_owned(), items.into());
    Ok(Value::Object(fields).to_string().into())
}

/// The items of an input; a text is one message.
fn as_items(input: Option<Value>) -> Vec<Value> {
    match input {
        Some(Value::Array(items)) => items,
        Some(Value::String(text)) => vec![json!({"type": "message", "role": "user", "content": text})],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responses::response_id;

    #[test]
    fn a_response_is_continued_from_the_record_of_its_call() {
        let call: LlmCallId = "01a22bf5-a85d-77c3-8c7f-39a23d40da71".parse().expect("an id");
        let id = response_id(call);
        assert_eq!(call_of_response(&id), Some(call));
        assert_eq!(call_of_response("resp_67ccd2bed1ec8190b14f964abc054267"), None);
        let request = Bytes::from(
            json!({"model": "p/m", "input": "And now?", "previous_response_id": id, "tools": []}).to_string(),
        );
        assert_eq!(previous_response_id(&request), Some(id.clone()));
        assert_eq!(previous_response_id(b"{\"input\": \"previous_response_id\"}"), None);
        let before = json!({"model": "p/m", "input": "Hi", "instructions": "Be brief."});
        let hello = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]});
        let response = json!({"status": "completed", "output": [hello]});
        let continued = |before: &Value, response: &Value| {
            continue_response(&request, &id, before.to_string().as_bytes(), response)
        };
        let both: Value =
            serde_json::from_slice(&continued(&before, &response).expect("continued")).expect("JSON");
        let user = |text| json!({"type": "message", "role": "user", "content": text});
        assert_eq!(
            both,
            json!({"model": "p/m", "tools": [], "input": [user("Hi"), hello, user("And now?")]})
        );
        let unstored = json!({"input": "Hi", "store": false});
        for (before, response, why) in [
            (&unstored, &response, "store: false"),
            (&json!(7), &response, "not recorded"),
            (&before, &json!({"status": "failed", "output": []}), "failed"),
        ] {
            let error = continued(before, response).expect_err("refused");
            assert_eq!((error.code(), error.status()), ("previous_response_not_found", 400));
            assert!(error.message().contains(why), "{error}");
        }
    }
}
