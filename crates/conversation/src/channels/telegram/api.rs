//! Calls to Telegram: <https://core.telegram.org/bots/api#making-requests>.

use std::time::Duration;

use axum::body::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use loam_http::client::{Client, Timeouts};
use loam_kernel::{Error, Result};
use loam_platform::records::redact::excerpt;
use loam_platform::webhook_deliveries::Outcome;
use serde::Deserialize;
use serde_json::Value;

/// Maximum size of a response; normal ones are a few kilobytes.
const MAX_RESPONSE: usize = 256 << 10;
/// Maximum number of characters shown of Telegram's error description.
const MAX_SHOWN: usize = 300;

/// A bot and the address of the API.
pub(in crate::channels) struct Bot<'a> {
    pub(in crate::channels) client: &'a Client,
    pub(in crate::channels) api_url: &'a str,
    pub(in crate::channels) token: &'a str,
}

/// The response to any method.
#[derive(Debug, Default, Deserialize)]
pub(in crate::channels) struct ApiResponse {
    #[serde(skip)]
    pub(in crate::channels) status: u16,
    #[serde(default)]
    pub(in crate::channels) ok: bool,
    #[serde(default)]
    pub(in crate::channels) description: String,
    #[serde(default)]
    parameters: Parameters,
}

#[derive(Debug, Default, Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Bot<'_> {
    /// Calls a method. An unreadable response is treated as one with only a status.
    ///
    /// # Errors
    /// A text describing why there is no response. It never contains the token, although the URL does.
    pub(in crate::channels) async fn call(
        &self,
        method: &str,
        fields: &Value,
        limit: Duration,
    ) -> Result<Result<ApiResponse, String>> {
        let body = Bytes::from(serde_json::to_vec(fields).map_err(Error::internal)?);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/bot{}/{method}", self.api_url, self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(Error::internal)?;
        let timeouts = Timeouts { connect: limit, first_byte: limit, idle: limit };
        let http_response = match self.client.send(request, timeouts).await {
            Ok(http_response) => http_response,
            Err(e) => return Ok(Err(e.to_string())),
        };
        let status = http_response.status().as_u16();
        let body = match Limited::new(http_response.into_body(), MAX_RESPONSE).collect().await {
            Ok(body) => body.to_bytes(),
            Err(e) => return Ok(Err(e.to_string())),
        };
        let response: ApiResponse = serde_json::from_slice(&body).unwrap_or_default();
        // The server may be something else and echo the request.
        let description = excerpt(&response.description, MAX_SHOWN, &[self.token]);
        Ok(Ok(ApiResponse { status, description, ..response }))
    }
}

/// What a response to `sendMessage` means for the delivery.
pub(in crate::channels) fn delivery_outcome(response: ApiResponse) -> Outcome {
    let ApiResponse { status, ok, description, parameters } = response;
    if ok {
        return Outcome::Delivered { status };
    }
    let error = match parameters.migrate_to_chat_id {
        Some(to) => format!("Telegram responded with {status}: the group is now {to}"),
        None => format!("Telegram responded with {status}: {description}"),
    };
    match status {
        429 | 500.. | 408 => {
            let after = parameters.retry_after.map(|seconds| Duration::from_secs(seconds.min(86_400)));
            Outcome::Retry { status: Some(status), error, after }
        }
        // A 2xx response without `ok` is not from Telegram but from something in between.
        200..=299 => Outcome::Retry { status: Some(status), error, after: None },
        // The bot was blocked, the chat was deleted or the token is wrong: a retry would be refused too.
        _ => Outcome::Rejected { status: Some(status), error },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn outcome_of(status: u16, body: Value) -> Outcome {
        let response: ApiResponse = serde_json::from_value(body).expect("a response");
        delivery_outcome(ApiResponse { status, ..response })
    }

    #[test]
    fn a_response_determines_whether_and_when_to_retry() {
        assert_eq!(outcome_of(200, json!({ "ok": true, "result": {} })), Outcome::Delivered { status: 200 });
        let flood = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": { "retry_after": 7 } });
        let Outcome::Retry { after, error, .. } = outcome_of(429, flood) else { panic!("a retry") };
        assert_eq!(after, Some(Duration::from_secs(7)));
        assert!(error.contains("Too Many Requests"));
        assert!(matches!(outcome_of(502, json!({})), Outcome::Retry { .. }));
        assert!(matches!(outcome_of(200, json!({})), Outcome::Retry { .. }), "not Telegram's");
        for status in [400, 401, 403, 404] {
            assert!(
                matches!(outcome_of(status, json!({ "ok": false })), Outcome::Rejected { .. }),
                "{status}"
            );
        }
    }
}
