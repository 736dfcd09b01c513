//! Stores rejected telemetry: the newest of each project, with secrets redacted.

use loam_kernel::{Error, RejectedRecordId, Result, Scope, TenantId, truncate_bytes};
use loam_platform::pack::{pack, unpack};
use sea_orm::{ColumnTrait, QueryFilter, QueryOrder, QuerySelect, Set};
use serde_json::Value;

use super::entity::{ActiveModel, Column, Entity, RejectedState};
use crate::ingest::Ingest;
use crate::ingest::{IngestSource, RecordError};
use crate::redact;
use crate::trace::Source;

/// Maximum size of a stored payload, in bytes; of larger records only the error is stored.
const MAX_PAYLOAD: usize = 1 << 20;
/// Maximum number of stored records per batch: the records of a batch mostly have the same error.
const MAX_PER_BATCH: usize = 100;

/// A rejected record or span.
pub(crate) struct NewRejectedRecord {
    pub(crate) source: Source,
    pub(crate) error: RecordError,
    /// The content, if it could be parsed.
    pub(crate) document: Option<Value>,
}

impl Ingest {
    /// Stores rejected records within the limits. Returns their ids in the same order. A failure is only logged, since
    /// it is no reason to reject the rest.
    pub(crate) async fn store_rejected(
        &self,
        ingest_source: &IngestSource,
        new: Vec<NewRejectedRecord>,
    ) -> Vec<Option<RejectedRecordId>> {
        match self.insert_rejected(ingest_source, new).await {
            Ok(ids) => ids,
            Err(e) => {
                tracing::warn!(tenant.id = %ingest_source.tenant, error = %e, "cannot store rejected records");
                Vec::new()
            }
        }
    }

    async fn insert_rejected(
        &self,
        ingest_source: &IngestSource,
        new: Vec<NewRejectedRecord>,
    ) -> Result<Vec<Option<RejectedRecordId>>> {
        let max_rejected = self.0.settings.of(ingest_source.tenant).max_rejected;
        if max_rejected == 0 {
            return Ok(Vec::new());
        }
        let project = ingest_source.project.id;
        let tx = self.0.db.write(&Scope::system(ingest_source.tenant, "telemetry")).await?;
        let mut ids = Vec::with_capacity(new.len());
        for new in new.into_iter().take(MAX_PER_BATCH) {
            let id: RejectedRecordId = self.0.clock.id();
            let now = self.0.clock.now();
            let payload = match new.document {
                Some(document) => packed(document)?,
                None => Vec::new(),
            };
            tx.insert(ActiveModel {
                tenant_id: Set(TenantId::NIL),
                id: Set(id),
                project_id: Set(project),
                source: Set(new.source.name().to_owned()),
                code: Set(new.error.code.to_owned()),
                message: Set(sanitise(&new.error.message)),
                param: Set(new.error.param.as_deref().map(sanitise)),
                payload: Set(payload),
                state: Set(RejectedState::Rejected),
                created_at: Set(now),
                updated_at: Set(now),
            })
            .await?;
            ids.push(Some(id));
        }
        let of_project = tx.find::<Entity>().filter(Column::ProjectId.eq(project));
        let beyond = of_project.order_by_desc(Column::Id).offset(max_rejected).limit(1).one().await?;
        if let Some(beyond) = beyond {
            let old = tx.delete::<Entity>().filter(Column::ProjectId.eq(project));
            old.filter(Column::Id.lte(beyond.id)).exec().await?;
        }
        tx.commit().await?;
        Ok(ids)
    }
}

/// The stored form of a rejected record; empty if it is too large.
pub(super) fn packed(mut document: Value) -> Result<Vec<u8>> {
    redact::document(&mut document);
    let bytes = serde_json::to_vec(&document).map_err(Error::internal)?;
    Ok(if bytes.len() > MAX_PAYLOAD { Vec::new() } else { pack(&[bytes], false, MAX_PAYLOAD) })
}

/// Reads the stored form of a rejected record; none if it was too large.
pub(super) fn document(payload: &[u8]) -> Result<Option<Value>> {
    Ok(unpack(payload)?.and_then(|unpacked| serde_json::from_slice(&unpacked.body).ok()))
}

/// Sanitises text that can contain untrusted input, such as field names.
pub(super) fn sanitise(text: &str) -> String {
    let text = truncate_bytes(text, 1_000);
    text.replace('\0', "")
}
