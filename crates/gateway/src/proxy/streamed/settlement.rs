//! Records what is forwarded, and settles the call with it.

use bytes::Bytes;

use super::reading::StreamOutcome;
use super::{Relay, Waiting};
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::proxy::estimate::estimate;

impl Relay {
    /// Records the bytes that are sent to the client.
    pub(super) fn record(&mut self, bytes: &Bytes) {
        if self.recorded_bytes < self.max_recorded_bytes() && !bytes.is_empty() {
            self.recorded_bytes += bytes.len();
            self.recorded.push(bytes.clone());
        }
    }

    /// The maximum bytes recorded of the stream: estimates need the text even if the ledger does not.
    fn max_recorded_bytes(&self) -> usize {
        let config = &self.gateway.config;
        match self.call.as_ref().is_some_and(|call| call.binding.is_some()) {
            // a conversation stores the complete message
            true => config.max_answer_bytes,
            false => config.record_max_bytes.max(1 << 16),
        }
    }

    /// Settles the call; the future completes when the settlement is durable.
    pub(super) fn settle(&mut self, outcome: StreamOutcome) -> Waiting {
        let Some(mut call) = self.call.take() else { return Box::pin(async { Ok(()) }) };
        call.record_health(outcome.is_healthy, None);
        call.open.record.error = outcome.error;
        let gateway = self.gateway.clone();
        let max_bytes = gateway.max_recorded_body_bytes(call.open.record.tenant);
        let recorded = std::mem::take(&mut self.recorded);
        match self.reader.usage() {
            Some(usage) => {
                // only a complete response is cached
                if let (Some(head), None) = (&self.head, &call.open.record.error)
                    && self.recorded_bytes < self.max_recorded_bytes()
                {
                    gateway.cache_response(&call, head, &recorded, usage, true);
                }
                let outcome = Outcome {
                    state: CallState::Settled,
                    usage: Some(usage),
                    response: &recorded,
                    events: true,
                };
                let completed = call.completed(&recorded, true, Some(usage));
                let position = gateway.ledger.settle(call.open, &outcome, max_bytes);
                Box::pin(async move { gateway.finish(position?, completed).await })
            }
            None => Box::pin(async move {
                let usage =
                    estimate(call.open.record.tenant, call.request.clone(), recorded.clone(), true).await;
                let outcome =
                    Outcome { state: CallState::Estimated, usage, response: &recorded, events: true };
                let completed = call.completed(&recorded, true, usage);
                let position = gateway.ledger.settle(call.open, &outcome, max_bytes);
                gateway.finish(position?, completed).await
            }),
        }
    }
}
