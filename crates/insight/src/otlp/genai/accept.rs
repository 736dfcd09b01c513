//! Into the journal.

use loam_gateway::llm_calls::ReportedCall;
use loam_journal::Position;
use loam_kernel::Result;

use super::Owner;
use super::call::{Priced, Said};
use super::sink::{CALLS, Written};
use crate::records::{append, unavailable};
use crate::service::Insight;

/// Bytes of a frame, about.
const FRAME: usize = 1 << 20;

impl Insight {
    /// Writes down what was told of models and tools. It is durable with the next sync.
    pub(in crate::otlp) async fn append_calls(&self, owner: Owner, said: Said) -> Result<Option<Position>> {
        let mut calls = Vec::with_capacity(said.calls.len());
        for priced in said.calls {
            calls.push(self.priced(owner, priced).await?);
        }
        let (mut calls, mut tools) = (calls.into_iter().peekable(), said.tools.into_iter().peekable());
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let mut last = None;
        while calls.peek().is_some() || tools.peek().is_some() {
            let mut frame = Written { tenant: owner.tenant, ..Written::default() };
            let mut weight = 0;
            while weight < FRAME
                && let Some(told) = calls.next()
            {
                let bodies = [&told.call.request, &told.call.response];
                weight += 512 + bodies.into_iter().flatten().map(Vec::len).sum::<usize>();
                frame.calls.push(told);
            }
            while weight < FRAME
                && let Some(told) = tools.next()
            {
                weight += 512 + told.arguments.len() + told.result.as_ref().map_or(0, String::len);
                frame.tools.push(told);
            }
            let payload = frame.payload()?;
            let key = self.0.clock.id::<uuid::Uuid>().into_bytes();
            last = Some(append(journal, owner.tenant, CALLS, key, &payload)?);
        }
        Ok(last)
    }

    /// With its cost by the tenant's prices, else as the span says.
    async fn priced(&self, owner: Owner, Priced { mut told, host }: Priced) -> Result<ReportedCall> {
        let call = &mut told.call;
        if let Some(usage) = &call.usage {
            for model in [Some(&call.model), told.requested_model.as_ref()].into_iter().flatten() {
                let at = (call.provider.as_str(), host.as_deref());
                if let Some(cost) = self.0.gateway.cost_of(owner.tenant, at, model, usage).await? {
                    call.cost_nano_usd = Some(cost);
                    break;
                }
            }
        }
        Ok(told)
    }
}
