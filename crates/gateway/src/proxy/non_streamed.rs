//! Responses that are not streamed.

use loam_kernel::{Error, Result};
use loam_providers::CompleteResponse;
use loam_providers::openai::ChatOutput;

use super::Proxy;
use super::call::Call;
use super::call_response::{CallBody, CallResponse};
use super::estimate::estimate;
use super::response_cache::ResponseHead;
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;

impl Proxy {
    /// Settles the call before the response is sent.
    pub(super) async fn respond_complete(
        &self,
        mut call: Box<Call>,
        head: ResponseHead,
        complete: CompleteResponse,
        output: Option<Box<ChatOutput>>,
    ) -> Result<CallResponse> {
        let CompleteResponse { body, usage, quantity } = complete;
        let (state, usage) = if usage.is_some() || quantity.is_some() {
            (CallState::Settled, usage)
        } else {
            let tenant = call.open.record.tenant;
            let estimate = estimate(tenant, call.recorded_request.clone(), vec![body.clone()], false);
            (CallState::Estimated, Box::pin(estimate).await)
        };
        let outcome =
            Outcome { state, usage, quantity, response: std::slice::from_ref(&body), events: false };
        if state == CallState::Settled {
            self.cache_response(&call, &head, &outcome);
        }
        let max_bytes = self.max_recorded_body_bytes(call.open.record.tenant);
        let completed = call.completed(outcome.response, false, usage);
        let position = self.0.ledger.settle(call.open, &outcome, max_bytes)?;
        self.finish(position, completed).await?;
        Ok(CallResponse { head, body: CallBody::Complete { body, output } })
    }

    /// Records a failure; returns the error for the client.
    pub(super) async fn fail(&self, mut call: Call, error: Error) -> Error {
        call.open.record.error = Some(error.message().to_owned());
        let outcome =
            Outcome { state: CallState::Failed, usage: None, quantity: None, response: &[], events: false };
        let max_bytes = self.max_recorded_body_bytes(call.open.record.tenant);
        match self.0.ledger.settle(call.open, &outcome, max_bytes) {
            Ok(position) => match self.0.ledger.durable(position).await {
                Ok(()) => error,
                Err(e) => e,
            },
            Err(e) => e,
        }
    }
}
