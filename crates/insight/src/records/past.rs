//! What was told elsewhere or long ago, straight into the database.

use loam_db::{System, Tx};
use loam_kernel::{NodeId, Result};

use super::batch;
use crate::Insight;
use crate::trace::{Part, packed};

/// Writes parts of traces with their records and sums, in one transaction of the caller's, however long ago they were.
/// `node` must be one that nobody else writes for at the same time: sums are read, added to and written back.
///
/// # Errors
/// When a month of theirs has no partition, or what the database says.
pub async fn write_past(insight: &Insight, tx: &Tx<System>, node: NodeId, parts: &[Part]) -> Result<()> {
    let parts = parts.iter().filter(|part| !part.calls.is_empty()).map(|part| {
        let (head, packed) = packed(part)?;
        Ok(batch::Part { head, packed })
    });
    insight.record_sink(node).take(tx, parts.collect::<Result<_>>()?).await
}
