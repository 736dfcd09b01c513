//! Answers that come whole.

use std::sync::Arc;

use axum::body::Body as AnswerBody;
use axum::response::Response;
use loam_kernel::{Error, Result};
use loam_providers::Whole;

use super::call::Call;
use super::estimate::estimate;
use super::send::Head;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::service::Inner;

impl Inner {
    /// Settles the call, and only then hands the answer on.
    pub(super) async fn answer_whole(
        self: Arc<Self>,
        mut call: Box<Call>,
        head: Head,
        whole: Whole,
    ) -> Result<Response> {
        let Whole { body, usage } = whole;
        let (state, usage) = match usage {
            Some(usage) => (CallState::Settled, Some(usage)),
            None => {
                let tenant = call.open.record.tenant;
                let estimate = estimate(tenant, call.request.clone(), vec![body.clone()], false);
                (CallState::Estimated, Box::pin(estimate).await)
            }
        };
        if let (CallState::Settled, Some(usage)) = (state, usage) {
            self.keep_answer(&call, &head, std::slice::from_ref(&body), usage, false);
        }
        let outcome = Outcome { state, usage, answer: std::slice::from_ref(&body), events: false };
        let keep = self.keep(call.open.record.tenant);
        let told = call.told(outcome.answer, false, usage);
        let position = self.ledger.settle(call.open, &outcome, keep)?;
        self.settled(position, told).await?;
        let mut response = Response::new(AnswerBody::from(body));
        *response.status_mut() = head.status;
        *response.headers_mut() = head.headers;
        Ok(response)
    }

    /// Puts a failure on record, and gives the error back for the client.
    pub(super) async fn fail(&self, mut call: Call, error: Error) -> Error {
        call.open.record.error = Some(error.message().to_owned());
        let outcome = Outcome { state: CallState::Failed, usage: None, answer: &[], events: false };
        let keep = self.keep(call.open.record.tenant);
        match self.ledger.settle(call.open, &outcome, keep) {
            Ok(position) => match self.ledger.durable(position).await {
                Ok(()) => error,
                Err(e) => e,
            },
            Err(e) => e,
        }
    }
}
