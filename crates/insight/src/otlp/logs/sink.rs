//! Drains the errors of log records from the journal into the error log.

use async_trait::async_trait;
use loam_db::{System, Tx};
use loam_journal::Frame;
use loam_kernel::{Clock, NodeId, Result, TenantId};
use loam_platform::drain::Sink;
use loam_platform::error_logs;
use loam_platform::personal::Guard;

use super::stored::decode;

/// The kind of journal frames that hold errors of log records.
pub(super) const ERRORS: u8 = 52;

/// Drains errors of log records.
pub(crate) struct ReportedErrorSink {
    clock: Clock,
    node: NodeId,
    guard: Guard,
}

impl ReportedErrorSink {
    pub(crate) fn new(clock: Clock, node: NodeId, guard: Guard) -> Self {
        Self { clock, node, guard }
    }
}

#[async_trait]
impl Sink for ReportedErrorSink {
    fn takes(&self, kind: u8) -> bool {
        kind == ERRORS
    }

    fn tenant(&self, frame: &Frame) -> TenantId {
        decode(&frame.payload).map_or(TenantId::NIL, |frame| frame.tenant)
    }

    async fn write(&self, tx: &Tx<System>, frames: &[Frame]) -> Result<()> {
        let mut errors = Vec::new();
        for frame in frames {
            errors.extend(decode(&frame.payload)?.errors);
        }
        error_logs::insert_reported(tx, &self.guard, self.clock.now(), self.node, errors).await
    }
}
