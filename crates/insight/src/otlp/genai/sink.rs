//! Drains reported model and tool calls from the journal into the gateway's tables.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_gateway::llm_calls::{self, ReportedCall};
use loam_gateway::tool_calls::{self, ReportedToolCall};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, RecordSubjects};

use super::stored::decode;

/// The kind of journal frames that hold model and tool calls.
pub(super) const CALLS: u8 = 50;

/// The content of a frame.
#[derive(Debug, Default)]
pub(super) struct CallFrame {
    pub(super) tenant: TenantId,
    pub(super) calls: Vec<ReportedCall>,
    pub(super) tools: Vec<ReportedToolCall>,
}

/// Drains reported model and tool calls.
pub(crate) struct CallSink {
    clock: Clock,
    node: NodeId,
    guard: Guard,
}

impl CallSink {
    pub(crate) fn new(clock: Clock, node: NodeId, guard: Guard) -> Self {
        Self { clock, node, guard }
    }
}

#[async_trait]
impl Sink for CallSink {
    fn takes(&self, kind: u8) -> bool {
        kind == CALLS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        decode(&frame.payload).map_or(TenantId::NIL, |payload| payload.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (mut calls, mut tools) = (Vec::new(), Vec::new());
        for frame in frames {
            let payload = decode(&frame.payload)?;
            calls.extend(payload.calls.into_iter().map(|call| (payload.tenant, call)));
            tools.extend(payload.tools.into_iter().map(|tool| (payload.tenant, tool)));
        }
        let now = self.clock.now();
        let named: Vec<RecordSubjects<'_>> =
            calls.iter().map(|(tenant, reported)| reported.named(*tenant)).collect();
        let erased = self.guard.erased(tx, now, &named).await?;
        for ((_, reported), _) in calls.iter_mut().zip(erased).filter(|(_, erased)| *erased) {
            reported.strip();
        }
        llm_calls::insert_reported(tx, self.node, now, calls).await?;
        tool_calls::insert_reported(tx, now, tools).await
    }
}
