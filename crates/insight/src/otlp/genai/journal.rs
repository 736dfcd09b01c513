//! Writes reported model and tool calls to the journal.

use loam_gateway::llm_calls::ReportedCall;
use loam_journal::Position;
use loam_kernel::Result;

use super::ProjectRef;
use super::call::{CallWithHost, GenAiCalls};
use super::sink::{CALLS, CallFrame};
use super::stored::encode;
use crate::ingest::Ingest;
use crate::records::{append, unavailable};

/// Approximate maximum size of a frame, in bytes.
const MAX_FRAME_BYTES: usize = 1 << 20;

impl Ingest {
    /// Appends model and tool calls to the journal. They are durable with the next sync.
    pub(in crate::otlp) async fn append_calls(
        &self,
        project_ref: ProjectRef,
        found: GenAiCalls,
    ) -> Result<Option<Position>> {
        let mut calls = Vec::with_capacity(found.calls.len());
        for call in found.calls {
            calls.push(self.with_cost(project_ref, call).await?);
        }
        let (mut calls, mut tools) = (calls.into_iter().peekable(), found.tools.into_iter().peekable());
        let journal = self.0.journal.as_ref().ok_or_else(unavailable)?;
        let mut last = None;
        while calls.peek().is_some() || tools.peek().is_some() {
            let mut frame = CallFrame { tenant: project_ref.tenant, ..CallFrame::default() };
            let mut size = 0;
            while size < MAX_FRAME_BYTES
                && let Some(reported) = calls.next()
            {
                let bodies = [&reported.call.request, &reported.call.response];
                size += 512 + bodies.into_iter().flatten().map(Vec::len).sum::<usize>();
                frame.calls.push(reported);
            }
            while size < MAX_FRAME_BYTES
                && let Some(reported) = tools.next()
            {
                size += 512 + reported.arguments.len() + reported.result.as_ref().map_or(0, String::len);
                frame.tools.push(reported);
            }
            let payload = encode(frame)?;
            let key = self.0.clock.id::<uuid::Uuid>().into_bytes();
            last = Some(append(journal, project_ref.tenant, CALLS, key, &payload)?);
        }
        Ok(last)
    }

    /// Sets the cost of a call from the tenant's prices; without a price, the cost from the span remains.
    async fn with_cost(
        &self,
        project_ref: ProjectRef,
        CallWithHost { mut reported, host }: CallWithHost,
    ) -> Result<ReportedCall> {
        let call = &mut reported.call;
        if let Some(usage) = &call.usage {
            for model in [Some(&call.model), reported.requested_model.as_ref()].into_iter().flatten() {
                let at = (call.provider.as_str(), host.as_deref());
                if let Some(cost) = self.0.gateway.cost_of(project_ref.tenant, at, model, usage).await? {
                    call.cost_nano_usd = Some(cost);
                    break;
                }
            }
        }
        Ok(reported)
    }
}
