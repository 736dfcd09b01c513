//! Answers that come whole.

use std::sync::Arc;

use axum::body::Body as AnswerBody;
use axum::response::Response;
use loam_kernel::{Error, Result};
use loam_providers::openai::{error_from, usage_of};

use super::call::Call;
use super::estimate::estimate;
use super::send::{passed, read_all, retry_after};
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

impl Inner {
    /// Reads the answer, settles the call, and only then hands the answer on.
    pub(super) async fn answer_whole(
        self: Arc<Self>,
        mut call: Call,
        answer: http::Response<loam_http::client::Body>,
    ) -> Result<Response> {
        let (parts, body) = answer.into_parts();
        let provider = call.provider.name.clone();
        let body = match read_all(&provider, body, self.config.max_answer_bytes).await {
            Ok(body) => body,
            Err(e) => return Err(self.fail(call, e).await),
        };
        call.open.record.first_token_us = i64::try_from(call.open.began.elapsed().as_micros()).ok();
        let status = parts.status.as_u16();
        if !parts.status.is_success() {
            let error = error_from(&provider, status, &body, retry_after(&parts.headers));
            return Err(self.fail(call, error).await);
        }
        let (state, usage) = match usage_of(&body) {
            Some(usage) => (CallState::Settled, Some(usage)),
            None => (CallState::Estimated, estimate(call.request.clone(), vec![body.clone()], false).await),
        };
        let outcome = Outcome { state, usage, answer: std::slice::from_ref(&body), events: false };
        let position = self.ledger.settle(call.open, &outcome, self.keep())?;
        self.ledger.durable(position).await?;
        let mut response = Response::new(AnswerBody::from(body));
        *response.status_mut() = parts.status;
        *response.headers_mut() = passed(&parts.headers);
        Ok(response)
    }

    /// Puts a failure on record, and gives the error back for the client.
    pub(super) async fn fail(&self, mut call: Call, error: Error) -> Error {
        call.open.record.error = Some(error.message().to_owned());
        let outcome = Outcome { state: CallState::Failed, usage: None, answer: &[], events: false };
        match self.ledger.settle(call.open, &outcome, self.keep()) {
            Ok(position) => match self.ledger.durable(position).await {
                Ok(()) => error,
                Err(e) => e,
            },
            Err(e) => e,
        }
    }
}
