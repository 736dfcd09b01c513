//! Records that are written to the database without the journal: those of sample data.

use chrono::{DateTime, Utc};
use loam_db::{System, Tx};
use loam_kernel::{Error, NodeId, ProjectId, Result, TenantId};
use serde_json::Value;

use crate::Insight;
use crate::ingest::chunk_of_document;
use crate::records::PackedChunk;
use crate::trace::pack_chunk;

impl Insight {
    /// Writes documents of the record format as requests of a project, with the statistics that are derived from them, as if
    /// `node` had received them at `now`.
    ///
    /// # Errors
    /// When a document is not a record, and on a database error.
    pub async fn insert_imported_records(
        &self,
        tx: &Tx<System>,
        (tenant, project): (TenantId, ProjectId),
        node: NodeId,
        now: DateTime<Utc>,
        documents: &[Value],
    ) -> Result<()> {
        let mut chunks = Vec::with_capacity(documents.len());
        for document in documents {
            let document = serde_json::to_vec(document).map_err(Error::internal)?;
            let chunk = chunk_of_document(&document, (tenant, project), now)?;
            let (header, packed) = pack_chunk(&chunk)?;
            chunks.push(PackedChunk { header, packed });
        }
        self.record_sink(node).write_chunks(tx, chunks).await
    }
}
