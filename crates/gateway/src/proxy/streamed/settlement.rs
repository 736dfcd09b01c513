//! Records what is forwarded, and settles the call with it.

use bytes::Bytes;
use serde_json::json;

use super::chunk::StreamOutcome;
use super::{Relay, Waiting};
use crate::llm_calls::entity::CallState;
use crate::llm_calls::ledger::Outcome;
use crate::proxy::estimate::estimate;

impl Relay {
    /// Records the bytes that are sent to the client.
    pub(super) fn record(&mut self, bytes: &Bytes) {
        if self.reader.forwards_bytes() {
            self.recorded_bytes += bytes.len();
            return;
        }
        if self.recorded_bytes < self.max_recorded_bytes() && !bytes.is_empty() {
            self.recorded_bytes += bytes.len();
            self.recorded.push(bytes.clone());
        }
    }

    /// The maximum bytes recorded of the stream: estimates need the text even if the ledger does not.
    fn max_recorded_bytes(&self) -> usize {
        let config = &self.proxy.0.config;
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
        let proxy = self.proxy.clone();
        let max_bytes = proxy.max_recorded_body_bytes(call.open.record.tenant);
        let (recorded, events) = self.take_recorded();
        let (usage, quantity) = (self.reader.usage(), self.reader.quantity());
        if usage.is_none() && quantity.is_none() {
            return Box::pin(async move {
                let request = call.recorded_request.clone();
                let usage = estimate(call.open.record.tenant, request, recorded.clone(), events).await;
                let state = CallState::Estimated;
                let outcome = Outcome { state, usage, quantity, response: &recorded, events };
                let completed = call.completed(&recorded, events, usage);
                let position = proxy.0.ledger.settle(call.open, &outcome, max_bytes);
                proxy.finish(position?, completed).await
            });
        }
        // the quantity of bytes is that of the request, of which a part may have been made
        let is_cut = self.reader.forwards_bytes() && call.open.record.error.is_some();
        let state = if is_cut { CallState::Estimated } else { CallState::Settled };
        let outcome = Outcome { state, usage, quantity, response: &recorded, events };
        // only a complete response is cached
        if let (Some(head), None) = (&self.head, &call.open.record.error)
            && self.recorded_bytes < self.max_recorded_bytes()
        {
            proxy.cache_response(&call, head, &outcome);
        }
        let completed = call.completed(&recorded, events, usage);
        let position = proxy.0.ledger.settle(call.open, &outcome, max_bytes);
        Box::pin(async move { proxy.finish(position?, completed).await })
    }

    /// What has been recorded, and whether it is events. Of bytes, that is their type and number.
    fn take_recorded(&mut self) -> (Vec<Bytes>, bool) {
        if !self.reader.forwards_bytes() {
            return (std::mem::take(&mut self.recorded), true);
        }
        let summary = json!({"content_type": self.content_type, "bytes": self.recorded_bytes});
        (vec![summary.to_string().into()], false)
    }
}
