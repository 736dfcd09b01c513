//! Asking Telegram: <https://core.telegram.org/bots/api#making-requests>.

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

/// Answers are a message of a few kilobytes.
const MAX_ANSWER: usize = 256 << 10;
/// Characters that are shown of why it refused.
const MAX_SHOWN: usize = 300;

/// A bot, and where Telegram is.
pub(in crate::channels) struct Bot<'a> {
    pub(in crate::channels) client: &'a Client,
    pub(in crate::channels) api_url: &'a str,
    pub(in crate::channels) token: &'a str,
}

/// What Telegram answers to every request.
#[derive(Debug, Default, Deserialize)]
pub(in crate::channels) struct Said {
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
    /// Calls a method. An answer that can't be read is one with its status alone.
    ///
    /// # Errors
    /// In words, when there is no answer: they never hold the token, though the address does.
    pub(in crate::channels) async fn call(
        &self,
        method: &str,
        fields: &Value,
        limit: Duration,
    ) -> Result<Result<Said, String>> {
        let body = Bytes::from(serde_json::to_vec(fields).map_err(Error::internal)?);
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/bot{}/{method}", self.api_url, self.token))
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(Error::internal)?;
        let timeouts = Timeouts { connect: limit, first_byte: limit, idle: limit };
        let answer = match self.client.send(request, timeouts).await {
            Ok(answer) => answer,
            Err(e) => return Ok(Err(e.to_string())),
        };
        let status = answer.status().as_u16();
        let body = match Limited::new(answer.into_body(), MAX_ANSWER).collect().await {
            Ok(body) => body.to_bytes(),
            Err(e) => return Ok(Err(e.to_string())),
        };
        let said: Said = serde_json::from_slice(&body).unwrap_or_default();
        // whatever answers there may be somebody else, and repeat what it was asked
        let description = excerpt(&said.description, MAX_SHOWN, &[self.token]);
        Ok(Ok(Said { status, description, ..said }))
    }
}

/// What an answer to `sendMessage` means for the message.
pub(in crate::channels) fn judge(said: Said) -> Outcome {
    let Said { status, ok, description, parameters } = said;
    if ok {
        return Outcome::Delivered { status };
    }
    let error = match parameters.migrate_to_chat_id {
        Some(to) => format!("Telegram answered {status}: the group is now {to}"),
        None => format!("Telegram answered {status}: {description}"),
    };
    match status {
        429 | 500.. | 408 => {
            let after = parameters.retry_after.map(|seconds| Duration::from_secs(seconds.min(86_400)));
            Outcome::Again { status: Some(status), error, after }
        }
        // an answer that isn't Telegram's: something stands between
        200..=299 => Outcome::Again { status: Some(status), error, after: None },
        // the bot was blocked, the chat is gone, the token is wrong: it would be refused again
        _ => Outcome::Never { status: Some(status), error },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn judged(status: u16, body: Value) -> Outcome {
        let said: Said = serde_json::from_value(body).expect("an answer");
        judge(Said { status, ..said })
    }

    #[test]
    fn an_answer_says_whether_to_come_again_and_when() {
        assert_eq!(judged(200, json!({ "ok": true, "result": {} })), Outcome::Delivered { status: 200 });
        let flood = json!({ "ok": false, "error_code": 429, "description": "Too Many Requests", "parameters": { "retry_after": 7 } });
        let Outcome::Again { after, error, .. } = judged(429, flood) else { panic!("again") };
        assert_eq!(after, Some(Duration::from_secs(7)));
        assert!(error.contains("Too Many Requests"));
        assert!(matches!(judged(502, json!({})), Outcome::Again { .. }));
        assert!(matches!(judged(200, json!({})), Outcome::Again { .. }), "not Telegram's");
        for status in [400, 401, 403, 404] {
            assert!(matches!(judged(status, json!({ "ok": false })), Outcome::Never { .. }), "{status}");
        }
    }
}
