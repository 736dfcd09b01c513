//! Who takes a delivery to its target.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use loam_http::client::{Client, Timeouts, retry_after};
use loam_kernel::{Clock, Error, Result, Scope, WebhookDeliveryId};

use super::entity::Model;
use super::signature::{SIGNATURE, TIMESTAMP, sign};

/// The header that says which delivery it is.
const DELIVERY: &str = "x-loam-delivery";
/// A target that asks for a longer delay is retried as if it had asked for none.
const MAX_AFTER: Duration = Duration::from_secs(86_400);
const AGENT: &str = concat!("Loam/", env!("CARGO_PKG_VERSION"));

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The other server took it.
    Delivered {
        /// What it answered.
        status: u16,
    },
    /// It may do so later.
    Retry {
        /// What it answered, if it did.
        status: Option<u16>,
        /// Why not now.
        error: String,
        /// When it wants to be asked again.
        after: Option<Duration>,
    },
    /// It never will.
    Rejected {
        /// What it answered, if it did.
        status: Option<u16>,
        /// Why.
        error: String,
    },
}

/// Sends deliveries of one kind.
#[async_trait]
pub trait DeliveryHandler: Send + Sync {
    /// Tries once. It is dropped when the time is over. An error is a failure of Loam's own, and tried again.
    async fn deliver(&self, scope: &Scope, delivery: &Model) -> Result<Outcome>;
}

/// A `POST` of JSON, signed.
pub struct SignedPost<'a> {
    /// Where to.
    pub url: &'a str,
    /// What it is signed with: more than one while a secret is being changed.
    pub secrets: Vec<&'a [u8]>,
    /// Sent along, so that a repetition can be told.
    pub delivery: WebhookDeliveryId,
    /// The body.
    pub body: Bytes,
}

impl SignedPost<'_> {
    /// Sends it once: taken if the answer is 2xx, never again if it is 410.
    ///
    /// # Errors
    /// Only when the request can't be made at all.
    pub async fn send(self, client: &Client, clock: &Clock, limit: Duration) -> Result<Outcome> {
        let now = clock.now();
        let request = Request::builder()
            .method(Method::POST)
            .uri(self.url)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, AGENT)
            .header(DELIVERY, self.delivery.to_string())
            .header(TIMESTAMP, now.timestamp())
            .header(SIGNATURE, sign(self.secrets, now.timestamp(), &self.body))
            .body(Full::new(self.body))
            .map_err(Error::internal)?;
        let timeouts = Timeouts { connect: limit, first_byte: limit, idle: limit };
        Ok(match client.send(request, timeouts).await {
            Ok(answer) => {
                let after = retry_after(answer.headers(), now).filter(|after| *after <= MAX_AFTER);
                outcome_of(answer.status(), after)
            }
            Err(e) => Outcome::Retry { status: None, error: e.to_string(), after: None },
        })
    }
}

/// What an answer means for a delivery. Everything but 2xx and 410 may be a fault that somebody mends.
fn outcome_of(status: StatusCode, after: Option<Duration>) -> Outcome {
    let code = status.as_u16();
    match status {
        _ if status.is_success() => Outcome::Delivered { status: code },
        StatusCode::GONE => {
            Outcome::Rejected { status: Some(code), error: "the target is gone: it answered 410".to_owned() }
        }
        _ => Outcome::Retry { status: Some(code), error: format!("the target answered {code}"), after },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_whether_to_come_again() {
        let outcome = |status: u16| outcome_of(StatusCode::from_u16(status).expect("a status"), None);
        for status in [200, 202, 204] {
            assert_eq!(outcome(status), Outcome::Delivered { status });
        }
        assert!(matches!(outcome(410), Outcome::Rejected { status: Some(410), .. }));
        for status in [301, 400, 401, 404, 408, 429, 500, 503] {
            assert!(matches!(outcome(status), Outcome::Retry { .. }), "{status}");
        }
    }
}
