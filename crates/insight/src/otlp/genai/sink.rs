//! Through the journal into the gateway's ledger.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_gateway::llm_calls::{self, ReportedCall};
use loam_gateway::tool_calls::{self, ReportedToolCall};
use loam_journal::Frame;
use loam_kernel::{Clock, Error, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::personal::{Guard, RecordSubjects};
use serde::{Deserialize, Serialize};

/// The kind of a frame with calls of models and uses of tools.
pub(in crate::otlp) const CALLS: u8 = 50;

/// What a frame holds.
#[derive(Default, Serialize, Deserialize)]
pub(in crate::otlp) struct Written {
    pub(in crate::otlp) tenant: TenantId,
    pub(in crate::otlp) calls: Vec<ReportedCall>,
    pub(in crate::otlp) tools: Vec<ReportedToolCall>,
    /// The end user of each call. Behind all else, as frames of earlier versions end in front of it.
    pub(in crate::otlp) end_users: Vec<Option<String>>,
}

impl Written {
    /// A frame's payload.
    pub(in crate::otlp) fn payload(mut self) -> Result<Vec<u8>> {
        self.end_users = self.calls.iter_mut().map(|told| told.call.end_user.take()).collect();
        postcard::to_allocvec(&self).map_err(Error::internal)
    }
}

/// Drains what applications told of their calls.
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

pub(in crate::otlp) fn read(frame: &Frame) -> Result<Written> {
    // what is missing at the end is an empty list
    let early = |_| postcard::from_bytes(&[&frame.payload[..], &[0]].concat());
    let mut written: Written =
        postcard::from_bytes(&frame.payload).or_else(early).map_err(Error::internal)?;
    for (told, end_user) in written.calls.iter_mut().zip(std::mem::take(&mut written.end_users)) {
        told.call.end_user = end_user;
    }
    Ok(written)
}

#[async_trait]
impl Sink for CallSink {
    fn takes(&self, kind: u8) -> bool {
        kind == CALLS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        read(frame).map_or(TenantId::NIL, |written| written.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let (mut calls, mut tools) = (Vec::new(), Vec::new());
        for frame in frames {
            let written = read(frame)?;
            calls.extend(written.calls.into_iter().map(|call| (written.tenant, call)));
            tools.extend(written.tools.into_iter().map(|tool| (written.tenant, tool)));
        }
        let now = self.clock.now();
        let named: Vec<RecordSubjects<'_>> = calls.iter().map(|(tenant, told)| told.named(*tenant)).collect();
        let erased = self.guard.erased(tx, now, &named).await?;
        for ((_, told), _) in calls.iter_mut().zip(erased).filter(|(_, erased)| *erased) {
            told.strip();
        }
        llm_calls::insert_reported(tx, self.node, now, calls).await?;
        tool_calls::insert_reported(tx, now, tools).await
    }
}
