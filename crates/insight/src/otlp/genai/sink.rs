//! Drains reported model and tool calls from the journal into the gateway's tables.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_gateway::llm_calls::{self, ReportedCall};
use loam_gateway::tool_calls::{self, ReportedToolCall};
use loam_journal::Frame;
use loam_kernel::{Clock, Error, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, RecordSubjects};
use serde::{Deserialize, Serialize};

/// The kind of journal frames that hold model and tool calls.
pub(in crate::otlp) const CALLS: u8 = 50;

/// The payload of a frame.
#[derive(Default, Serialize, Deserialize)]
pub(in crate::otlp) struct CallFrame {
    pub(in crate::otlp) tenant: TenantId,
    pub(in crate::otlp) calls: Vec<ReportedCall>,
    pub(in crate::otlp) tools: Vec<ReportedToolCall>,
    /// The end user of each call. The last field, since frames of earlier versions end before it.
    pub(in crate::otlp) end_users: Vec<Option<String>>,
}

impl CallFrame {
    /// Encodes the payload.
    pub(in crate::otlp) fn payload(mut self) -> Result<Vec<u8>> {
        self.end_users = self.calls.iter_mut().map(|reported| reported.call.end_user.take()).collect();
        postcard::to_allocvec(&self).map_err(Error::internal)
    }
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

pub(in crate::otlp) fn read(frame: &Frame) -> Result<CallFrame> {
    // a missing last field is an empty list
    let without_end_users = |_| postcard::from_bytes(&[&frame.payload[..], &[0]].concat());
    let mut payload: CallFrame =
        postcard::from_bytes(&frame.payload).or_else(without_end_users).map_err(Error::internal)?;
    for (reported, end_user) in payload.calls.iter_mut().zip(std::mem::take(&mut payload.end_users)) {
        reported.call.end_user = end_user;
    }
    Ok(payload)
}

#[async_trait]
impl Sink for CallSink {
    fn takes(&self, kind: u8) -> bool {
        kind == CALLS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        read(frame).map_or(TenantId::NIL, |payload| payload.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (mut calls, mut tools) = (Vec::new(), Vec::new());
        for frame in frames {
            let payload = read(frame)?;
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
